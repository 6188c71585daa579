"""The language model: its servers, its prompts, and the guard model beside it.

What a turn does with an answer is `bot.chat`.
"""
