"""Rows that the heads learn from (`data/`), and the rows that `python -m triggers policy` judges."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from triggers.policy.concerns import Concern

FOLDER = Path(__file__).parent / "data"
Label = Literal["minor", "child", "intimate", "tender", "real_person", "violence"]
#: Which labels make a head say yes.
LABELS: dict[Concern, frozenset[str]] = {
    Concern.MINOR: frozenset({"minor"}),
    Concern.CHILD: frozenset({"minor", "child"}),
    Concern.INTIMATE: frozenset({"intimate"}),
    Concern.LOVE: frozenset({"intimate", "tender"}),
    Concern.REAL_PERSON: frozenset({"real_person"}),
    Concern.VIOLENCE: frozenset({"violence"}),
}
#: Both of which must be there.
BOTH = (Concern.MINOR, Concern.LOVE)


Expected = Literal["minors", "real_person", "explicit", "violence", "ok"]


class Row(BaseModel):
    """A text and what it is about. `writer` is its file, which stands on one side of a cross-validation."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    lang: str
    kind: str = ""
    text: str = Field(min_length=1)
    labels: tuple[Label, ...] = ()
    writer: str = ""

    def has(self, concern: Concern) -> bool:
        """Whether the concern's head should say yes."""
        if concern is Concern.BOTH:
            return all(self.has(each) for each in BOTH)
        return not LABELS[concern].isdisjoint(self.labels)


class Expectation(BaseModel):
    """A text, and what the policy should say of it when a photo is wanted."""

    model_config = ConfigDict(frozen=True)

    expected: Expected
    text: str = Field(min_length=1)
    lang: str
    kind: str = ""


class WrongRow(SystemExit):
    """Ends the command with a sentence that names the file and the line."""


def read_all(folder: Path = FOLDER) -> list[Row]:
    """Everything that is trained on. Raises WrongRow."""
    rows: list[Row] = []
    for path in sorted(folder.glob("*.jsonl")):
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            try:
                rows.append(Row.model_validate_json(line).model_copy(update={"writer": path.stem}))
            except ValidationError as error:
                raise WrongRow(f"{path}:{number}: not a labelled row: {error.errors()[0]['msg']}") from None
    return rows


def everyday(texts: Iterable[str]) -> list[Row]:
    """Harmless talk that was written for something else."""
    return [Row(lang="", text=text) for text in dict.fromkeys(texts)]


def read_expectations(path: Path) -> list[Expectation]:
    """Lines of `expected<TAB>text`, and `<TAB>lang<TAB>kind` where the file knows them. Raises WrongRow."""
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise WrongRow(f"{path} cannot be read: {error}") from None
    return [_expectation(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _expectation(path: Path, number: int, line: str) -> Expectation:
    parts: Sequence[str] = line.split("\t")
    fields = dict(zip(("expected", "text", "lang", "kind"), parts, strict=False))
    try:
        return Expectation.model_validate({"lang": language(fields.get("text", "")), **fields})
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise WrongRow(f"{path}:{number}: not a row of expected<TAB>text: {where} {problem['msg']}") from None


#: Letters and words by which a row without a language is put under one, in this order.
_LANGUAGES = (
    ("uk", re.compile(r"[іїєґ]|\b(?:та|що|будь|мені|тобі|ти|це)\b")),
    ("ru", re.compile(r"[а-яё]")),
    ("tr", re.compile(r"[ğış]|\b(?:bir|ve|bana|sen|ben|için)\b")),
    ("pl", re.compile(r"[łąęśżźć]|\b(?:się|jest|mi|na|zdjęcie)\b")),
    ("de", re.compile(r"[äß]|\b(?:ich|du|und|ein|eine|mir|bist|nicht|foto von)\b")),
    ("pt", re.compile(r"[ãõ]|\b(?:você|uma|não|foto da|minha)\b")),
    ("es", re.compile(r"[ñ¿¡]|\b(?:una|el|los|tienes|eres|como|quiero|mándame)\b")),
    ("fr", re.compile(r"[çœ]|\b(?:je|tu|une|les|est|avec|moi|pas)\b")),
    ("it", re.compile(r"\b(?:una|che|sono|sei|della|mia|mandami|gli)\b")),
)


def language(text: str) -> str:
    """A guess, for the table of scores only; "en" for what has no mark of another language."""
    lower = text.lower()
    return next((code for code, mark in _LANGUAGES if mark.search(lower)), "en")
