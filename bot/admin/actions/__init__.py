"""What operators can do: one function an action, declared where it is written, and the list of all.

Buttons and pages are `bot.admin.panel`.
"""
