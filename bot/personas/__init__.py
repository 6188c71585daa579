"""Personas and stories as data files, with their looks, scenes and portraits.

What people do with them is `bot.handlers.personas`.
"""
