"""Pictures: checked before anyone sees them, freed of metadata, and made into what Telegram wants.

Everything here is CPU work: call it in a thread.
"""

import io
from dataclasses import dataclass

from PIL import Image, ImageStat, UnidentifiedImageError

from generation.errors import BadImage, BrokenImage

#: A render whose brightness hardly varies is black, blank or broken; a real photo is far above it (of 255).
MIN_DEVIATION = 3.0
#: Telegram refuses photos whose sides add up to more, and recompresses whatever it gets.
MAX_SIDES = 10_000
JPEG_QUALITY = 90


@dataclass(frozen=True, slots=True)
class Picture:
    """A photo that passed the check: `original` is a PNG without metadata, `jpeg` goes into the chat."""

    original: bytes
    jpeg: bytes
    width: int
    height: int


def develop(content: bytes) -> Picture:
    """Check a render and prepare it. Raises BadImage for anything that a person should not see.

    ComfyUI writes the whole graph, prompt included, into its PNG; encoding anew leaves that behind.
    """
    image = _decode(content)
    if sum(image.size) > MAX_SIDES or min(image.size) < 64:
        raise BadImage(f"{image.width} x {image.height} pixels")
    if max(ImageStat.Stat(image.convert("L")).stddev) < MIN_DEVIATION:
        raise BadImage("blank")
    return Picture(_encode(image, "PNG", compress_level=4), _jpeg(image), *image.size)


def jpeg_of(content: bytes) -> bytes:
    """The JPEG of a stored original."""
    return _jpeg(_decode(content))


def _decode(content: bytes) -> Image.Image:
    try:
        with Image.open(io.BytesIO(content), formats=["PNG", "JPEG", "WEBP"]) as image:
            # load() reads to the end: a truncated file fails here and not in the chat.
            image.load()
            return image.convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BrokenImage(f"not a whole image: {error}") from error


def _jpeg(image: Image.Image) -> bytes:
    return _encode(image, "JPEG", quality=JPEG_QUALITY, optimize=True)


def _encode(image: Image.Image, kind: str, **options: int) -> bytes:
    clean = Image.new("RGB", image.size)
    clean.paste(image)
    buffer = io.BytesIO()
    clean.save(buffer, kind, **options)
    return buffer.getvalue()
