"""Labelled rows: one JSON object a line with task, lang, text, label and kind."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError

from triggers.detection.detectors import Task

#: The kind of visual answers that could be understood as handing a photo over.
SHOWING = "showing"

FOLDER = Path(__file__).parent / "data"


class Row(BaseModel):
    """`kind` says what makes it easy or hard, `source` in which file it stands."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    task: Task
    lang: str = ""
    text: str = Field(min_length=1)
    label: StrictBool
    kind: str = ""
    source: str = ""


class WrongRow(SystemExit):
    """Ends the command with a sentence that names the file and the line."""


def read(path: Path) -> list[Row]:
    """The rows of a file. Raises WrongRow."""
    try:
        lines = path.read_text("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongRow(f"{path} cannot be read: {error}") from None
    return [_row(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def read_all(folder: Path = FOLDER) -> list[Row]:
    """Everything that is trained on; a text that stands there twice for one task counts once."""
    rows = [row for path in sorted(folder.glob("*.jsonl")) for row in read(path)]
    # Written last, so that a row with a label of its own counts and not what follows from another one.
    return list({(row.task, row.text): row for row in (*_promise_nothing(rows), *rows)}.values())


def of_task(rows: Sequence[Row], task: Task) -> list[Row]:
    """The rows of one task."""
    return [row for row in rows if row.task is task]


def _promise_nothing(rows: Sequence[Row]) -> list[Row]:
    """Answers that were written for `visual` and hand nothing over: in talk, most answers promise no photo."""
    return [
        row.model_copy(update={"task": Task.PROMISE, "label": False, "source": f"{row.source} (no promise)"})
        for row in rows
        if row.task is Task.VISUAL and row.kind != SHOWING
    ]


def _row(path: Path, number: int, line: str) -> Row:
    try:
        return Row.model_validate_json(line).model_copy(update={"source": path.stem})
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise WrongRow(f"{path}:{number}: not a labelled row: {where} {problem['msg']}") from None
