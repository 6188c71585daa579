"""Real people by name: public_figures.txt, in any script, case and order, or without its vowels."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from triggers.text.deobfuscation import fold, readings, single_letters

#: Letters by which names are looked up, and what an ending may add to a star.
_KEY, _ENDING = 3, 3
#: Consonants of a whole name that are enough to know it by.
_LONG_SKELETON = 8
_WORD = re.compile(r"\w+")
_VOWELS = re.compile("[aeiouyаеиоуыюяьъйi]")

#: A name as its words; a word with a star may have an ending.
_Name = tuple[str, ...]
_Index = dict[str, list[_Name]]


def names_real_person(text: str, ways: Sequence[str] = ()) -> bool:
    """Whether one of public_figures.txt is named; `ways` instead of every reading of the text."""
    whole, skeletons = _figures()
    for way in ways or readings(text):
        words = _WORD.findall(_alike(way))
        if _named(words, whole) or _named([_skeleton(word) for word in words], skeletons):
            return True
    return False


def _named(words: Sequence[str], index: _Index) -> bool:
    return any(
        all(_is(word, wanted) for word, wanted in zip(words[start : start + len(name)], name, strict=True))
        for start, first in enumerate(words)
        for name in index.get(first[:_KEY], ())
        if start + len(name) <= len(words)
    )


def _is(word: str, wanted: str) -> bool:
    if not wanted.endswith("*"):
        return word == wanted
    return word.startswith(wanted[:-1]) and len(word) - len(wanted) < _ENDING


@cache
def _figures() -> tuple[_Index, _Index]:
    """One person a line, spellings separated by "|"; a star stands for an ending of up to three letters."""
    lines = (Path(__file__).parent / "public_figures.txt").read_text("utf-8").splitlines()
    spelled = [
        tuple(re.findall(r"\w+\*?", _alike(fold(name))))
        for line in lines
        if line and not line.startswith("#")
        for name in line.split("|")
    ]
    names = {order for name in spelled for order in (name, name[::-1] if len(name) == 2 else name)}
    bones = {
        tuple(map(_skeleton, name)) for name in names if len(name) > 1 and not any("*" in word for word in name)
    }
    return _indexed(names), _indexed(bone for bone in bones if len("".join(bone)) >= _LONG_SKELETON and all(bone))


def _indexed(names: Iterable[_Name]) -> _Index:
    index: _Index = defaultdict(list)
    for name in names:
        if not name:
            continue
        first = name[0].rstrip("*")
        index[first[:_KEY]].append(name)
    return dict(index)


def _alike(text: str) -> str:
    return text.replace("э", "е")


def _skeleton(word: str) -> str:
    return single_letters(_VOWELS.sub("", word))
