"""The cross-validation that docs/policy.md takes its rates from."""

from itertools import islice

from triggers.policy import rows
from triggers.policy.evaluation import cross_validate
from triggers.policy.rows import Row

OF_EACH = 6


def some_of(writer: str) -> list[Row]:
    """A few Russian rows of every label; those about minors begin with ages, which are also read without them."""
    every = sorted((row for row in rows.read_all() if (row.writer, row.lang) == (writer, "ru")), key=_age_first)
    return [
        row
        for label in ("minor", "child", "intimate", "tender", "real_person", "violence", None)
        for row in islice((row for row in every if (row.labels[0] if row.labels else None) == label), OF_EACH)
    ]


def _age_first(row: Row) -> bool:
    return not any(letter.isdigit() for letter in row.text)


def test_each_writer_is_judged_by_heads_that_learnt_from_the_others() -> None:
    chosen = [*some_of("writer01"), *some_of("writer04")]
    report = cross_validate(chosen, rows.everyday(["добрый вечер", "как дела", "хочу на море", "привет"]))
    judged = sum(score.rows for score in report.scores if (score.lang, score.kind) == ("all", "all"))
    with_another = sum(score.rows for score in report.scores if score.lang == "all" and score.kind[:4] == "and ")
    assert with_another == 2 * OF_EACH
    assert judged == len(chosen) + with_another
