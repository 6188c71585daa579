"""Faces in a picture, and how alike two of them are. CPU work of some 30 ms, by models that the operator names.

What is found is read as YuNet gives it (OpenCV's `FaceDetectorYN`), what is compared is cut out as for SFace
(`FaceRecognizerSF`): five points of a face on a picture of 112 x 112 pixels. Any other ONNX model that takes that
and gives a vector fits as well. onnxruntime runs both: OpenCV's own package would be another 160 MB in a worker.
"""

import io
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image

from generation.delivery.classifier import ClassifierError

#: Pixels of the longer side that faces are looked for in; one of a portrait has a hundred and more there.
LOOKED_AT = 640
#: Score from which something is a face (0.9 in OpenCV's own example, for video).
FACE_SCORE = 0.8
#: Share of the largest face's area from which another one is taken to be the same.
SAME = 0.7
STRIDES = (8, 16, 32)
#: Eyes, tip of the nose and corners of the mouth in a face of 112 x 112 pixels (`FaceRecognizerSF::alignCrop`).
ALIGNED = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
SIDE = 112
#: Vectors of reference pictures that are kept.
KEPT = 256


@dataclass(frozen=True, slots=True)
class Face:
    """A face in pixels of the picture: width times height, and its five points; how sure it is, from 0 to 1."""

    area: float
    score: float
    points: np.ndarray


class Faces:
    """Both models, for the life of the process; `embedder` may be empty. Raises ClassifierError."""

    def __init__(self, detector: str, embedder: str) -> None:
        self._detector = _opened(detector)
        self._embedder = _opened(embedder) if embedder else None
        self._known: OrderedDict[bytes, np.ndarray | None] = OrderedDict()
        # Models of another kind are found at the start and not at the first photo.
        self.find(Image.new("RGB", (64, 64)))
        if self._embedder:
            self._vector(Image.new("RGB", (SIDE, SIDE)), Face(SIDE**2, 1.0, ALIGNED))

    def find(self, picture: Image.Image) -> Face | None:
        """The largest face. Raises ClassifierError when the model does not give what YuNet gives."""
        scale = min(1.0, LOOKED_AT / max(picture.size))
        small = picture.convert("RGB").resize([max(1, round(side * scale)) for side in picture.size])
        fixed = self._detector.get_inputs()[0].shape[2:]
        height, width = (
            int(given) if isinstance(given, int) else -(-side // STRIDES[-1]) * STRIDES[-1]
            for given, side in zip(fixed, reversed(small.size), strict=True)
        )
        padded = np.zeros((height, width, 3), np.float32)
        pixels = np.asarray(small, np.float32)[:height, :width, ::-1]
        padded[: pixels.shape[0], : pixels.shape[1]] = pixels
        outputs = _run(self._detector, padded.transpose(2, 0, 1)[None])
        found = [face for stride in STRIDES for face in _faces(outputs, stride, width)]
        if not found:
            return None
        # Several anchors see the same face.
        largest = max(face.area for face in found)
        best = max((face for face in found if face.area > SAME * largest), key=lambda face: face.score)
        return Face(best.area / scale**2, best.score, best.points / scale)

    def likeness(self, picture: Image.Image, face: Face, references: Sequence[bytes]) -> float | None:
        """Cosine of this face and the likest one of the references, -1 to 1; None where none of them has a face."""
        if self._embedder is None:
            return None
        known = [vector for vector in map(self._of_reference, references) if vector is not None]
        if not known:
            return None
        mine = self._vector(picture, face)
        return max(float(mine @ vector) for vector in known)

    def _of_reference(self, content: bytes) -> np.ndarray | None:
        name = sha256(content).digest()
        if name not in self._known:
            with Image.open(io.BytesIO(content)) as picture:
                face = self.find(picture)
                self._known[name] = self._vector(picture, face) if face else None
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        return self._known[name]

    def _vector(self, picture: Image.Image, face: Face) -> np.ndarray:
        assert self._embedder is not None  # noqa: S101 - asked only with one
        matrix = _onto(ALIGNED, face.points)
        cut = picture.convert("RGB").transform(
            (SIDE, SIDE), Image.Transform.AFFINE, tuple(matrix.ravel()), Image.Resampling.BILINEAR
        )
        (vector,) = list(_run(self._embedder, np.asarray(cut, np.float32).transpose(2, 0, 1)[None]).values())[:1]
        flat = np.asarray(vector, np.float64).ravel()
        length = float(np.linalg.norm(flat))
        return flat / length if length else flat


def _faces(outputs: dict[str, np.ndarray], stride: int, width: int) -> list[Face]:
    """What the anchors of one stride say: scores, centre and size of the face, and points, in strides."""
    try:
        scores, objects, boxes, points = (outputs[f"{name}_{stride}"][0] for name in ("cls", "obj", "bbox", "kps"))
    except KeyError as error:
        raise ClassifierError(f"FACE_DETECTOR has no output {error}: it is no YuNet") from None
    sure = np.sqrt(np.clip(scores, 0, 1) * np.clip(objects, 0, 1)).ravel()
    found = []
    for number in np.flatnonzero(sure >= FACE_SCORE):
        cell = np.array([number % (width // stride), number // (width // stride)])
        sides = np.exp(boxes[number][2:]) * stride
        found.append(Face(float(sides.prod()), float(sure[number]), (points[number].reshape(5, 2) + cell) * stride))
    return found


def _onto(target: np.ndarray, source: np.ndarray) -> np.ndarray:
    """2 x 3 matrix that takes points near `target` to those near `source`, by turning, scaling and moving alone.

    Least squares over a similarity (Umeyama 1991).
    """
    middle, there = target.mean(axis=0), source.mean(axis=0)
    ours, theirs = target - middle, source - there
    left, sizes, right = np.linalg.svd(theirs.T @ ours)
    mirrored = np.array([1.0, np.sign(np.linalg.det(left @ right))])
    turned = left @ np.diag(mirrored) @ right
    linear = turned * (sizes * mirrored).sum() / (ours**2).sum()
    return np.column_stack((linear, there - linear @ middle))


def _opened(path: str) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises a class of its own for each kind of broken file
        raise ClassifierError(f"{path} is no model for onnxruntime: {error}") from error


def _run(session: Any, numbers: np.ndarray) -> dict[str, np.ndarray]:
    names = [each.name for each in session.get_outputs()]
    try:
        given = session.run(names, {session.get_inputs()[0].name: np.ascontiguousarray(numbers)})
    except Exception as error:
        raise ClassifierError(f"a model of faces does not take a picture: {error}") from error
    return dict(zip(names, map(np.asarray, given), strict=True))


_loaded: Faces | ClassifierError = ClassifierError("nothing is loaded")


def load(detector: str, embedder: str) -> None:
    """Begin a process that looks for faces; `check` tells what is wrong."""
    global _loaded  # noqa: PLW0603 - these models are what the process is for
    try:
        _loaded = Faces(detector, embedder)
    except ClassifierError as error:
        _loaded = error


def check() -> None:
    """Whether `load` went well. Raises ClassifierError."""
    if isinstance(_loaded, ClassifierError):
        raise _loaded


def look_at(image: bytes, references: Sequence[bytes]) -> tuple[bool, float | None]:
    """Whether an image file shows a face, and its likeness to the references. Raises ClassifierError."""
    check()
    assert isinstance(_loaded, Faces)  # noqa: S101 - checked just now
    with Image.open(io.BytesIO(image)) as picture:
        face = _loaded.find(picture)
        return face is not None, _loaded.likeness(picture, face, references) if face else None
