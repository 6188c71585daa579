"""Trained heads: logistic regressions over what a text means and how it is spelled, and their files."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from triggers.model.embedding import SIZE
from triggers.model.features import MAX_LENGTH, Sparse, lexical

Embed = Callable[[str], np.ndarray]


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


class FeatureReader:
    """Reads texts for all heads: each of the last texts once. Native code: a process of one's own is its place."""

    #: Texts that are remembered: a message, its pieces, and the answer to it.
    KEPT = 32

    def __init__(self, embed: Embed) -> None:
        self._embed = embed
        self._known: dict[str, Features] = {}

    def __call__(self, text: str) -> Features:
        """`MAX_LENGTH` characters at most."""
        text = text[:MAX_LENGTH]
        known = self._known.get(text)
        if known is None:
            known = self._known[text] = Features(self._embed(text), lexical(text))
            while len(self._known) > self.KEPT:
                del self._known[next(iter(self._known))]
        return known


def no_meaning(_text: str) -> np.ndarray:
    """The embedding of nothing, for whoever must do without the model."""
    return np.zeros(SIZE, np.float32)


def load(path: Path, names: Iterable[str]) -> dict[str, Head]:
    """The heads of a file that `save` wrote."""
    with np.load(path) as stored:
        return {
            name: Head(
                stored[f"{name}.meaning"].astype(np.float32),
                stored[f"{name}.spelling"].astype(np.float32),
                float(stored[f"{name}.bias"]),
            )
            for name in names
        }


def save(path: Path, heads: Mapping[Any, Head]) -> None:
    """The lexical weights as float16: a quarter of a megabyte, and no different answers."""
    arrays: dict[str, np.ndarray] = {}
    for name, head in heads.items():
        arrays[f"{name}.meaning"] = head.meaning.astype(np.float32)
        arrays[f"{name}.spelling"] = head.spelling.astype(np.float16)
        arrays[f"{name}.bias"] = np.array(head.bias)
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
