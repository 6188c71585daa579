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
class Bend:
    """One layer of rectified units over the embedding, for what no straight line parts."""

    inner: np.ndarray
    inner_bias: np.ndarray
    outer: np.ndarray
    bias: float

    def score(self, meaning: np.ndarray) -> float:
        """A logit."""
        return float(np.maximum(meaning @ self.inner + self.inner_bias, 0) @ self.outer) + self.bias


@dataclass(frozen=True, slots=True)
class Head:
    """A logistic regression: weights of the embedding's numbers and of the lexical places, and the bias.

    With a `bend` the mean of both logits counts.
    """

    meaning: np.ndarray
    spelling: np.ndarray
    bias: float
    bend: Bend | None = None

    def probability(self, features: Features) -> float:
        """From 0 to 1."""
        places, weights = features.spelling
        score = float(self.meaning @ features.meaning) + float(self.spelling[places] @ weights) + self.bias
        # Without the model's embedding the line alone decides.
        if self.bend is not None and features.meaning.any():
            score = (score + self.bend.score(features.meaning)) / 2
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, score))))


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
                _bend(stored, name),
            )
            for name in names
        }


def _bend(stored: Mapping[str, np.ndarray], name: str) -> Bend | None:
    if f"{name}.outer" not in stored:
        return None
    inner, inner_bias, outer = (
        stored[f"{name}.{part}"].astype(np.float32) for part in ("inner", "inner_bias", "outer")
    )
    return Bend(inner, inner_bias, outer, float(stored[f"{name}.outer_bias"]))


def save(path: Path, heads: Mapping[Any, Head]) -> None:
    """The lexical weights as float16: a quarter of a megabyte, and no different answers."""
    arrays: dict[str, np.ndarray] = {}
    for name, head in heads.items():
        arrays[f"{name}.meaning"] = head.meaning.astype(np.float32)
        arrays[f"{name}.spelling"] = head.spelling.astype(np.float16)
        arrays[f"{name}.bias"] = np.array(head.bias)
        if head.bend is not None:
            arrays[f"{name}.inner"] = head.bend.inner.astype(np.float16)
            arrays[f"{name}.inner_bias"] = head.bend.inner_bias.astype(np.float32)
            arrays[f"{name}.outer"] = head.bend.outer.astype(np.float32)
            arrays[f"{name}.outer_bias"] = np.array(head.bend.bias)
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
