"""Trains the policy's heads; needs scikit-learn, which the product itself does not.

People say two things in one message, and no row does: rows of one writer and language are joined, here in memory
and nowhere else, so that a head knows its concern beside any other one.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from triggers.model.fitting import fit
from triggers.model.heads import Features, Head
from triggers.policy.concerns import Concern
from triggers.policy.rows import Row

#: How much meaning counts beside spelling, how freely weights may grow, units of the bend; by cross-validation.
MEANING, FREEDOM, UNITS = 2.0, 10.0, 64
_MARKS = (", ", " ", ". ", " - ", "\n", "\n")
#: Of these, no lone row of the other kind is a counter-example: "under age" must not mean "not tender".
_APART = {
    Concern.MINOR: Concern.LOVE,
    Concern.CHILD: Concern.LOVE,
    Concern.INTIMATE: Concern.CHILD,
    Concern.LOVE: Concern.CHILD,
}


def train(
    rows: Sequence[Row], features: Callable[[str], Features], everyday: Sequence[Row] = ()
) -> dict[Concern, Head]:
    """One head for each concern, from the rows and from `joined` ones; `everyday` ones are nobody's concern."""
    every = [*rows, *joined(rows), *everyday]
    read = [features(row.text) for row in every]
    heads: dict[Concern, Head] = {}
    for concern in Concern:
        used = [
            index
            for index, row in enumerate(every)
            if row.has(concern) or index >= len(rows) or not (concern in _APART and row.has(_APART[concern]))
        ]
        labels = np.array([every[index].has(concern) for index in used])
        chosen = [read[index] for index in used]
        heads[concern] = fit(chosen, labels, meaning_scale=MEANING, freedom=FREEDOM, units=UNITS)
    return heads


def joined(rows: Sequence[Row]) -> Iterator[Row]:
    """Each row with another one, and each that is not tender with one that is; the same ones at each call."""
    peers: dict[tuple[str, str], list[Row]] = defaultdict(list)
    tender: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        peers[row.writer, row.lang].append(row)
        if row.has(Concern.LOVE):
            tender[row.writer, row.lang].append(row)
    for row in rows:
        chance = random.Random(row.text)
        yield _join(row, chance.choice(peers[row.writer, row.lang]), chance)
        others = tender[row.writer, row.lang]
        if others and not row.has(Concern.LOVE) and chance.random() < (1 if row.labels else 0.7):
            yield _join(row, chance.choice(others), chance)


def _join(one: Row, other: Row, chance: random.Random) -> Row:
    first, second = (one, other) if chance.random() < 0.5 else (other, one)
    text = f"{first.text.rstrip('.!? ')}{chance.choice(_MARKS)}{second.text}"
    return one.model_copy(update={"text": text, "labels": (*one.labels, *other.labels)})
