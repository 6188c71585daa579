"""What operators see and do in the chat: panel, details, actions, broadcasts.

Figures and alerts themselves are `bot.monitoring`.
"""
