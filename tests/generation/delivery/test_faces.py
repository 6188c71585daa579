"""Faces are found as YuNet gives them, cut out as for SFace, and compared with those of the references."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from generation.delivery import faces
from generation.delivery.classifier import ClassifierError
from generation.delivery.faces import ALIGNED, Faces
from tests.generation.delivery import face_models


@pytest.fixture
def models(tmp_path: Path) -> Faces:
    return Faces(face_models.detector(tmp_path), face_models.embedder(tmp_path))


def with_face(colour: str, *, at: tuple[int, int] = (200, 160), size: tuple[int, int] = (416, 608)) -> Image.Image:
    """A red picture with one patch, which is a face to the small detector when it is blue or green."""
    picture = Image.new("RGB", size, "#ff0000")
    picture.paste(Image.new("RGB", (96, 96), colour), at)
    return picture


def as_file(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("scale", [1, 3])
def test_a_face_is_found_where_it_is(models: Faces, scale: int) -> None:
    picture = with_face("#0000ff")
    face = models.find(picture.resize((416 * scale, 608 * scale)))
    assert face is not None
    middle = face.points.mean(axis=0) / scale
    assert 192 <= middle[0] <= 304
    assert 152 <= middle[1] <= 264
    assert models.find(Image.new("RGB", (416, 608), "#ff0000")) is None


def test_the_likest_of_the_references_counts(models: Faces) -> None:
    blue, green = as_file(with_face("#0000ff")), as_file(with_face("#00ff00"))
    nobody = as_file(Image.new("RGB", (300, 300), "#ff0000"))
    picture = with_face("#0000ff", at=(40, 400))
    face = models.find(picture)
    assert face is not None
    both, other = models.likeness(picture, face, [green, blue]), models.likeness(picture, face, [green])
    assert both is not None
    assert other is not None
    assert both > 0.85
    assert other < 0.5
    assert models.likeness(picture, face, [nobody]) is None
    assert models.likeness(picture, face, []) is None


@pytest.mark.parametrize(
    ("angle", "size", "move"), [(0.0, 1.0, (0, 0)), (0.4, 2.5, (300, 80)), (-1.2, 0.4, (9, 700))]
)
def test_a_face_is_turned_upright(angle: float, size: float, move: tuple[int, int]) -> None:
    """OpenCV 5.0.0's `alignCrop` gave the same picture on a photo (cosine 0.9994 of its cells)."""
    turned = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    there = ALIGNED @ turned.T + move
    matrix = faces._onto(ALIGNED, there)
    assert np.abs(ALIGNED @ matrix[:, :2].T + matrix[:, 2] - there).max() < 1e-6


def test_a_mirrored_face_is_not_mirrored_back() -> None:
    mirrored = ALIGNED * [-1, 1]
    assert np.linalg.det(faces._onto(ALIGNED, mirrored)[:, :2]) > 0


def test_models_of_another_kind_are_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match="no model for onnxruntime"):
        Faces(str(tmp_path / "gone.onnx"), "")
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(ClassifierError, match="no model for onnxruntime"):
        Faces(str(tmp_path / "text.onnx"), "")
    with pytest.raises(ClassifierError, match=r"does not take a picture|is no YuNet"):
        Faces(face_models.embedder(tmp_path), "")
