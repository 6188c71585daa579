"""One turn of talk, from a person's text to the answer and its photo; and what the persona begins by herself.

Rows of a dialogue are `bot.dialogues`, the model is `bot.llm`, placing a photo is `bot.photos`.
"""
