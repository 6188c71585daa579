"""How often automatic photos come: the person's own setting, and what unwelcome photos do to it."""

import random
from dataclasses import dataclass
from enum import StrEnum

#: Answers between two photos of the cadence, both ends included: the smallest and the largest gap.
Gap = tuple[int, int]

#: The customer's research, section 9: free people every 5th to 7th answer, premium every 3rd to 5th.
FREE_GAP: Gap = (5, 7)
PREMIUM_GAP: Gap = (3, 5)

#: So many automatic photos in a row without a welcome make the pace slower; twice as many, slower again.
UNWELCOME = 3
SLOWEST = 4.0


class Frequency(StrEnum):
    """What a person chose in /settings."""

    OFTEN = "often"
    NORMAL = "normal"
    RARELY = "rarely"
    ASKED = "asked"
    """Only when the person asks."""
    NEVER = "never"

    @property
    def automatic(self) -> bool:
        """Whether photos come by themselves at all."""
        return self not in {Frequency.ASKED, Frequency.NEVER}


@dataclass(frozen=True, slots=True)
class Pace:
    """Factors of the plan's own gap and cooldown."""

    gap: float
    cooldown: float

    def slower(self, factor: float) -> "Pace":
        """Gaps and cooldown `factor` times as long."""
        return Pace(self.gap * factor, self.cooldown * factor)


#: Ours, not the research's: a rare photo still follows a change of story, so its distance in time grows most.
PACES = {Frequency.OFTEN: Pace(0.6, 0.5), Frequency.NORMAL: Pace(1, 1), Frequency.RARELY: Pace(2.5, 10)}


def pace(frequency: Frequency, unwelcome: int) -> Pace:
    """The person's pace; `unwelcome` counts the last automatic photos in a row that nobody wanted."""
    return PACES.get(frequency, PACES[Frequency.NORMAL]).slower(min(SLOWEST, 2.0 ** (unwelcome // UNWELCOME)))


def draw_gap(rng: random.Random, gap: Gap) -> int:
    """Answers until the next photo of the cadence."""
    return rng.randint(*gap)
