"""Fits heads to labelled texts; needs scikit-learn, which the product itself does not."""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix, diags, hstack
from sklearn.linear_model import LogisticRegression

from triggers.model.features import PLACES
from triggers.model.heads import Features, Head

#: How much the embedding counts beside the spelling, and how freely weights may grow; chosen by cross-validation.
MEANING_SCALE = 0.7 / np.sqrt(384)
FREEDOM = 300.0


def fit(features: Sequence[Features], labels: np.ndarray) -> Head:
    """A logistic regression over standardised meaning and spelling weighted by rarity."""
    meaning = np.stack([each.meaning for each in features])
    middle, spread = meaning.mean(axis=0), meaning.std(axis=0) + 1e-9
    spelling = _matrix(features)
    rarity = _rarity(spelling)
    scaled = csr_matrix((meaning - middle) / spread * MEANING_SCALE)
    model = LogisticRegression(C=FREEDOM, max_iter=3000)
    model.fit(hstack([scaled, spelling @ diags(rarity)]).tocsr(), labels)
    weights = model.coef_[0]
    of_meaning = weights[: meaning.shape[1]] / spread * MEANING_SCALE
    bias = float(model.intercept_[0] - middle @ of_meaning)
    return Head(of_meaning.astype(np.float32), (weights[meaning.shape[1] :] * rarity).astype(np.float32), bias)


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
