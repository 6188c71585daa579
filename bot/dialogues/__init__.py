"""Dialogues, messages and memory as rows, and what of them a request to the model holds.

Talking itself is `bot.chat`.
"""
