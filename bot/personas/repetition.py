"""Answers that say again what was said before, and answers that go round in circles. Pure."""

import re
from collections import Counter
from collections.abc import Sequence

#: Words from which an answer can be a repetition: "Yes, of course!" is said often.
LEAST_WORDS = 5
#: Share of three-letter pieces from which two answers are nearly equal.
NEARLY_EQUAL = 0.85
#: How often the same must be said in a row to be a loop, and in how many characters at most.
TURNS, LONGEST_TURN = 4, 160
#: Characters of it from which nobody waits for the end.
LOOP = 800
_WORD = re.compile(r"\w+")


def is_repeated(words: str, before: Sequence[str]) -> str:
    """Which of the answers before it this one nearly equals; empty when none."""
    if len(_WORD.findall(words)) < LEAST_WORDS:
        return ""
    return next((each for each in reversed(before) if _likeness(words, each) >= NEARLY_EQUAL), "")


def _likeness(first: str, second: str) -> float:
    """Dice's coefficient of the pieces of three letters, from 0 to 1."""
    pieces = [_pieces(each) for each in (first, second)]
    both = (pieces[0] & pieces[1]).total()
    return 2 * both / max(1, pieces[0].total() + pieces[1].total())


def _pieces(text: str) -> Counter[str]:
    letters = " ".join(_WORD.findall(text.lower()))
    return Counter(letters[at : at + 3] for at in range(len(letters) - 2))


def goes_round(text: str) -> bool:
    """Whether a text that is still growing repeats the same words over and over and will not stop by itself."""
    tail = text[-LOOP - LONGEST_TURN :]
    return len(tail) > LOOP and any(
        tail[-LOOP:] == tail[-LOOP - length : -length] for length in range(2, LONGEST_TURN + 1)
    )


def without_loop(text: str) -> str:
    """A text that ends in the same words over and over, with those words once."""
    for length in range(2, min(LONGEST_TURN, len(text) // TURNS) + 1):
        turn = text[-length:]
        if len(set(turn)) > 1 and text.endswith(turn * TURNS):
            while text.endswith(turn * 2):
                text = text[:-length]
            return text
    return text
