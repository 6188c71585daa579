"""Does this turn deserve a photo, which kind, and why. Pure: values in, values out."""

from triggers.moment import Decision, Kind, Moment
from triggers.rules import decide, draw_gap

__all__ = ["Decision", "Kind", "Moment", "decide", "draw_gap"]
