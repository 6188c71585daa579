"""Does this turn deserve a photo, which kind, and why. Pure: values in, values out."""

from triggers.decision.moment import Decision, Kind, Moment
from triggers.decision.pace import FREE_GAP, PREMIUM_GAP, Frequency, Gap, draw_gap
from triggers.decision.rules import PROMISE, decide
from triggers.decision.witness import Witness

__all__ = [
    "FREE_GAP",
    "PREMIUM_GAP",
    "PROMISE",
    "Decision",
    "Frequency",
    "Gap",
    "Kind",
    "Moment",
    "Witness",
    "decide",
    "draw_gap",
]
