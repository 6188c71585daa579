"""How the bot speaks Telegram: messages, keyboards, callback data, flood control.

No rows, no personas, no prices.
"""
