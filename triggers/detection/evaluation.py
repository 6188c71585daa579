"""How good the detectors are: precision, recall and F1 by task and language, every mistake, and time per text."""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from triggers.detection.detectors import SURE, Detectors, Task, judge
from triggers.detection.rows import Row

#: Parts of a cross-validation: each is judged by heads that were trained on the others.
FOLDS = 10


@dataclass(frozen=True, slots=True)
class Judged:
    """A labelled row and what the detector said of it."""

    row: Row
    probability: float

    @property
    def said(self) -> bool:
        """Yes or no, at the limit that the product uses."""
        return self.probability > SURE

    @property
    def right(self) -> bool:
        """Whether the label says the same."""
        return self.said == self.row.label


@dataclass(frozen=True, slots=True)
class Score:
    """Of the rows of one task in one language; `lang` "all" for both together."""

    task: str
    lang: str
    rows: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class Report:
    """Scores by task and language, the mistakes, and milliseconds a text."""

    scores: list[Score]
    mistakes: list[Judged]
    #: Milliseconds for one text and one detector on one core: the median and the 95th percentile.
    p50: float
    p95: float

    def as_json(self, *, trained_on: int = 0) -> str:
        """`trained_on`: how many of the rows the heads have seen."""
        values: dict[str, Any] = {
            "trained_on": trained_on,
            "scores": [asdict(score) for score in self.scores],
            "mistakes": [
                judged.row.model_dump(mode="json") | {"probability": round(judged.probability, 4)}
                for judged in self.mistakes
            ],
            "milliseconds": {"p50": round(self.p50, 2), "p95": round(self.p95, 2)},
        }
        return json.dumps(values, ensure_ascii=False, indent=2)

    def as_text(self) -> str:
        """For a terminal."""
        lines = [
            table(self.scores),
            "",
            f"time per text: p50 {self.p50:.1f} ms, p95 {self.p95:.1f} ms",
            "",
            "mistakes:",
        ]
        lines += [
            f"  {judged.row.task:<8} {judged.row.lang} {'missed' if judged.row.label else 'false':<7}"
            f"{judged.probability:.2f} {judged.row.kind}: {judged.row.text}"
            for judged in self.mistakes
        ]
        return "\n".join(lines if self.mistakes else [*lines, "  none"])


def table(scores: Sequence[Score]) -> str:
    """The scores, a line each."""
    lines = [f"{'task':<9}{'lang':<6}{'rows':>6}{'precision':>11}{'recall':>8}{'F1':>7}"]
    lines += [
        f"{score.task:<9}{score.lang:<6}{score.rows:>6}{score.precision:>11.3f}{score.recall:>8.3f}{score.f1:>7.3f}"
        for score in scores
    ]
    return "\n".join(lines)


def evaluate(rows: Sequence[Row], detectors: Detectors) -> Report:
    """The detectors as they are, on any rows."""
    judged, seconds = [], []
    detectors.probability(Task.VISUAL, "warm up")
    for row in rows:
        begin = time.process_time()
        probability = detectors.probability(row.task, row.text)
        seconds.append(time.process_time() - begin)
        judged.append(Judged(row, probability))
    return report(judged, seconds)


def cross_validate(rows: Sequence[Row], detectors: Detectors) -> list[Judged]:
    """Every row judged by heads that never saw it; which row falls into which part is the same at each call."""
    from triggers.detection.training import features_of, train  # noqa: PLC0415 - scikit-learn is a development tool

    features = features_of(rows, detectors)
    fold_of = np.random.default_rng(0).permutation(len(rows)) % FOLDS
    judged: list[Judged | None] = [None] * len(rows)
    for fold in range(FOLDS):
        known = [index for index in range(len(rows)) if fold_of[index] != fold]
        heads = train([rows[index] for index in known], [features[index] for index in known])
        for index in np.flatnonzero(fold_of == fold).tolist():
            row = rows[index]
            judged[index] = Judged(row, judge(heads[row.task], row.task, row.text, features[index]))
    return [each for each in judged if each is not None]


def report(judged: Sequence[Judged], seconds: Sequence[float]) -> Report:
    """Scores and mistakes of judged rows; `seconds` are those of single texts."""
    milliseconds = np.array(seconds) * 1000 if len(seconds) else np.zeros(1)
    p50, p95 = np.percentile(milliseconds, [50, 95])
    return Report(list(_scores(judged)), [each for each in judged if not each.right], float(p50), float(p95))


def _scores(judged: Sequence[Judged]) -> Iterable[Score]:
    for task in Task:
        of_task = [each for each in judged if each.row.task is task]
        for lang in ("all", *sorted({each.row.lang for each in of_task})):
            chosen = [each for each in of_task if lang in {"all", each.row.lang}]
            if chosen:
                yield _score(task, lang, chosen)


def _score(task: Task, lang: str, judged: Sequence[Judged]) -> Score:
    hits = sum(each.said and each.row.label for each in judged)
    said = sum(each.said for each in judged)
    wanted = sum(each.row.label for each in judged)
    return Score(
        task,
        lang,
        len(judged),
        hits / said if said else 0.0,
        hits / wanted if wanted else 0.0,
        2 * hits / (said + wanted) if said + wanted else 0.0,
    )
