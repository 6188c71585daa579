"""A person's account as rows: people, plans, payments, invitations, photo quota, privacy.

Buttons and commands for it are `bot.handlers.account`.
"""
