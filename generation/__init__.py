"""From an ordered photo to a delivered one: queue, ComfyUI, S3, Telegram.

Knows nothing of chats, personas or prices.
"""

#: The day of the release. The only place; pyproject.toml and the images read it.
__version__ = "2026.11.27"
