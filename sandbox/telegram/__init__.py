"""A local Telegram: the Bot API as a bot sees it, and a page in the browser as people see it.

As strict as the original where a bot can notice: limits of texts, captions, callback data and photos, 429
with `retry_after`, 403 from a person who blocked the bot, updates that come again until they are confirmed.
docs/telegram-stand-in.md describes the page API and what is not there.
"""

from sandbox.telegram.server import TOKEN, TelegramServer

__all__ = ["TOKEN", "TelegramServer"]
