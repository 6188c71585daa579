"""What a text shows, asks for or promises: patterns and trained heads over an embedding, and their training.

Whether that deserves a photo is `triggers.decision`.
"""
