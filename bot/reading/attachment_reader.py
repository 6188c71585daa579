"""Pictures and sounds that people send, made harmless: bounded, encoded anew, without metadata.

Native decoders read what strangers send, so `bot.reading.attachments` runs this in processes of its own.
"""

import io
import math
import resource
from dataclasses import dataclass

import soundfile
from PIL import Image, ImageOps

#: Bytes of address space of a process: several times what the largest picture needs.
MEMORY = 2 * 1024**3
#: Pixels. A JPEG is decoded smaller than it is, so that a phone's largest one fits; others are decoded whole.
MOST_PIXELS = {"JPEG": 120_000_000, "PNG": 36_000_000, "WEBP": 36_000_000}
#: A language model sees no more; Telegram itself makes photos about so large.
LONGEST_SIDE = 1280
#: What a voice message may be; sample rates that Opus can be encoded at, and what stands in for it at others.
SOUNDS, SAMPLE_RATES, OPUS_RATES = ("OGG", "MP3"), range(8_000, 48_001), (8_000, 12_000, 16_000, 24_000, 48_000)
QUALITY = 85


class Unreadable(Exception):
    """No picture or sound of a kind and size that is read."""


class TooLong(Exception):
    """A sound of more seconds than are listened to."""


@dataclass(frozen=True, slots=True)
class Sound:
    """OGG, mono; `seconds` as they were decoded, whatever its sender says."""

    content: bytes
    seconds: int


def begin() -> None:
    """Begin the process: what takes more memory than it may ends as unreadable."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def picture(content: bytes) -> bytes:
    """The first frame as a JPEG of at most `LONGEST_SIDE` pixels. Raises Unreadable."""
    try:
        with Image.open(io.BytesIO(content), formats=list(MOST_PIXELS)) as image:
            if image.width * image.height > MOST_PIXELS[image.format or ""]:
                raise Unreadable("too large")
            image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
            image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, SyntaxError, ValueError, MemoryError, Image.DecompressionBombError) as error:
        raise Unreadable(type(error).__name__) from None
    # What Pillow keeps of the file beside its pixels stays behind.
    clean = Image.new("RGB", upright.size)
    clean.paste(upright)
    buffer = io.BytesIO()
    clean.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def sound(content: bytes, longest: int) -> Sound:
    """A voice message of at most `longest` seconds. Raises Unreadable and TooLong."""
    encoded = io.BytesIO()
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as spoken:
            rate = spoken.samplerate
            if spoken.format not in SOUNDS or spoken.channels > 2 or rate not in SAMPLE_RATES:
                raise Unreadable(spoken.format)
            frames = 0
            kind = "OPUS" if rate in OPUS_RATES else "VORBIS"
            with soundfile.SoundFile(encoded, "w", rate, 1, format="OGG", subtype=kind) as written:
                # A second at a time: the header of a file can promise any length.
                while len(block := spoken.read(rate, dtype="float32", always_2d=True)):
                    frames += len(block)
                    if frames > longest * rate:
                        raise TooLong
                    written.write(block.mean(axis=1))
    except (soundfile.SoundFileError, MemoryError) as error:
        raise Unreadable(type(error).__name__) from None
    if not frames:
        raise Unreadable("silence")
    return Sound(encoded.getvalue(), math.ceil(frames / rate))
