"""The gallery's pictures: portraits of a page put together, and the `file_id` that spares the next upload."""

import asyncio
import io
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from aiogram.types import BufferedInputFile, Message
from PIL import Image, ImageOps

from bot.personas.persona import FOLDER, Persona
from generation.errors import ObjectGone, StorageUnavailable
from generation.storage import Storage

log = structlog.get_logger(__name__)

#: Shown for a persona without a picture of her own.
NOBODY = "own"
#: Pixels of one portrait and of the line between two. Square, so that a phone shows all of it and the words below.
SIZE = (416, 416)
LINE = 6
COLUMNS = 2
#: `file_id`s that are kept: every face that a person chose makes a sheet of its own.
KEPT = 1000


@dataclass(frozen=True, slots=True)
class Sheet:
    """A picture of personas: a file to upload, or the `file_id` of one.

    `of` names the pictures in it; empty where one of them could not be had this time.
    """

    media: BufferedInputFile | str
    of: tuple[str, ...]


class Portraits:
    """Pictures beside the personas' files, as `<key>.jpg`, and the chosen faces of people's own in S3.

    One per process, built by `bot.app`.
    """

    def __init__(self, originals: Storage, folder: Path = FOLDER) -> None:
        self._originals = originals
        self._folder = folder
        self._file_ids: OrderedDict[tuple[str, ...], str] = OrderedDict()

    async def sheet(self, personas: Mapping[str, Persona]) -> Sheet:
        """The portraits of these personas, two in a row."""
        of = tuple(persona.looks.face_key or str(self._path(key)) for key, persona in personas.items())
        if known := self._file_ids.get(of):
            self._file_ids.move_to_end(of)
            return Sheet(known, of)
        pictures = [await self._picture(persona, self._path(key)) for key, persona in personas.items()]
        if nobody := None in pictures:
            log.warning("portrait.not_there")
        known_ones = [each or self._folder / f"{NOBODY}.jpg" for each in pictures]
        content = await asyncio.to_thread(_sheet, known_ones)
        return Sheet(BufferedInputFile(content, "personas.jpg"), () if nobody else of)

    def remember(self, sheet: Sheet, sent: Message | bool) -> None:
        """Keep what Telegram calls a picture that it has taken. Another bot's `file_id` is of no use to it."""
        if isinstance(sent, Message) and sent.photo and sheet.of:
            self._file_ids[sheet.of] = sent.photo[-1].file_id
            while len(self._file_ids) > KEPT:
                self._file_ids.popitem(last=False)

    async def _picture(self, persona: Persona, path: Path) -> Path | io.BytesIO | None:
        """None while the face cannot be had."""
        if not persona.looks.face_key:
            return path
        try:
            return io.BytesIO(await self._originals.get(persona.looks.face_key))
        except (StorageUnavailable, ObjectGone):
            return None

    def _path(self, key: str) -> Path:
        own = self._folder / f"{key}.jpg"
        return own if own.is_file() else self._folder / f"{NOBODY}.jpg"


def _sheet(pictures: Sequence[Path | io.BytesIO]) -> bytes:
    columns = min(COLUMNS, len(pictures))
    rows = -(-len(pictures) // columns)
    width, height = SIZE[0] + LINE, SIZE[1] + LINE
    sheet = Image.new("RGB", (columns * width - LINE, rows * height - LINE), "white")
    for number, picture in enumerate(pictures):
        with Image.open(picture) as portrait:
            # A face is in the upper half.
            small = ImageOps.fit(portrait.convert("RGB"), SIZE, centering=(0.5, 0.35))
        # The last one of an odd number stands in the middle.
        alone = len(pictures) % columns and number == len(pictures) - 1
        left = (sheet.width - SIZE[0]) // 2 if alone else number % columns * width
        sheet.paste(small, (left, number // columns * height))
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()
