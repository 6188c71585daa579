"""No black, blank or broken picture reaches a person, and no prompt travels in its metadata."""

import io
from pathlib import Path

import matplotlib as mpl
import pytest
import sklearn
from PIL import Image, ImageDraw, ImageFilter

from generation.delivery.image import develop, jpeg_of
from generation.errors import BadImage
from sandbox.comfyui.drawing import blots, draw, filled, to_png

GRAPH = {"1": {"class_type": "CLIPTextEncode", "inputs": {"text": "a private wish"}}}
RENDER = to_png(draw("a woman by the sea", 3, 832, 1216), GRAPH)


def signed(image: Image.Image) -> Image.Image:
    """With a watermark in a corner, which makes a black picture no photo."""
    ImageDraw.Draw(image).rectangle((700, 1180, 820, 1204), (255, 255, 255))
    return image


def photos() -> list[Image.Image]:
    """Real photographs, from the wheels of scikit-learn and matplotlib."""
    pictures = [*Path(sklearn.__file__).parent.glob("datasets/images/*.jpg")]
    pictures += (Path(mpl.__file__).parent / "mpl-data/sample_data").glob("*.jpg")
    return [Image.open(path).convert("RGB") for path in pictures]


def test_real_photos_bright_dark_and_sharpened_are_let_through() -> None:
    shown = photos()
    assert len(shown) >= 3
    for photo in shown:
        dark = photo.point(lambda value: value // 6)
        sharp = photo.filter(ImageFilter.SHARPEN).filter(ImageFilter.DETAIL)
        for image in (photo, dark, sharp, photo.resize((832, 1216))):
            assert develop(to_png(image, None)).width == image.width


def test_a_render_becomes_a_clean_png_and_a_jpeg_of_the_same_size() -> None:
    picture = develop(RENDER)
    assert (picture.width, picture.height) == (832, 1216)
    for content, kind in ((picture.original, "PNG"), (picture.jpeg, "JPEG")):
        with Image.open(io.BytesIO(content)) as image:
            assert (image.format, image.size) == (kind, (832, 1216))
    assert len(picture.jpeg) < 10 * 1024 * 1024


def test_the_prompt_that_comfyui_writes_into_its_png_is_left_behind() -> None:
    assert b"a private wish" in RENDER
    picture = develop(RENDER)
    assert b"private wish" not in picture.original + picture.jpeg
    assert b"class_type" not in picture.original + picture.jpeg


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not a whole image"),
        (b"<html>502 Bad Gateway</html>", "not a whole image"),
        (RENDER[: len(RENDER) // 2], "not a whole image"),
        (to_png(filled(832, 1216, 0), None), "blank"),
        (to_png(filled(832, 1216, 0xFFFFFF), None), "blank"),
        (to_png(signed(filled(832, 1216, 0)), None), "blank"),
        *((to_png(blots(1, 832, 1216, size), None), "noise") for size in (1, 2, 4, 8, 16)),
        (to_png(draw("x", 1, 8, 600), None), "8 x 600"),
        (to_png(filled(6000, 5000, 0x123456), None), "6000 x 5000"),
    ],
)
def test_what_nobody_should_see_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(BadImage, match=why):
        develop(content)


def test_a_stored_original_gives_the_same_jpeg_again() -> None:
    picture = develop(RENDER)
    assert jpeg_of(picture.original) == picture.jpeg
