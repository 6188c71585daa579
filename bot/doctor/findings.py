"""What the doctor found: a line for each thing that was looked at."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is; only `WRONG` keeps the product from working."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing: what it is, how it is, and what to do where something is to be done."""

    about: str
    level: Level
    words: str
    remedy: str = ""

    def as_text(self) -> str:
        """For a terminal."""
        line = f"{self.level:<6}{self.about:<12}{self.words}"
        return f"{line}\n{'':<18}-> {self.remedy}" if self.remedy else line


Findings = AsyncIterator[Finding]


def ok(about: str, words: str) -> Finding:
    """All is well."""
    return Finding(about, Level.OK, words)


def note(about: str, words: str, remedy: str = "") -> Finding:
    """It works, and somebody should know."""
    return Finding(about, Level.NOTE, words, remedy)


def wrong(about: str, words: str, remedy: str = "") -> Finding:
    """It does not work."""
    return Finding(about, Level.WRONG, words, remedy)
