"""Three questions to one text: does it show something, does it ask for a photo, does it promise one.

Each answer is a probability from a linear head over `triggers.model.features` and
`triggers.model.embedding`. The heads are in weights.npz, which `python -m triggers train` makes from `data/`.
CPU work of some milliseconds: call it in a thread, one text at a time.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from triggers.detection.patterns import promises_plainly, wishes_for_none
from triggers.model.embedding import SIZE, Embedder
from triggers.model.features import MAX_LENGTH, Sparse, lexical, windows

WEIGHTS = Path(__file__).parent / "weights.npz"
#: Unsure means no photo.
SURE = 0.5


class Task(StrEnum):
    """What is asked of a text."""

    VISUAL = "visual"
    """The persona's answer shows something that a photo taken right now would show."""
    REQUEST = "request"
    """The person asks for a picture of the persona or of what is around her."""
    PROMISE = "promise"
    """The persona says that she is sending one."""


@dataclass(frozen=True, slots=True)
class Features:
    """One text as numbers, shared by all heads."""

    meaning: np.ndarray
    spelling: Sparse


@dataclass(frozen=True, slots=True)
class Head:
    """A logistic regression: weights of the embedding's numbers and of the lexical places, and the bias."""

    meaning: np.ndarray
    spelling: np.ndarray
    bias: float

    def probability(self, features: Features) -> float:
        """From 0 to 1."""
        places, weights = features.spelling
        score = float(self.meaning @ features.meaning) + float(self.spelling[places] @ weights) + self.bias
        return 1 / (1 + math.exp(-score))


class Detectors:
    """The trained heads and the embedding model; about 200 MB of memory, for the life of the process.

    Native code that reads what strangers write: a process of one's own is the place for it.
    """

    def __init__(
        self, heads: dict[Task, Head] | None = None, embedder: Callable[[str], np.ndarray] | None = None
    ) -> None:
        """`embedder`: `no_meaning` judges by letters, lemmas and grammar alone."""
        self._heads = load_heads() if heads is None else heads
        self._embedder = embedder or Embedder()

    def features(self, text: str) -> Features:
        """What the heads read of a text; `MAX_LENGTH` characters at most."""
        return Features(self._embedder(text[:MAX_LENGTH]), lexical(text))

    def probability(self, task: Task, text: str) -> float:
        """Of a long text, the piece that says it most clearly."""
        return max(judge(self._heads[task], task, piece, self.features(piece)) for piece in windows(text))

    def is_request(self, text: str) -> bool:
        """Whether a person's text asks for a photo."""
        return self.probability(Task.REQUEST, text) > SURE

    def reads(self, text: str) -> tuple[bool, bool]:
        """Of a persona's answer: whether it shows something, and whether it promises a photo."""
        pieces = [(piece, self.features(piece)) for piece in windows(text)]
        visual, promise = (
            max(judge(self._heads[task], task, piece, features) for piece, features in pieces)
            for task in (Task.VISUAL, Task.PROMISE)
        )
        return visual > SURE, promise > SURE


def no_meaning(_text: str) -> np.ndarray:
    """The embedding of nothing, for `Detectors` that must do without the model."""
    return np.zeros(SIZE, np.float32)


def judge(head: Head, task: Task, text: str, features: Features) -> float:
    """The head's probability, unless the text leaves nothing to guess."""
    if task is Task.PROMISE and promises_plainly(text):
        return 1.0
    if task is Task.REQUEST and wishes_for_none(text):
        return 0.0
    return head.probability(features)


def load_heads(path: Path = WEIGHTS) -> dict[Task, Head]:
    """The trained heads of a file that `save_heads` wrote."""
    with np.load(path) as stored:
        return {
            task: Head(
                stored[f"{task}.meaning"].astype(np.float32),
                stored[f"{task}.spelling"].astype(np.float32),
                float(stored[f"{task}.bias"]),
            )
            for task in Task
        }


def save_heads(heads: dict[Task, Head], path: Path = WEIGHTS) -> None:
    """The lexical weights as float16: a quarter of a megabyte, and no different answers."""
    arrays: dict[str, np.ndarray] = {}
    for task, head in heads.items():
        arrays[f"{task}.meaning"] = head.meaning.astype(np.float32)
        arrays[f"{task}.spelling"] = head.spelling.astype(np.float16)
        arrays[f"{task}.bias"] = np.array(head.bias)
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
