"""From Telegram to a handler: polling, webhook, inbox, dispatch, middlewares.

What an update means is `bot.handlers`.
"""
