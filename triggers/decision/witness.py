"""The language model's own word on what it was asked and what it answered, weighed against the detectors'.

The model sees the whole dialogue and says in its scene line whether the person asked for a photo, whether the
answer promises one, whether it shows something. Small models say so at random. So its word moves a detector's
chance as far as it has been right where the detector was sure: Bayes' rule over odds.
"""

import math
from dataclasses import dataclass, field

#: Chances outside of which a detector is sure, and the model's word is marked by it.
NEVER, ALWAYS = 0.02, 0.98
#: What a model is trusted with before anything is known of it, and how many cases that counts as.
PRIOR, PRIOR_CASES = 0.9, 10
#: No model is trusted further.
BEST = 0.97
#: How far a detector's odds count beside a second witness: it is surer of itself than it is right. Of 0.5, 0.7
#: and 1 the best one for a model that is always right that costs little with one that is always
#: wrong (docs/understanding.md).
DETECTOR_SHARE = 0.7
#: How much more often it must say yes where it is so than elsewhere.
LEAST = 0.05
#: Cases that are remembered; a model may be exchanged.
REMEMBERED = 200


@dataclass(slots=True)
class _Record:
    right: float = PRIOR * PRIOR_CASES
    cases: float = PRIOR_CASES

    def note(self, right: bool) -> None:
        if self.cases >= REMEMBERED:
            self.right, self.cases = self.right / 2, self.cases / 2
        self.right, self.cases = self.right + right, self.cases + 1

    @property
    def share(self) -> float:
        return min(BEST, max(1 - BEST, self.right / self.cases))


@dataclass(slots=True)
class Witness:
    """How far one model is believed on one question. One per question and process."""

    _yes: _Record = field(default_factory=_Record)
    _no: _Record = field(default_factory=_Record)

    def weigh(self, said: bool | None, chance: float) -> bool:
        """Whether it is so: `said` is the model's word, None where it said nothing; `chance` a detector's."""
        if said is None:
            return chance > 0.5
        odds = DETECTOR_SHARE * _logit(chance)
        yes, no = self._yes.share, self._no.share
        # One that says yes no more often where it is so than elsewhere says nothing.
        if yes + no > 1 + LEAST:
            odds += math.log(yes / (1 - no)) if said else math.log((1 - yes) / no)
        if chance > ALWAYS:
            self._yes.note(said)
        elif chance < NEVER:
            self._no.note(not said)
        return odds > 0

    @property
    def trust(self) -> tuple[float, float]:
        """How often it was right where the answer was yes, and where it was no."""
        return self._yes.share, self._no.share


def _logit(chance: float) -> float:
    bounded = min(1 - 1e-6, max(1e-6, chance))
    return math.log(bounded / (1 - bounded))
