"""From an ordered photo to a delivered one: queue, ComfyUI, S3, Telegram.

Knows nothing of chats, personas or prices.
"""
