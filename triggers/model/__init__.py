"""A text as numbers, and trained heads over them: what detection and policy share.

What the numbers mean for a photo or a refusal is theirs.
"""
