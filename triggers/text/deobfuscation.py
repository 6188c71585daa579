"""Plain readings of a text that may be disguised: other script, digits for letters, spacing, invisible marks."""

import itertools
import re
import unicodedata
from collections.abc import Callable, Iterator

from anyascii import anyascii

#: Latin letters that look like Cyrillic ones, or stand for them, and back.
_LOOKS_CYRILLIC = dict(zip("abcdefghiklmnoprstuvxyz", "авсдефгниклмпоргстивхуз", strict=True))
_LOOKS_LATIN = dict(zip("абвгдезийклмнопрстуфхі", "abvgdeziiklmhonpctufxi", strict=True)) | {
    "р": "p",
    "п": "n",
    "у": "y",
}
_DIGITS_CYRILLIC = {"0": "о", "1": "и", "3": "з", "4": "ч", "6": "б", "8": "в", "@": "а", "$": "с"}
_DIGITS_CYRILLIC_TOO = _DIGITS_CYRILLIC | {"3": "э", "4": "а"}
_DIGITS_LATIN = {
    "0": "o",
    "1": "i",
    "3": "e",
    "4": "a",
    "5": "s",
    "7": "t",
    "8": "b",
    "@": "a",
    "$": "s",
    "!": "i",
    "|": "l",
}
#: How Russian is written in Latin letters; longer spellings first.
_TRANSLIT = (
    ("shch", "щ"), ("sch", "щ"), ("zh", "ж"), ("kh", "х"), ("ts", "ц"), ("ch", "ч"), ("sh", "ш"), ("yu", "ю"),
    ("ju", "ю"), ("ya", "я"), ("ja", "я"), ("yo", "е"), ("a", "а"), ("b", "б"), ("v", "в"), ("w", "в"), ("g", "г"),
    ("d", "д"), ("e", "е"), ("z", "з"), ("i", "и"), ("j", "й"), ("y", "ы"), ("k", "к"), ("l", "л"), ("m", "м"),
    ("n", "н"), ("o", "о"), ("p", "п"), ("r", "р"), ("s", "с"), ("t", "т"), ("u", "у"), ("f", "ф"), ("h", "х"),
    ("c", "ц"), ("x", "кс"), ("q", "к"), ("'", "ь"),
)  # fmt: skip

#: Letters with one and the same mark between them; the gap between words is another one.
_SPACED = re.compile(r"(?<!\w)\w([\s.\-_*·])\w(?:\1\w){2,}(?!\w)")
_TOKEN = re.compile(r"[\w@$!|']+")
_SCRIPTS = (re.compile("[a-z]"), re.compile("[а-я]"), re.compile(r"[\d@$!|]"))
_AGE = re.compile(r"\d{1,2}(?:лет|летн|год|yo|yr|y$)")


#: Characters of one window. Patterns hold the interpreter while they run: a long text is read in pieces.
WINDOW, OVERLAP = 1000, 200
#: Runs of one letter that are tried as one and as two; more of them are only made short.
MOST_RUNS = 4

_RUN = re.compile(r"([^\W\d_])\1{2,}")
_PLAIN = re.compile(r"[\x00-\x7fа-яё]")
#: Letters of the Cyrillic block that are drawn like Latin ones and belong to no Russian word.
_CYRILLIC_TWINS = str.maketrans("ѕіјһԁӏԛԝ", "sijhdlqw")


def fold(text: str) -> str:
    """Lower case, without marks and invisible characters; ё as е, letters of other alphabets as Latin ones."""
    decomposed = unicodedata.normalize("NFKD", text.replace("й", "\ue000").replace("Й", "\ue000"))
    visible = "".join(char for char in decomposed if unicodedata.category(char) not in {"Mn", "Cf", "Me"})
    folded = visible[: 2 * len(text)].replace("\ue000", "й").casefold().replace("ё", "е").translate(_CYRILLIC_TWINS)
    return "".join(char if _PLAIN.match(char) else _as_latin(char) for char in folded)


def _as_latin(char: str) -> str:
    """A letter of any other alphabet, small capitals and letters in circles among them; everything else stays."""
    return anyascii(char).lower() if char.isalpha() or unicodedata.category(char) == "So" else char


def readings(text: str) -> tuple[str, ...]:
    """The text as it is, and as a disguise could be meant; a word that is in any of them is in the text."""
    return tuple(dict.fromkeys(way for window in _windows(text) for way in _readings(window)))


def _windows(text: str) -> Iterator[str]:
    yield text[:WINDOW]
    for start in range(WINDOW - OVERLAP, len(text) - OVERLAP, WINDOW - OVERLAP):
        yield text[start : start + WINDOW]


def _readings(text: str) -> Iterator[str]:
    plain = " ".join(_SPACED.sub(_joined, fold(text)).split())
    yield plain
    for squeezed in _squeezed(plain):
        yield squeezed
        yield re.sub(r"(?<=[^\W\d_])[-._*·](?=[^\W\d_])", "", squeezed)
        for way in _WAYS:
            yield _TOKEN.sub(way, squeezed)


def _squeezed(text: str) -> Iterator[str]:
    """With each letter that is repeated for effect ("schooool") once, and twice, in every combination."""
    runs = len(_RUN.findall(text))
    if runs > MOST_RUNS:
        yield _RUN.sub(r"\1", text)
        yield _RUN.sub(r"\1\1", text)
        return
    for lengths in itertools.product((1, 2), repeat=runs):
        left = iter(lengths)
        yield _RUN.sub(lambda run, left=left: run[1] * next(left), text)  # type: ignore[misc]


def single_letters(text: str) -> str:
    """Without doubled letters."""
    return re.sub(r"([a-zа-я])\1+", r"\1", text)


def _joined(spaced: re.Match[str]) -> str:
    return spaced[0].replace(spaced[1], "")


def _spelled(letters: dict[str, str]) -> Callable[[re.Match[str]], str]:
    table = str.maketrans(letters)

    def spell(token: re.Match[str]) -> str:
        word = token[0]
        mixed = sum(script.search(word) is not None for script in _SCRIPTS) > 1
        return word.translate(table) if mixed and not _AGE.match(word) else word

    return spell


def _transliterated(token: re.Match[str]) -> str:
    word = token[0]
    if not word.isascii() or word.isdigit():
        return word
    word = word if _AGE.match(word) else word.translate(_FROM_DIGITS)
    for latin, cyrillic in _TRANSLIT:
        word = word.replace(latin, cyrillic)
    return word


_FROM_DIGITS = str.maketrans(_DIGITS_LATIN)
_WAYS: tuple[Callable[[re.Match[str]], str], ...] = (
    _spelled(_LOOKS_CYRILLIC | _DIGITS_CYRILLIC),
    _spelled(_LOOKS_CYRILLIC | _DIGITS_CYRILLIC_TOO),
    _spelled(_LOOKS_CYRILLIC | _DIGITS_CYRILLIC_TOO | {"3": "е"}),
    _spelled(_LOOKS_LATIN | _DIGITS_LATIN),
    _transliterated,
)
