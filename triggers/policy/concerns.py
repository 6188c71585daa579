"""What a text is about, as far as the policy cares: trained heads over meaning and spelling, one for each concern.

The rows they are trained on (`data/`) never put two concerns together: a child and tenderness meet in `policy.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from triggers.model import heads
from triggers.model.features import windows
from triggers.model.heads import Features, Head

#: Pieces of a long text that are read: its beginning, and its end; all twelve layers of each take 50 ms and more.
MOST_PIECES = 3
WEIGHTS = Path(__file__).parent / "weights.npz"


class Concern(StrEnum):
    """What a head knows."""

    MINOR = "minor"
    """Somebody of the talk, or whoever is to be played or pictured, is or looks under 18."""
    CHILD = "child"
    """A child is spoken of at all, those of everyday talk included."""
    INTIMATE = "intimate"
    """Nakedness, undressing, erotic wishes."""
    LOVE = "love"
    """That, or tenderness: kisses, dates, beds, swimwear."""
    REAL_PERSON = "real_person"
    """A picture or the looks of a real named person are wanted."""
    VIOLENCE = "violence"
    """Wounds, suicide or torture are to be pictured."""
    BOTH = "both"
    """`MINOR` and `LOVE` in one text; learnt from rows that are joined in memory (`triggers.policy.training`)."""


@dataclass(frozen=True, slots=True)
class Concerns:
    """How likely each concern is, from 0 to 1; of a long text, in the piece that says it most clearly."""

    minor: float = 0.0
    child: float = 0.0
    intimate: float = 0.0
    love: float = 0.0
    real_person: float = 0.0
    violence: float = 0.0
    both: float = 0.0


class ConcernReader:
    """Asks every head about a text."""

    def __init__(self, features: Callable[[str], Features], trained: dict[Concern, Head] | None = None) -> None:
        self._features = features
        self._heads = load_heads() if trained is None else trained

    def __call__(self, text: str) -> Concerns:
        """CPU work of some milliseconds."""
        whole = windows(text)
        read = whole if len(whole) <= MOST_PIECES else [whole[0], *whole[1 - MOST_PIECES :]]
        pieces = [self._features(piece) for piece in read]
        said = {
            concern: max(head.probability(features) for features in pieces) for concern, head in self._heads.items()
        }
        return Concerns(**{concern.value: probability for concern, probability in said.items()})


def load_heads(path: Path = WEIGHTS) -> dict[Concern, Head]:
    """The trained heads."""
    stored = heads.load(path, Concern)
    return {concern: stored[concern] for concern in Concern}
