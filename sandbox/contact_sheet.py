"""`make sheet`: plays dialogue.toml with the whole product on the stand-ins and shows what came of each turn.

Writes docs/dialogue.md (decision, reason, lasting scene and prompt of every turn) and docs/dialogue.png (the
pictures, drawn by the stand-in for ComfyUI: colours follow the outfit, the background follows the place).
"""

import argparse
import asyncio
import io
import json
import tempfile
import textwrap
import tomllib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from PIL import Image, ImageDraw, ImageFont
from sqlalchemy import select

from bot.models import Dialogue, ReceivedUpdate
from bot.personas.scene import MARKER
from generation import storage
from generation.models import Photo, PhotoStatus, RenderWorker
from generation.runtime.database import Database
from generation.storage import Storage
from sandbox import cluster
from sandbox.comfyui import ComfyUIServer, Cost
from sandbox.llm import LanguageModelServer
from sandbox.people import Chats
from sandbox.telegram import TelegramServer
from sandbox.telegram.flood import Flood
from sandbox.wiring import bot_running, product_settings, worker_running

SCRIPT = Path(__file__).parent / "dialogue.toml"
DOCS = Path(__file__).parents[1] / "docs"
PERSON = 1001
COLUMNS, WIDTH, HEIGHT, CAPTION = 5, 240, 350, 88


@dataclass(frozen=True, slots=True)
class Taken:
    """One turn of the script and what came of it."""

    number: int
    said: str
    answered: str
    rule: str
    reason: str
    scene: dict[str, str]
    photo: Photo | None
    picture: bytes


async def main() -> None:
    script = tomllib.loads(SCRIPT.read_text("utf-8"))
    async with _everything() as stage:
        await stage.enter(script["persona"])
        taken = [await stage.take(number, turn) for number, turn in enumerate(script["turns"], 1)]
    (DOCS / "dialogue.md").write_text(_page(taken), "utf-8")
    _sheet([each for each in taken if each.picture]).save(DOCS / "dialogue.png")
    photos = sum(bool(each.picture) for each in taken)
    print(f"{len(taken)} turns, {photos} photos: docs/dialogue.md, docs/dialogue.png")


class Stage:
    """The running product, as the script sees it."""

    def __init__(
        self, chats: Chats, llm: LanguageModelServer, database: Database, bucket: Storage, log: list[Any]
    ) -> None:
        self._chats = chats
        self._log = log
        self._llm = llm
        self._database = database
        self._bucket = bucket
        self._answers = 0
        self._photos = 0

    async def enter(self, persona: str) -> None:
        """From /start to the opening words, once a worker is there."""
        while True:
            async with self._database.unit() as session:
                if await session.scalar(select(RenderWorker.name).where(RenderWorker.problem.is_(None))):
                    break
            await asyncio.sleep(0.05)
        await self._chats.say(PERSON, "/start")
        await self._chats.press(PERSON, "18")
        await self._chats.press(PERSON, persona)
        await self._settled()
        self._answers = len(await self._chats.texts(PERSON))

    async def take(self, number: int, turn: dict[str, Any]) -> Taken:
        self._log.clear()
        if answer := turn.get("answer"):
            line = f"\n{MARKER} {json.dumps(turn['scene'])}" if "scene" in turn else ""
            self._llm.faults.add(path="completion", kind="say", text=f"{answer}{line}")
        if label := turn.get("press"):
            await self._chats.press(PERSON, label)
        else:
            await self._chats.say(PERSON, turn["person"])
        await self._settled()
        texts = await self._chats.texts(PERSON)
        answered, self._answers = " / ".join(texts[self._answers :]), len(texts)
        photo = await self._new_photo()
        rule, reason = (photo.rule, photo.reason) if photo else self._decided()
        picture = await self._bucket.get(photo.object_key) if photo and photo.object_key else b""
        return Taken(
            number, turn.get("person") or f"[{label}]", answered, rule, reason, await self._scene(), photo, picture
        )

    async def _settled(self) -> None:
        """Until every update is handled and every photo has ended."""
        while True:
            await asyncio.sleep(0.05)
            async with self._database.unit() as session:
                received = (await session.scalars(select(ReceivedUpdate.handled_at))).all()
                statuses = set(await session.scalars(select(Photo.status)))
            if received and all(received) and statuses <= {PhotoStatus.DELIVERED, PhotoStatus.DROPPED}:
                return

    async def _new_photo(self) -> Photo | None:
        async with self._database.unit() as session:
            photo = await session.scalar(
                select(Photo).where(Photo.id > self._photos, Photo.status == PhotoStatus.DELIVERED)
            )
        self._photos = photo.id if photo else self._photos
        return photo

    def _decided(self) -> tuple[str, str]:
        """Rule and reason of a turn without a photo, from the log; a refused message has neither."""
        decided = [line for line in self._log if line["event"] == "turn.answered"]
        self._log.clear()
        return (decided[-1]["rule"], decided[-1]["reason"]) if decided else ("policy", "the message was refused")

    async def _scene(self) -> dict[str, str]:
        async with self._database.unit() as session:
            return dict((await session.scalars(select(Dialogue.scene).where(Dialogue.ended_at.is_(None)))).one())


@asynccontextmanager
async def _everything() -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        servers = await stack.enter_async_context(cluster.servers())
        servers.postgres.create_database("sheet", template=cluster.TEMPLATE)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="vitte-sheet-"))
        cost = Cost(batch=(0.05,), swap=0.0)
        comfyui = await stack.enter_async_context(ComfyUIServer(Path(folder), cost=cost))
        # A script is played faster than anybody writes.
        unlimited = Flood(overall=None, private=None, group=None)
        telegram = await stack.enter_async_context(TelegramServer(flood=unlimited))
        llm = await stack.enter_async_context(LanguageModelServer())
        settings = product_settings(
            servers,
            "sheet",
            comfyui_url=comfyui.url,
            telegram_url=telegram.url,
            llm_url=llm.url,
            # The script is played in seconds: the distance in time would suppress what it is to show.
            free_photo_cooldown=0,
            # No summary in between, which would take a line of the script.
            free_memory_tokens=100_000,
            messages_at_once=1000,
        )
        bucket = await stack.enter_async_context(storage.opened(settings))
        await bucket.create_bucket()
        database = Database(settings.database)
        stack.push_async_callback(database.close)
        chats = await stack.enter_async_context(Chats(telegram.url))
        await stack.enter_async_context(bot_running(settings))
        await stack.enter_async_context(worker_running(settings))
        log = stack.enter_context(structlog.testing.capture_logs())
        yield Stage(chats, llm, database, bucket, log)


# -- showing -------------------------------------------------------------------------------------------


def _page(taken: list[Taken]) -> str:
    photos = sum(each.photo is not None for each in taken)
    lines = [
        "# One dialogue, turn by turn",
        "",
        f"Made by `make sheet` from sandbox/dialogue.toml: {len(taken)} turns with the whole product on the",
        f"stand-ins, {photos} photos. The pictures are the ComfyUI stand-in's; what is real is every decision and",
        "every prompt.",
        "A scene line that changes clothes or place without a word about it (turns 3, 14 and 25) changes nothing;",
        "in turns 8, 9, 10, 15 and 16 the model gave no scene line, and the words themselves decided.",
        "The distance in time is off here: the script is played in seconds.",
        "",
        "![The pictures](dialogue.png)",
        "",
        "| # | person | Alisa | decision | lasting outfit, place, light | prompt |",
        "|---|---|---|---|---|---|",
    ]
    for each in taken:
        decision = f"{'**photo**, ' if each.photo else 'no photo, '}{each.rule}: {each.reason}"
        lasting = "; ".join(each.scene.get(name, "") or "–" for name in ("outfit", "place", "light"))
        cells = (
            str(each.number),
            each.said,
            each.answered,
            decision,
            lasting,
            each.photo.prompt if each.photo else "",
        )
        lines.append(f"| {' | '.join(cell.replace('|', '/').replace(chr(10), ' ') for cell in cells)} |")
    return "\n".join([*lines, ""])


def _sheet(taken: list[Taken]) -> Image.Image:
    rows = -(-len(taken) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * WIDTH, rows * (HEIGHT + CAPTION)), (250, 249, 246))
    layer, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for index, each in enumerate(taken):
        left, top = index % COLUMNS * WIDTH, index // COLUMNS * (HEIGHT + CAPTION)
        with Image.open(io.BytesIO(each.picture)) as picture:
            picture.thumbnail((WIDTH - 12, HEIGHT - 12))
            sheet.paste(picture, (left + (WIDTH - picture.width) // 2, top + 6))
        caption = [f"{each.number}. {each.rule}", *textwrap.wrap(each.scene.get("outfit", ""), 34)[:2]]
        caption += textwrap.wrap(each.scene.get("place", ""), 34)[:1]
        layer.multiline_text((left + 10, top + HEIGHT), "\n".join(caption), (40, 40, 46), font, spacing=3)
    return sheet


if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m sandbox.contact_sheet", description=__doc__).parse_args()
    asyncio.run(main())
