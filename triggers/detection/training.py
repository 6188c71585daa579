"""Trains the detectors' heads; needs scikit-learn, which the product itself does not."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from triggers.detection.detectors import Detectors, Task
from triggers.detection.rows import Row
from triggers.model.fitting import fit
from triggers.model.heads import Features, Head

#: How much meaning counts beside spelling, and how freely weights may grow; by cross-validation.
MEANING, FREEDOM = 0.7, 300.0


#: Added to a head's logit, so that SURE stands where 0.3 did: three of four rows promise nothing, in talk as it is.
#: By the exam of docs/understanding.md and the six dialogues.
EAGERNESS = {Task.PROMISE: 0.85}


def train(rows: Sequence[Row], features: Sequence[Features]) -> dict[Task, Head]:
    """One head for each task from its rows; `features` belong to `rows` one by one."""
    heads: dict[Task, Head] = {}
    for task in Task:
        chosen = [index for index, row in enumerate(rows) if row.task is task]
        labels = np.array([rows[index].label for index in chosen])
        chosen_features = [features[index] for index in chosen]
        heads[task] = fit(chosen_features, labels, meaning_scale=MEANING, freedom=FREEDOM)
        heads[task] = replace(heads[task], bias=heads[task].bias + EAGERNESS.get(task, 0))
    return heads


def features_of(rows: Sequence[Row], detectors: Detectors) -> list[Features]:
    """Features of each row, in order; a text that comes twice is read once."""
    known: dict[str, Features] = {}
    for row in rows:
        if row.text not in known:
            known[row.text] = detectors.features(row.text)
    return [known[row.text] for row in rows]
