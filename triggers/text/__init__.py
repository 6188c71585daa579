"""Normalised text: disguises undone, word forms, and what can be seen in a sentence.

No judgement: that is `triggers.policy` and `triggers.detection`.
"""
