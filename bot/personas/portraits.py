"""The gallery's pictures: portraits of a page put together, and the `file_id` that spares the next upload."""

import asyncio
import io
from collections.abc import Sequence
from pathlib import Path

from aiogram.types import BufferedInputFile, Message
from PIL import Image, ImageOps

from bot.personas.persona import FOLDER

#: Shown for a persona without a picture of her own.
NOBODY = "own"
#: Pixels of one portrait and of the line between two. Square, so that a phone shows all of it and the words below.
SIZE = (416, 416)
LINE = 6
COLUMNS = 2


class Portraits:
    """Pictures beside the personas' files, as `<key>.jpg`. One per process, built by `bot.app`."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._file_ids: dict[tuple[str, ...], str] = {}

    async def sheet(self, keys: Sequence[str]) -> BufferedInputFile | str:
        """The portraits of these personas, two in a row, as a file to upload or a `file_id` of it."""
        paths = tuple(str(self._path(key)) for key in keys)
        if known := self._file_ids.get(paths):
            return known
        return BufferedInputFile(await asyncio.to_thread(_sheet, paths), "personas.jpg")

    def remember(self, keys: Sequence[str], sent: Message | bool) -> None:
        """Keep what Telegram calls a picture that it has taken. Another bot's `file_id` is of no use to it."""
        if isinstance(sent, Message) and sent.photo:
            self._file_ids[tuple(str(self._path(key)) for key in keys)] = sent.photo[-1].file_id

    def _path(self, key: str) -> Path:
        own = self._folder / f"{key}.jpg"
        return own if own.is_file() else self._folder / f"{NOBODY}.jpg"


def _sheet(paths: Sequence[str]) -> bytes:
    columns = min(COLUMNS, len(paths))
    rows = -(-len(paths) // columns)
    width, height = SIZE[0] + LINE, SIZE[1] + LINE
    sheet = Image.new("RGB", (columns * width - LINE, rows * height - LINE), "white")
    for number, path in enumerate(paths):
        with Image.open(path) as portrait:
            # A face is in the upper half.
            small = ImageOps.fit(portrait.convert("RGB"), SIZE, centering=(0.5, 0.35))
        # The last one of an odd number stands in the middle.
        alone = len(paths) % columns and number == len(paths) - 1
        left = (sheet.width - SIZE[0]) // 2 if alone else number % columns * width
        sheet.paste(small, (left, number // columns * height))
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()
