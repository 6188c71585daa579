"""How often the policy misses and how often it refuses for nothing, by language and kind, and the time it takes."""

import json
import random
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from triggers.model.embedding import Embedder
from triggers.model.features import MAX_LENGTH
from triggers.model.heads import FeatureReader, Features
from triggers.policy.concerns import Concern, ConcernReader
from triggers.policy.policy import Policy
from triggers.policy.rows import Expectation, Expected, Row

OK = "ok"
_EXPECTED: dict[str, Expected] = {
    "minor": "minors", "real_person": "real_person", "violence": "violence", "intimate": "explicit"
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Judged:
    """A row and what the policy said."""

    row: Expectation
    said: str

    @property
    def wrong(self) -> bool:
        """For minors any other refusal is a miss as well: the words would be the wrong ones."""
        return self.said != self.row.expected


@dataclass(frozen=True, slots=True)
class Score:
    """Rows that expect the same; "all" for every language or kind."""

    expected: str
    lang: str
    kind: str
    rows: int
    wrong: int


@dataclass(frozen=True, slots=True)
class Report:
    """Scores, mistakes, and milliseconds of CPU time a text."""

    scores: list[Score]
    mistakes: list[Judged]
    p50: float
    p95: float

    def as_json(self) -> str:
        """The form that `python -m triggers policy FILE --json` promises."""
        values = {
            "scores": [asdict(score) for score in self.scores],
            "mistakes": [each.row.model_dump() | {"said": each.said} for each in self.mistakes],
            "milliseconds": {"p50": round(self.p50, 2), "p95": round(self.p95, 2)},
        }
        return json.dumps(values, ensure_ascii=False, indent=2)

    def as_text(self) -> str:
        """For a terminal."""
        lines = [f"{'expected':<12}{'lang':<9}{'kind':<18}{'rows':>6}{'wrong':>7}{'share':>8}"]
        lines += [
            f"{score.expected:<12}{score.lang:<9}{score.kind:<18}{score.rows:>6}{score.wrong:>7}"
            f"{score.wrong / score.rows:>8.1%}"
            for score in self.scores
        ]
        lines += ["", f"CPU time per text: p50 {self.p50:.1f} ms, p95 {self.p95:.1f} ms", "", "mistakes:"]
        lines += [
            f"  {each.row.expected} -> {each.said} ({each.row.lang}) {each.row.text}" for each in self.mistakes
        ]
        return "\n".join(lines if self.mistakes else [*lines, "  none"])


def evaluate(rows: Sequence[Expectation], policy: Policy) -> Report:
    """Every row as a wish for a photo, which is how a message goes through the policy."""
    policy.check("warm up", for_photo=True)
    judged, seconds = [], []
    for row in rows:
        begin = time.process_time()
        said = policy.check(row.text, for_photo=True)
        seconds.append(time.process_time() - begin)
        judged.append(Judged(row, said or OK))
    return _report(judged, seconds)


def _report(judged: Sequence[Judged], seconds: Sequence[float]) -> Report:
    p50, p95 = np.percentile(np.array(seconds or [0.0]) * 1000, [50, 95])
    return Report(list(_scores(judged)), [each for each in judged if each.wrong], float(p50), float(p95))


def _scores(judged: Sequence[Judged]) -> Iterable[Score]:
    groups: dict[tuple[str, str, str], list[Judged]] = defaultdict(list)
    for each in judged:
        row = each.row
        for lang in {"all", row.lang}:
            for kind in {"all", row.kind or "all"}:
                groups[row.expected, lang, kind].append(each)
    for (expected, lang, kind), chosen in sorted(groups.items(), key=_all_first):
        yield Score(expected, lang, kind, len(chosen), sum(each.wrong for each in chosen))


def _all_first(item: tuple[tuple[str, str, str], list[Judged]]) -> tuple[object, ...]:
    expected, lang, kind = item[0]
    return expected, kind != "all", lang != "all", lang, kind


# -- cross-validation ----------------------------------------------------------------------------------


def cross_validate(rows: Sequence[Row], everyday: Sequence[Row]) -> Report:
    """Each writer's rows judged by heads that learnt from the others alone.

    What is to be refused for minors is a child's row and a tender or intimate one of the same writer and language,
    joined here and nowhere else; alone, a minor's row is a wish for a photo of a minor.
    """
    # scikit-learn is a development tool.
    from triggers.model.fitting import read_texts  # noqa: PLC0415
    from triggers.policy.training import joined, train  # noqa: PLC0415

    writers = sorted({row.writer for row in rows})
    of_writer = {writer: list(expectations([row for row in rows if row.writer == writer])) for writer in writers}
    texts = [row.text for row in (*rows, *joined(rows), *everyday)] + [
        row.text for each in of_writer.values() for row in each
    ]
    known = read_texts(texts)
    reader = FeatureReader(Embedder().late)

    def features(text: str) -> Features:
        # The policy also reads what is left of a text without its ages.
        piece = text[:MAX_LENGTH]
        if piece not in known:
            known[piece] = reader(piece)
        return known[piece]

    judged: list[Judged] = []
    for writer in writers:
        heads = train([row for row in rows if row.writer != writer], features, everyday)
        policy = Policy(ConcernReader(features, heads))
        judged += [Judged(row, policy.check(row.text, for_photo=True) or OK) for row in of_writer[writer]]
    return _report(judged, [0.0])


def expectations(rows: Sequence[Row]) -> Iterable[Expectation]:
    """What the policy should say of rows of one writer, when a photo is wanted."""
    tender: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.has(Concern.LOVE):
            tender[row.lang].append(row)
    for row in rows:
        label = row.labels[0] if row.labels else "everyday"
        expected = _EXPECTED.get(label, OK)
        kind = "alone" if label == "minor" else label
        yield Expectation(expected=expected, text=row.text, lang=row.lang, kind=kind)
        if label == "minor" and tender[row.lang]:
            other = random.Random(row.text[::-1]).choice(tender[row.lang])
            text = f"{row.text}\n{other.text}"
            yield Expectation(expected=expected, text=text, lang=row.lang, kind=f"and {other.labels[0]}")
