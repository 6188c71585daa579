"""Fits heads to labelled texts; needs scikit-learn, which the product itself does not."""

import warnings
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from scipy.sparse import csr_matrix, diags, hstack
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from triggers.model.embedding import SIZE, Embedder
from triggers.model.features import MAX_LENGTH, PLACES
from triggers.model.heads import Bend, FeatureReader, Features, Head


def read_texts(texts: Iterable[str]) -> dict[str, Features]:
    """Features of each text by the first `MAX_LENGTH` characters, read by as many processes as there are cores.

    The embedding is the late one.
    """
    bounded = list(dict.fromkeys(text[:MAX_LENGTH] for text in texts))
    with ProcessPoolExecutor(initializer=_open) as pool:
        return dict(zip(bounded, pool.map(_read, bounded, chunksize=64), strict=True))


_readers: list[FeatureReader] = []


def _open() -> None:
    _readers.append(FeatureReader(Embedder().late))


def _read(text: str) -> Features:
    return _readers[0](text)


#: Times that the bend sees all rows; with more it learns them by heart.
PASSES = 12


def fit(
    features: Sequence[Features], labels: np.ndarray, *, meaning_scale: float, freedom: float, units: int = 0
) -> Head:
    """A logistic regression over standardised meaning and spelling weighted by rarity, and a bend of so many units.

    `meaning_scale` is how much the embedding counts beside the spelling, `freedom` how freely weights may grow;
    whoever trains chooses both by cross-validation.
    """
    scale = meaning_scale / np.sqrt(SIZE)
    meaning = np.stack([each.meaning for each in features])
    middle, spread = meaning.mean(axis=0), meaning.std(axis=0) + 1e-9
    spelling = _matrix(features)
    rarity = _rarity(spelling)
    standard = (meaning - middle) / spread
    model = LogisticRegression(C=freedom, max_iter=3000)
    model.fit(hstack([csr_matrix(standard * scale), spelling @ diags(rarity)]).tocsr(), labels)
    weights = model.coef_[0]
    of_meaning = weights[: meaning.shape[1]] / spread * scale
    bias = float(model.intercept_[0] - middle @ of_meaning)
    of_spelling = (weights[meaning.shape[1] :] * rarity).astype(np.float32)
    bend = _fit_bend(standard, labels, units, middle, spread) if units else None
    return Head(of_meaning.astype(np.float32), of_spelling, bias, bend)


def _fit_bend(standard: np.ndarray, labels: np.ndarray, units: int, middle: np.ndarray, spread: np.ndarray) -> Bend:
    model = MLPClassifier((units,), alpha=0.3, max_iter=PASSES, batch_size=min(128, len(labels)), random_state=0)
    with warnings.catch_warnings():
        # It is stopped early on purpose.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(standard, labels)
    (inner, outer), (inner_bias, outer_bias) = model.coefs_, model.intercepts_
    scaled = inner / spread[:, None]
    return Bend(
        scaled.astype(np.float32),
        (inner_bias - middle @ scaled).astype(np.float32),
        outer[:, 0].astype(np.float32),
        float(outer_bias[0]),
    )


def _matrix(features: Sequence[Features]) -> csr_matrix:
    lengths = [len(each.spelling[0]) for each in features]
    places = np.concatenate([each.spelling[0] for each in features])
    weights = np.concatenate([each.spelling[1] for each in features])
    matrix = csr_matrix((weights, places, np.concatenate([[0], np.cumsum(lengths)])), shape=(len(features), PLACES))
    matrix.sum_duplicates()
    return matrix


def _rarity(spelling: csr_matrix) -> np.ndarray:
    """Squared inverse document frequency; what one row alone has says nothing about others."""
    seen = np.bincount(spelling.indices, minlength=PLACES)
    rarity = ((np.log((1 + spelling.shape[0]) / (1 + seen)) + 1) / 4) ** 2
    rarity[seen < 2] = 0
    return np.asarray(rarity)
