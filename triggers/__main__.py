"""`python -m triggers`: eval and policy (FILE or --cross-validate, --json), train."""

import argparse
import sys
from collections import defaultdict
from pathlib import Path

from triggers.detection import evaluation, rows
from triggers.detection.detectors import WEIGHTS, Detectors, Task
from triggers.model import heads
from triggers.model.embedding import Embedder
from triggers.model.features import MAX_LENGTH
from triggers.model.heads import FeatureReader
from triggers.policy import concerns
from triggers.policy import evaluation as policy_evaluation
from triggers.policy import rows as policy_rows
from triggers.policy.concerns import ConcernReader
from triggers.policy.policy import Policy

#: The customer's rows.
GIVEN = "given"


def main(arguments: list[str]) -> int:
    """Run the command that `arguments` name; the exit status."""
    options = _parser().parse_args(arguments)
    if options.command == "train":
        return _train(options.folder) if options.what == "detectors" else _train_policy()
    if options.command == "policy":
        return _policy(options.file, cross_validate=options.cross_validate, as_json=options.json)
    if options.cross_validate:
        return _cross_validate(options.folder, as_json=options.json)
    if options.file is None:
        print("name a file of labelled rows, or use --cross-validate", file=sys.stderr)
        return 2
    return _evaluate(options.file, as_json=options.json)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m triggers", description="The detectors of photo moments.")
    commands = parser.add_subparsers(dest="command", required=True)
    evaluating = commands.add_parser("eval", help="precision, recall, F1, mistakes and time on labelled rows")
    evaluating.add_argument("file", type=Path, nargs="?", help="JSON lines with task, lang, text, label, kind")
    evaluating.add_argument("--json", action="store_true", help="the report as JSON")
    evaluating.add_argument("--cross-validate", action="store_true", help="on the rows that are trained on")
    judging = commands.add_parser("policy", help="misses and false refusals of the policy on labelled rows")
    judging.add_argument(
        "file", type=Path, nargs="?", help="lines of expected<TAB>text: minors, real_person, explicit, ok"
    )
    judging.add_argument("--json", action="store_true", help="the report as JSON")
    judging.add_argument(
        "--cross-validate", action="store_true", help="on its own rows, one writer left out at a time"
    )
    training = commands.add_parser("train", help=f"make {WEIGHTS.name} anew from the rows")
    training.add_argument("what", choices=["detectors", "policy"], help="whose heads")
    for command in (evaluating, training):
        command.add_argument("--folder", type=Path, default=rows.FOLDER, help="rows to train on")
    return parser


def _evaluate(file: Path, *, as_json: bool) -> int:
    judged = rows.read(file)
    if not judged:
        print(f"{file} has no rows", file=sys.stderr)
        return 1
    report = evaluation.evaluate(judged, Detectors())
    known = {(row.task, row.text) for row in rows.read_all()}
    seen = sum((row.task, row.text) in known for row in judged)
    if as_json:
        print(report.as_json(trained_on=seen))
        return 0
    print(report.as_text())
    if seen:
        print(f"\n{seen} of these {len(judged)} rows were trained on: --cross-validate judges them fairly")
    return 0


def _cross_validate(folder: Path, *, as_json: bool) -> int:
    every, detectors = rows.read_all(folder), Detectors()
    judged = evaluation.cross_validate(every, detectors)
    # Time is measured on the detectors as they are.
    timed = evaluation.evaluate(every[:: max(1, len(every) // 500)], detectors)
    report = evaluation.report(judged, [])
    timed_ms = (timed.p50, timed.p95)
    report = evaluation.Report(report.scores, report.mistakes, *timed_ms)
    if as_json:
        print(report.as_json())
        return 0
    by_source: dict[str, list[evaluation.Judged]] = defaultdict(list)
    for each in judged:
        by_source[each.row.source].append(each)
    for source, of_source in by_source.items():
        if any(each.row.label for each in of_source):
            print(f"{source}\n{evaluation.table(evaluation.report(of_source, []).scores)}\n")
    short = evaluation.Report(
        report.scores, [each for each in report.mistakes if each.row.source == GIVEN], *timed_ms
    )
    print(f"all {len(every)} rows, each judged by heads that were trained without it\n{short.as_text()}")
    print(f"\n{len(report.mistakes)} mistakes in all, those of {GIVEN}.jsonl above; --json has every one")
    return 0


def _train(folder: Path) -> int:
    from triggers.detection.training import features_of, train  # noqa: PLC0415 - scikit-learn is a development tool

    every = rows.read_all(folder)
    detectors = Detectors({})
    heads.save(WEIGHTS, train(every, features_of(every, detectors)))
    for task in Task:
        print(f"{task}: {len(rows.of_task(every, task))} rows")
    print(f"{WEIGHTS} written, {WEIGHTS.stat().st_size / 1024:.0f} KiB")
    return 0


def _policy(file: Path | None, *, cross_validate: bool, as_json: bool) -> int:
    if cross_validate:
        report = policy_evaluation.cross_validate(policy_rows.read_all(), _everyday())
    elif file is None:
        print("name a file of expected<TAB>text, or use --cross-validate", file=sys.stderr)
        return 2
    else:
        expected = policy_rows.read_expectations(file)
        policy = Policy(ConcernReader(FeatureReader(Embedder().late)))
        report = policy_evaluation.evaluate(expected, policy)
    print(report.as_json() if as_json else report.as_text())
    return 0


def _everyday() -> list[policy_rows.Row]:
    """Texts of the detectors, wishes for photos and answers, all harmless; every eighth is left for the tests."""
    texts = sorted({row.text for row in rows.read_all()})
    return policy_rows.everyday(text for number, text in enumerate(texts) if number % 8 != 1)


def _train_policy() -> int:
    # scikit-learn is a development tool.
    from triggers.model.fitting import read_texts  # noqa: PLC0415
    from triggers.policy import training  # noqa: PLC0415

    every, everyday = policy_rows.read_all(), _everyday()
    known = read_texts(row.text for row in (*every, *training.joined(every), *everyday))
    heads.save(concerns.WEIGHTS, training.train(every, lambda text: known[text[:MAX_LENGTH]], everyday))
    print(f"{len(every)} rows; {concerns.WEIGHTS} written, {concerns.WEIGHTS.stat().st_size / 1024:.0f} KiB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
