"""Reference pictures of personas: files beside theirs, named by content, stored where every worker finds them."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from generation.storage import Storage, reference_key
from generation.workflows.workflow import OURS

#: Bytes of a picture at most, and pixels of its sides at least: smaller ones show no face.
MOST_BYTES, LEAST_SIDE = 4 * 1024 * 1024, 256
#: Formats that ComfyUI's LoadImage reads, and the endings that files get.
ENDINGS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}


class NoReference(ValueError):
    """A file that cannot be one; the text says why."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A picture by the name that orders and ComfyUI know. Another picture has another name."""

    name: str
    content: bytes
    format: str


def read(path: Path) -> Reference:
    """One picture. Raises NoReference."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise NoReference(f"{path.name} cannot be read: {error.strerror}") from None
    if len(content) > MOST_BYTES:
        raise NoReference(f"{path.name} has {len(content)} bytes, {MOST_BYTES} are possible")
    try:
        with Image.open(path) as picture:
            picture.load()
            kind, sides = str(picture.format), picture.size
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        raise NoReference(f"{path.name} is no whole picture") from None
    if kind not in ENDINGS:
        raise NoReference(f"{path.name} is {kind}: {', '.join(ENDINGS)} are possible")
    if min(sides) < LEAST_SIDE:
        raise NoReference(f"{path.name} has {sides[0]} x {sides[1]} pixels, {LEAST_SIDE} are needed")
    return Reference(f"{OURS}{sha256(content).hexdigest()[:40]}.{ENDINGS[kind]}", content, kind)


class References:
    """Brings pictures into S3, each once in the life of this process. Built by `bot.app`."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._stored: set[str] = set()

    async def store(self, references: Iterable[Reference]) -> None:
        """Put what is not there yet; raises StorageUnavailable, and goes on with the rest the next time."""
        for each in references:
            if each.name not in self._stored:
                content_type = f"image/{each.format.lower()}"
                await self._storage.put(reference_key(each.name), each.content, content_type=content_type)
                self._stored.add(each.name)
