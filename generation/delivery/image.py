"""Pictures: checked before anyone sees them, freed of metadata, and made into what Telegram wants.

Everything here is CPU work: call it in a thread.
"""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, UnidentifiedImageError

from generation.errors import BadImage, BrokenImage

#: A render whose brightness hardly varies is black, blank or broken; a real photo is far above it (of 255).
MIN_DEVIATION = 3.0
#: The share of pixels with one and the same brightness (give or take one) from which a picture is blank.
MAX_ONE_SHADE = 0.97
#: How much neighbouring pixels differ, as a share of what independent ones would: 1 for noise at that scale. Photos
#: and the stand-in's pictures stay under 0.35 at every scale; NaN latents decode to noise in blots of some pixels.
MAX_NOISE = 0.6
NOISE_SCALES = (1, 4, 8, 16)
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
    if flaw := _flaw(image.convert("L")):
        raise BadImage(flaw)
    return Picture(_encode(image, "PNG", compress_level=4), _jpeg(image), *image.size)


def _flaw(grey: Image.Image) -> str:
    """What makes a decoded render worthless; empty when it may be shown."""
    shades = np.asarray(grey.histogram(), dtype=float) / (grey.width * grey.height)
    if np.asarray(grey).std() < MIN_DEVIATION or np.convolve(shades, np.ones(3)).max() > MAX_ONE_SHADE:
        return "blank"
    if max(noise(grey.reduce(scale)) for scale in NOISE_SCALES if min(grey.size) >= 8 * scale) > MAX_NOISE:
        return "noise"
    return ""


def noise(grey: Image.Image) -> float:
    """How independent neighbouring pixels are: 0 for one colour, 1 for white noise."""
    pixels = np.asarray(grey, dtype=np.float32)
    variance = float(pixels.var())
    if variance == 0:
        return 0.0
    across, down = np.diff(pixels, axis=1), np.diff(pixels, axis=0)
    return float(min((across**2).mean(), (down**2).mean()) / (2 * variance))


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
