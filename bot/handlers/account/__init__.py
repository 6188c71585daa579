"""Start, settings, payments and privacy, as commands and buttons. What they change is `bot.accounts`."""
