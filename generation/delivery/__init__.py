"""From a rendered picture to a message in the chat: checked, converted to JPEG, sent at most once.

Not here: rendering (`generation.worker`) and Telegram's session (`generation.runtime.telegram`).
"""
