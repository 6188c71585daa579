"""A text as numbers: what it means (an embedding) and how it says so (letters, lemmas, grammar)."""

import re
import zlib
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from triggers.text.deobfuscation import fold
from triggers.text.morphology import morphology

#: Lexical features share so many places; the hash is the same in every process.
PLACES = 1 << 16
#: Characters that are read at once: the embedding takes its time by the token.
MAX_LENGTH = 400
#: Of a longer text its beginning and its end are read in so many pieces; a promise likes to come last.
MOST_WINDOWS = 6

_WORD = re.compile(r"[a-zа-я]+(?:'[a-z]+)?|[*?!»«\"…:)(0-9]")
_GRAMMAR = ("POS", "person", "tense", "mood")

Sparse = tuple[np.ndarray, np.ndarray]


def prepared(text: str) -> str:
    """Lower case, without accents and curly quotes, white space in one piece, cut."""
    return " ".join(fold(text[:MAX_LENGTH].replace("’", "'")).split())


def windows(text: str) -> list[str]:
    """The text in pieces of at most `MAX_LENGTH` characters, cut between sentences where that is possible."""
    pieces, rest = [], text.strip()
    while len(rest) > MAX_LENGTH:
        cut = max(rest.rfind(mark, MAX_LENGTH // 2, MAX_LENGTH) for mark in (". ", "! ", "? ", "\n", "… ", " "))
        cut = cut + 1 if cut > 0 else MAX_LENGTH
        pieces.append(rest[:cut])
        rest = rest[cut:]
    pieces.append(rest)
    half = MOST_WINDOWS // 2
    return pieces if len(pieces) <= MOST_WINDOWS else pieces[:half] + pieces[-half:]


@lru_cache(maxsize=64)
def lexical(text: str) -> Sparse:
    """Places (int32) and weights (float32) of the two feature groups, each of length 1."""
    plain = prepared(text)
    places, weights = zip(_hashed(_pieces(plain)), _hashed(_phrases(plain)), strict=True)
    return np.concatenate(places), np.concatenate(weights)


def _hashed(names: Iterator[str]) -> Sparse:
    counts = Counter(zlib.crc32(name.encode()) % PLACES for name in names)
    weights = 1 + np.log(np.fromiter(counts.values(), np.float32, len(counts)))
    length = float(np.linalg.norm(weights)) or 1.0
    return np.fromiter(counts, np.int32, len(counts)), weights / length


def _pieces(plain: str) -> Iterator[str]:
    """Two to five letters in a row within a word, its ends marked: stems and endings."""
    for word in plain.split():
        marked = f" {word} "
        for size in (2, 3, 4, 5):
            for start in range(max(1, len(marked) - size + 1)):
                yield marked[start : start + size]


def _phrases(plain: str) -> Iterator[str]:
    """One to three lemmas in a row; verbs also leave their grammar, since who does what when decides much."""
    terms = [term for word in _WORD.findall(plain) for term in _terms(word)]
    for size in (1, 2, 3):
        for start in range(len(terms) - size + 1):
            yield f"{size}:{' '.join(terms[start : start + size])}"


@lru_cache(maxsize=20_000)
def _terms(word: str) -> tuple[str, ...]:
    if not "а" <= word[0] <= "я":
        return (word,)
    parsed = morphology().parse(word)[0]
    lemma = parsed.normal_form.replace("ё", "е")
    if parsed.tag.POS not in {"VERB", "PRTS", "PRTF", "GRND"}:
        return (lemma,)
    return lemma, "_".join(str(value) for name in _GRAMMAR if (value := getattr(parsed.tag, name)))
