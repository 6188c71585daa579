"""The Telegram side: people, personas, conversation, language model, premium, operators; it orders photos.

How a photo is made is `generation`; whether a moment deserves one is `triggers`.
"""
