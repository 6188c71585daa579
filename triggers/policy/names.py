"""Real people by name: public_figures.txt, in any script, case and order."""

import re
from functools import cache
from pathlib import Path

from triggers.text.deobfuscation import fold, readings, single_letters


def names_real_person(text: str) -> bool:
    """Whether one of public_figures.txt is named, in any script, case and order, or without its vowels."""
    ways = [way.replace("э", "е") for way in readings(text)]
    whole, skeletons = _figures()
    return any(whole.search(way) or skeletons.search(_skeleton(way)) for way in ways)


@cache
def _figures() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """One person a line, spellings separated by "|"; a star stands for an ending of up to three letters."""
    lines = (Path(__file__).parent / "public_figures.txt").read_text("utf-8").splitlines()
    names = [
        fold(name).replace("э", "е").split()
        for line in lines
        if line and not line.startswith("#")
        for name in line.split("|")
    ]
    orders = [*names, *(name[::-1] for name in names if len(name) == 2)]
    spelled = [" ".join(order) for order in orders]
    bones = [_skeleton(name) for name in spelled if " " in name and "*" not in name]
    return _named(spelled), _named([b for b in bones if len(b) >= _LONG_SKELETON])


#: Consonants of a name, the space among them, that are enough to know it by.
_LONG_SKELETON = 8


def _skeleton(text: str) -> str:
    return single_letters(re.sub("[aeiouyаеиоуыюяьъй]", "", text))


def _named(names: list[str]) -> re.Pattern[str]:
    return re.compile(
        r"\b(?:"
        + "|".join(re.escape(name).replace(r"\*", r"\w{0,3}").replace(r"\ ", r"\W+") for name in names)
        + r")\b"
    )
