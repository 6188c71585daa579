"""Pictures and sounds that people send: bombs, wrong names and broken files cost a process at most."""

import io
import os
import struct
import time
import zlib
from collections.abc import AsyncIterator

import numpy as np
import pytest
import soundfile
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from bot.reading import attachment_reader
from bot.reading.attachment_reader import LONGEST_SIDE, TooLong, Unreadable, picture, sound
from generation.runtime.processes import Processes, ProcessLost

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(1)</script></svg>'


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_bomb(side: int) -> bytes:
    """A PNG of `side` x `side` black pixels, in some kilobytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(side // 8 + 1) * min(side, 2000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def with_place() -> bytes:
    """A photo that says where it was taken, and that lies on its side."""
    image = Image.new("RGB", (400, 200), "navy")
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "SecretPhone"
    exif.get_ifd(0x8825)[2] = (IFDRational(59), IFDRational(56), IFDRational(2))
    return encoded(image, "JPEG", exif=exif, comment=b"my home")


def spoken(seconds: float, *, rate: int = 16_000, channels: int = 1, kind: str = "OPUS", **tags: str) -> bytes:
    buffer = io.BytesIO()
    count = int(rate * seconds)
    tone = 0.2 * np.sin(np.arange(count) / 20)
    with soundfile.SoundFile(buffer, "w", rate, channels, format="OGG", subtype=kind) as file:
        for name, value in tags.items():
            setattr(file, name, value)
        for begin in range(0, count, rate):
            file.write(np.repeat(tone[begin : begin + rate, None], channels, axis=1))
    return buffer.getvalue()


@pytest.fixture
async def processes() -> AsyncIterator[Processes]:
    opened = Processes(1, begin=attachment_reader.begin, patience=20)
    yield opened
    await opened.close()


def test_a_picture_loses_where_and_with_what_it_was_taken_and_stands_upright() -> None:
    assert b"SecretPhone" in with_place()
    seen = picture(with_place())
    assert b"SecretPhone" not in seen
    assert b"my home" not in seen
    with Image.open(io.BytesIO(seen)) as image:
        assert (image.format, image.size, dict(image.getexif())) == ("JPEG", (200, 400), {})


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_large_pictures_become_as_large_as_a_model_looks_at(kind: str) -> None:
    with Image.open(io.BytesIO(picture(encoded(Image.new("RGB", (4000, 3000), "olive"), kind)))) as image:
        assert max(image.size) == LONGEST_SIDE


def test_of_an_animated_picture_the_first_frame_is_seen() -> None:
    frames = [Image.new("RGB", (64, 64), (0, 0, 255 - shade)) for shade in range(200)]
    animated = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:])
    with Image.open(io.BytesIO(picture(animated))) as image:
        red, _, blue = image.getpixel((32, 32))  # type: ignore[misc]
    assert blue > 200 > red


@pytest.mark.parametrize(
    "content",
    [b"", SVG, b"GIF89a" + bytes(50), b"%PDF-1.7", with_place()[:300], b"\xff\xd8\xff\xe0" + os.urandom(2000),
     png_bomb(30_000), png_bomb(7_000), b"\x89PNG\r\n\x1a\n" + bytes(40), b"RIFF\x10\0\0\0WEBPVP8 " + bytes(40)],
    ids=["nothing", "svg", "gif", "pdf", "cut", "noise", "bomb", "large", "png", "webp"],
)  # fmt: skip
async def test_what_is_no_picture_of_a_sane_size_is_refused(processes: Processes, content: bytes) -> None:
    with pytest.raises(Unreadable):
        await processes.run(picture, content)


async def test_a_process_has_so_much_memory_and_no_more(processes: Processes) -> None:
    with pytest.raises(MemoryError):
        await processes.run(bytearray, 3 * 1024**3)
    assert await processes.run(picture, with_place())


async def test_what_takes_too_long_is_given_up() -> None:
    processes = Processes(1, begin=attachment_reader.begin, patience=0.5)
    try:
        with pytest.raises(ProcessLost):
            await processes.run(time.sleep, 60)
    finally:
        await processes.close()


@pytest.mark.parametrize("rate", [48_000, 44_100])
def test_a_voice_loses_its_tags_and_says_how_long_it_is(rate: int) -> None:
    kind = "OPUS" if rate == 48_000 else "VORBIS"
    told = spoken(2.4, rate=rate, channels=2, kind=kind, title="Secret place", comment="59.93 N")
    assert b"Secret place" in told
    heard = sound(told, 10)
    assert heard.seconds == 3
    assert b"Secret place" not in heard.content
    assert b"59.93" not in heard.content
    assert heard.content.startswith(b"OggS")


def test_a_sound_that_goes_on_is_given_up_at_the_limit() -> None:
    assert sound(spoken(5, rate=8_000), 5).seconds == 5
    with pytest.raises(TooLong):
        sound(spoken(120, rate=8_000), 5)


@pytest.mark.parametrize(
    "content",
    [b"", SVG, b"OggS" + bytes(2_996), spoken(2)[:900], os.urandom(3_000), spoken(1, channels=4, kind="VORBIS")],
    ids=["nothing", "svg", "header", "cut", "noise", "four channels"],
)
async def test_what_is_no_voice_is_refused(processes: Processes, content: bytes) -> None:
    with pytest.raises(Unreadable):
        await processes.run(sound, content, 60)


def test_other_kinds_of_sound_are_no_voice() -> None:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros(8_000), 8_000, format="WAV")
    with pytest.raises(Unreadable):
        sound(buffer.getvalue(), 60)
