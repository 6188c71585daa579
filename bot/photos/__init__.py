"""A photo as the bot orders it: its prompt, its place in the queue, the words for waits.

From the order on it belongs to `generation`.
"""
