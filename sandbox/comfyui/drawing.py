"""A picture from a prompt and a seed: a place, a light, a figure in its outfit. CPU work: call it in a thread."""

import io
import json
import random
import textwrap
from typing import Any

from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps, PngImagePlugin

Colour = tuple[int, int, int]

#: Words of a prompt and the sky and ground that they bring; the first that is found wins.
PLACES: tuple[tuple[tuple[str, ...], Colour, Colour], ...] = (
    (("sunrise", "dawn", "ridge"), (250, 190, 140), (92, 84, 120)),
    (("night", "tram", "neon", "midnight"), (24, 22, 52), (70, 40, 90)),
    (("club", "stage", "candle"), (60, 24, 30), (130, 70, 34)),
    (("sea", "promenade", "beach", "pier", "river"), (150, 190, 214), (66, 110, 132)),
    (("snow", "hut", "stove", "mountain"), (196, 210, 226), (120, 92, 70)),
    (("garden", "market", "flower", "park"), (206, 224, 190), (104, 140, 84)),
    (("rain", "attic", "roof"), (104, 116, 134), (84, 66, 58)),
    (("kitchen", "bistro", "cafe", "workshop"), (196, 158, 112), (104, 74, 50)),
    (("lisbon", "street", "sun"), (244, 206, 140), (176, 122, 84)),
)
COLOURS: dict[str, Colour] = {
    "white": (236, 232, 226), "black": (36, 34, 40), "grey": (128, 128, 134), "red": (176, 40, 44),
    "emerald": (20, 110, 84), "green": (60, 120, 70), "blue": (52, 90, 160), "mustard": (204, 158, 42),
    "orange": (220, 112, 40), "beige": (206, 186, 152), "dark": (56, 50, 58), "linen": (220, 208, 184),
    "denim": (70, 98, 140), "striped": (90, 110, 150), "yellow": (230, 200, 70), "knitted": (160, 120, 100),
}  # fmt: skip
HAIR: dict[str, Colour] = {
    "chestnut": (94, 54, 34), "black": (28, 24, 26), "blond": (190, 150, 90), "dark": (50, 38, 34),
    "red": (150, 66, 34),
}  # fmt: skip


def draw(prompt: str, seed: int, width: int, height: int, face: Image.Image | None = None) -> Image.Image:
    """The same prompt, seed, size (pixels) and reference picture always give the same picture."""
    rng = random.Random(f"{seed}:{prompt}")
    words = prompt.lower()
    sky, ground = _place(words, rng)
    image = _gradient(sky, ground, width, height)
    layer = ImageDraw.Draw(image, "RGBA")
    for _ in range(26):
        _light(layer, rng, width, height)
    image = image.filter(ImageFilter.GaussianBlur(width // 70))
    head = _figure(ImageDraw.Draw(image, "RGBA"), words, rng, width, height)
    if face is not None:
        _put(image, face, head)
    _label(image, prompt, seed)
    return image


def filled(width: int, height: int, colour: int) -> Image.Image:
    """One colour, 0xRRGGBB."""
    return Image.new("RGB", (width, height), ((colour >> 16) & 255, (colour >> 8) & 255, colour & 255))


def reddened(image: Image.Image) -> Image.Image:
    """The same picture in deep red: what the tests' classifier takes for nakedness."""
    return Image.blend(image, filled(image.width, image.height, 0xFF0000), 0.85)


def blots(seed: int, width: int, height: int, size: int = 8) -> Image.Image:
    """Coloured noise in blots of `size` pixels: what a VAE makes of latents that are not numbers any more."""
    small = (width // size, height // size)
    noise = Image.frombytes("RGB", small, random.Random(seed).randbytes(3 * small[0] * small[1]))
    return noise.resize((width, height), Image.Resampling.BICUBIC)


def to_png(image: Image.Image, graph: dict[str, Any] | None) -> bytes:
    """PNG bytes; like ComfyUI's SaveImage with the whole graph inside, unless there is none to put in."""
    buffer = io.BytesIO()
    info = PngImagePlugin.PngInfo()
    if graph is not None:
        info.add_text("prompt", json.dumps(graph))
    image.save(buffer, "PNG", pnginfo=info, compress_level=4)
    return buffer.getvalue()


def _place(words: str, rng: random.Random) -> tuple[Colour, Colour]:
    for names, sky, ground in PLACES:
        if any(name in words for name in names):
            return _shifted(sky, rng), _shifted(ground, rng)
    return _shifted((150, 140, 160), rng), _shifted((90, 80, 90), rng)


def _gradient(top: Colour, bottom: Colour, width: int, height: int) -> Image.Image:
    column = Image.new("RGB", (1, 64))
    for y in range(64):
        share = y / 63
        column.putpixel((0, y), tuple(round(a + (b - a) * share) for a, b in zip(top, bottom, strict=True)))
    return column.resize((width, height), Image.Resampling.BICUBIC)


def _light(layer: ImageDraw.ImageDraw, rng: random.Random, width: int, height: int) -> None:
    x, y, radius = rng.uniform(0, width), rng.uniform(0, height * 0.8), rng.uniform(0.01, 0.07) * width
    warm = (255, rng.randint(190, 250), rng.randint(130, 220), rng.randint(30, 110))
    layer.ellipse((x - radius, y - radius, x + radius, y + radius), fill=warm)


def _put(image: Image.Image, face: Image.Image, box: tuple[float, ...]) -> None:
    """The upper middle of a reference picture in the place of the head."""
    left, top, right, bottom = map(round, box)
    size = (right - left, bottom - top)
    small = ImageOps.fit(face, size, centering=(0.5, 0.35))
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).ellipse((0, 0, *size), fill=255)
    image.paste(small, (left, top), mask)


def _figure(
    layer: ImageDraw.ImageDraw, words: str, rng: random.Random, width: int, height: int
) -> tuple[float, float, float, float]:
    """Head and shoulders at the size that the camera asks for; where the head is."""
    wide = any(word in words for word in ("wide", "landscape", "from afar", "full body"))
    size = min(width, height) * (0.22 if wide else 0.36) * rng.uniform(0.93, 1.07)
    x = width * rng.uniform(0.4, 0.6)
    y = height * (0.55 if wide else 0.42) * rng.uniform(0.95, 1.05)
    skin = _shifted((226, 184, 156), rng, 8)
    hair = _first(words, HAIR, (80, 56, 44))
    outfit = _first(words.partition("wearing ")[2], COLOURS, (110, 96, 120))
    head = size * 0.5
    if "woman" in words:
        layer.rounded_rectangle((x - head * 0.72, y - head, x + head * 0.72, y + head * 1.25), head * 0.6, hair)
    layer.rounded_rectangle((x - head * 0.22, y, x + head * 0.22, y + head * 1.4), head * 0.1, skin)
    layer.pieslice(
        (x - size * 1.15, y + head * 1.05, x + size * 1.15, y + head * 1.05 + size * 3), 180, 360, outfit
    )
    waist = y + head * 1.05 + size * 1.5
    # In a wide shot it may lie below the picture's edge.
    layer.rectangle((x - size * 1.15, waist, x + size * 1.15, max(height, waist)), outfit)
    layer.ellipse((x - head * 0.55, y - head * 0.75, x + head * 0.55, y + head * 0.72), skin)
    layer.pieslice((x - head * 0.62, y - head * 0.98, x + head * 0.62, y + head * 0.5), 185, 355, hair)
    eye, tilt = head * 0.06, head * rng.uniform(-0.04, 0.04)
    for side in (-1, 1):
        centre = x + side * head * 0.22
        layer.ellipse((centre - eye, y - eye + side * tilt, centre + eye, y + eye + side * tilt), (50, 40, 40))
    layer.arc((x - head * 0.2, y + head * 0.12, x + head * 0.2, y + head * 0.42), 20, 160, (150, 70, 70), int(eye))
    return x - head * 0.62, y - head * 0.98, x + head * 0.62, y + head * 0.72


def _label(image: Image.Image, prompt: str, seed: int) -> None:
    """Nobody should take the stand-in's picture for a render."""
    size = max(12, image.width // 44)
    font = ImageFont.load_default(size)
    lines = [*textwrap.wrap(prompt, 76)[:4], f"stand-in picture · seed {seed}"]
    layer = ImageDraw.Draw(image, "RGBA")
    top = image.height - (len(lines) * size * 1.35 + size)
    layer.rectangle((0, top - size * 0.5, image.width, image.height), (0, 0, 0, 120))
    layer.multiline_text((size, top), "\n".join(lines), (255, 255, 255, 220), font, spacing=size * 0.3)


def _first(words: str, colours: dict[str, Colour], default: Colour) -> Colour:
    found = [(words.find(name), colour) for name, colour in colours.items() if name in words]
    return min(found)[1] if found else default


def _shifted(colour: Colour, rng: random.Random, by: int = 18) -> Colour:
    red, green, blue = (max(0, min(255, part + rng.randint(-by, by))) for part in colour)
    return red, green, blue
