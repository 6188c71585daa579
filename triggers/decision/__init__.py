"""The ordered rules that decide whether a moment deserves a photo, and each person's pace.

What a text says is `triggers.detection`.
"""
