"""The language model: its client, its prompts, and what is read out of texts.

What a turn does with an answer is `bot.chat`.
"""
