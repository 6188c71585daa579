"""What a text says that can be seen, in English for the image model: outfit, place, light, action, mood.

Works without a language model, by lexicon.toml: the lemmas of Russian words (pymorphy3) and the words of English.
It also says whether a text speaks of clothes, place or light at all: only then may a lasting scene change.
"""

import re
import tomllib
from collections.abc import Sequence, Set
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from triggers.text.deobfuscation import fold
from triggers.text.morphology import morphology

#: Of the lexicon's colours those that exclude each other; the others say what a thing is made of.
HUES = frozenset(
    ("black", "white", "grey", "red", "burgundy", "pink", "orange", "yellow", "mustard", "green", "emerald",
     "turquoise", "blue", "purple", "brown", "beige", "golden", "silver", "striped", "checked", "polka-dot",
     "floral")
)  # fmt: skip
#: Things that are named in one action; more would crowd the picture.
MOST_THINGS = 3

_SENTENCE = re.compile(r"[^.!?…\n]+[.!?…\n]*")
_WORD = re.compile(r"[a-zа-я]+(?:['-][a-zа-я]+)*")
#: A sentence about the person, about another time or about nothing real shows nothing of her here and now.
_ELSEWHERE = re.compile(
    r"\b(?:ты|тебе|тебя|твой|твоя|твое|твои|у тебя|вы|вам|вчера|завтра|раньше|когда-то|если|бы|помнишь|снилось|"
    r"you|your|yours|yesterday|tomorrow|used to|would|if|remember|dreamt|last (?:night|year|week))\b|\?\s*$"
)
_NOT = {"не", "ни", "без", "no", "not", "without", "never"}


@dataclass(frozen=True, slots=True)
class Visuals:
    """What a text shows, a few English words each; empty where it says nothing."""

    outfit: str = ""
    #: What she wears beside her clothes.
    accessories: str = ""
    place: str = ""
    light: str = ""
    action: str = ""
    mood: str = ""
    #: Said of no garment: "and now in red".
    colour: str = ""


#: A text that shows nothing.
NOTHING = Visuals()


@dataclass(frozen=True, slots=True)
class Subject:
    """What texts say of one part of a lasting scene: the things they name, and whether they speak of a change."""

    section: str
    names: frozenset[str] = frozenset()
    changes: bool = False

    def allows(self, before: str, now: str) -> bool:
        """Whether the words give a reason for this change: a word for it, or the very thing that comes or goes."""
        return self.changes or bool(self.names & (named(self.section, before) | named(self.section, now)))


@dataclass(frozen=True, slots=True)
class Subjects:
    """What a turn speaks of, by part of a lasting scene."""

    outfit: Subject = Subject("outfit")
    place: Subject = Subject("place")
    light: Subject = Subject("light")


#: Sections of the lexicon that name the things of a part of a scene, and those that say that it changes.
_NAMING = {"outfit": ("garments", "accessories"), "place": ("places",), "light": ("light",)}
_CHANGING = {"outfit": ("dressing",), "place": ("moving",), "light": ("lighting",)}


def see(text: str) -> Visuals:
    """What the persona's text shows of her and around her, here and now."""
    sentences = [sentence for sentence in _SENTENCE.findall(fold(text)) if not _ELSEWHERE.search(sentence)]
    terms = [_terms(sentence) for sentence in sentences]
    actions = [*_found("actions", terms)[:2], *(f"with {thing}" for thing in _found("things", terms)[:MOST_THINGS])]
    garments, accessories = _worn("garments", terms), _worn("accessories", terms)
    return Visuals(
        outfit=", ".join(garments[:MOST_THINGS]),
        accessories=", ".join(accessories[:MOST_THINGS]),
        colour=""
        if garments or accessories
        else next((each for each in _found("colours", terms) if each in HUES), ""),
        place=next(iter(_found("places", terms)), ""),
        light=", ".join(_found("light", terms)[:2]),
        action=", ".join(actions),
        mood=next(iter(_found("moods", terms)), ""),
    )


def _hue(sentences: list[list[str]]) -> str:
    return next((each for each in _found("colours", sentences) if each in HUES), "")


def subjects(texts: Sequence[str]) -> Subjects:
    """What the texts of a turn, the person's and the persona's, speak of."""
    terms = [_terms(fold(text)) for text in texts]
    spoken = {
        part: Subject(
            part,
            frozenset(name for section in sections for name in _found(section, terms)),
            any(_found(section, terms) for section in _CHANGING[part]),
        )
        for part, sections in _NAMING.items()
    }
    return Subjects(**spoken)


def recoloured(outfit: str, colour: str) -> str:
    """The same clothes in another colour."""
    garments = [" ".join(word for word in each.split() if word not in HUES) for each in outfit.split(", ")]
    return ", ".join([f"{colour} {garments[0]}".strip(), *garments[1:]])


def named(part: str, english: str) -> frozenset[str]:
    """The things of the lexicon that an English description names."""
    terms = [_terms(fold(english))]
    return frozenset(name for section in _NAMING[part] for name in _found(section, terms))


def _worn(section: str, sentences: list[list[str]]) -> list[str]:
    """What is worn, with the colours right before it."""
    entries, colours = _lexicon()[section], _lexicon()["colours"]
    known = _lexicon()["garments"].keys() | _lexicon()["accessories"].keys()
    found: list[str] = []
    for terms in sentences:
        for position, end, garment in _matches(terms, entries):
            # A colour that another garment stands before belongs to that one.
            before = _after_last(terms[max(0, position - 3) : position], known)
            if _NOT.intersection(before):
                continue
            said = [colours[term] for term in before if term in colours]
            # "свитер красный": the adjective may also come right behind.
            said += [colours[term] for term in terms[end : end + 1] if term in colours and not said]
            if all(garment not in earlier for earlier in found):
                found.append(" ".join([*said, garment]))
    return found


def _after_last(terms: list[str], known: Set[str]) -> list[str]:
    """The terms behind the last one that is known."""
    last = max((index for index, term in enumerate(terms) if term in known), default=-1)
    return terms[last + 1 :]


def _found(section: str, sentences: list[list[str]]) -> list[str]:
    entries = _lexicon()[section]
    hits = [
        hit for terms in sentences for position, _, hit in _matches(terms, entries) if not _denied(terms, position)
    ]
    return list(dict.fromkeys(hits))


def _denied(terms: list[str], position: int) -> bool:
    return bool(_NOT.intersection(terms[max(0, position - 2) : position]))


def _matches(terms: list[str], entries: dict[str, str]) -> list[tuple[int, int, str]]:
    """(start, end, English) of every entry among the terms, phrases of up to three words first."""
    found: list[tuple[int, int, str]] = []
    position = 0
    while position < len(terms):
        for size in (3, 2, 1):
            hit = entries.get(" ".join(terms[position : position + size]))
            if hit and position + size <= len(terms):
                found.append((position, position + size, hit))
                position += size - 1
                break
        position += 1
    return found


def _terms(sentence: str) -> list[str]:
    return [_lemma(word) for word in _WORD.findall(sentence)]


@lru_cache(maxsize=20_000)
def _lemma(word: str) -> str:
    """Russian words by their dictionary form; English ones without a plural's or a verb's ending, where known."""
    if "а" <= word[0] <= "я":
        return str(morphology().parse(word)[0].normal_form).replace("ё", "е")
    known = _english_words()
    for ending, instead in (("", ""), ("s", ""), ("es", ""), ("ing", ""), ("ing", "e"), ("ed", ""), ("ies", "y")):
        stem = word.removesuffix(ending) + instead
        if word.endswith(ending) and stem in known:
            return stem
    return word


@cache
def _english_words() -> frozenset[str]:
    return frozenset(word for section in _lexicon().values() for name in section for word in name.split())


@cache
def _lexicon() -> dict[str, dict[str, str]]:
    """By section: each lemma or phrase, as `_terms` spells it, to its English name."""
    sections = tomllib.loads((Path(__file__).parent / "lexicon.toml").read_text("utf-8"))
    return {section: _entries(lines) for section, lines in sections.items()}


def _entries(lines: dict[str, str]) -> dict[str, str]:
    entries: dict[str, str] = {}
    for english, names in lines.items():
        for name in (*re.split(r"\s*[,|]\s*", names), english):
            words = _WORD.findall(fold(name))
            spelled = [
                str(morphology().parse(w)[0].normal_form).replace("ё", "е") if "а" <= w[0] <= "я" else w
                for w in words
            ]
            entries.setdefault(" ".join(spelled), english)
    return {name: english for name, english in entries.items() if name}
