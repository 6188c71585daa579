"""Attacks that held, and must go on holding; those that did not stand in the rooms that they were against."""

import asyncio
import json
import os
import pickle
import time
from pathlib import Path
from typing import Any

import pytest
from arq import ArqRedis, Worker
from arq.constants import job_key_prefix
from sqlalchemy import func, select

from bot.app import Application
from bot.models import AdminAction, Dialogue, Message, Person, PhotoGrant, Role
from bot.updates.menu import ADMIN_COMMANDS, COMMANDS
from generation.models import Photo, PhotoStatus
from generation.orders import jobs
from generation.runtime.database import Database
from generation.runtime.models import OperatorSwitch
from sandbox.llm import LanguageModelServer
from sandbox.settings import ProductSettings
from sandbox.wiring import bot_running
from tests.conftest import all_handled
from tests.player import Player, has_text

#: Commands that only operators have, with arguments that would do something.
OPERATORS = [
    *sorted(set(ADMIN_COMMANDS) - set(COMMANDS)),
    "maintenance on",
    "user 1003",
    "refund x",
    "broadcast all",
]


def as_everything(text: str, person_id: int) -> list[dict[str, Any]]:
    """One text in every form in which it can reach a bot."""
    user = {"id": person_id, "is_bot": False, "first_name": "Eve", "language_code": "en"}
    private = {"id": person_id, "type": "private", "first_name": "Eve"}
    group = {"id": -2001, "type": "supergroup", "title": "Group"}
    channel = {"id": -100500, "type": "channel", "title": "News"}
    command = [{"type": "bot_command", "offset": 0, "length": len(text.split(maxsplit=1)[0])}]
    said = {"message_id": 900, "date": 1, "from": user, "chat": private, "text": text, "entities": command}
    operator = {"id": 1003, "is_bot": False, "first_name": "Olga"}
    forwarded = {"type": "user", "date": 1, "sender_user": operator}
    return [
        {"message": said},
        {"edited_message": said | {"edit_date": 2}},
        {"message": said | {"chat": group}},
        {"message": said | {"forward_origin": forwarded}},
        {"message": said | {"via_bot": {"id": 5, "is_bot": True, "first_name": "b"}}},
        {"message": said | {"sender_chat": channel}},
        {"message": said | {"reply_to_message": said | {"from": operator, "message_id": 899}}},
        {"channel_post": {"message_id": 1, "date": 1, "chat": channel, "text": text, "entities": command}},
        {"edited_channel_post": {"message_id": 1, "date": 1, "edit_date": 2, "chat": channel, "text": text}},
        {"callback_query": {"id": "77", "from": user, "chat_instance": "1", "data": text[:64], "message": said}},
    ]


async def state_of_the_house(database: Database) -> tuple[Any, ...]:
    async with database.unit() as session:
        actions = await session.scalar(select(func.count()).select_from(AdminAction))
        switches = await session.scalar(select(func.count()).select_from(OperatorSwitch))
        grants = await session.scalar(select(func.count()).select_from(PhotoGrant))
        banned = await session.scalar(select(func.count()).where(Person.banned_at.is_not(None)))
    return actions, switches, grants, banned


async def test_what_operators_can_do_nobody_else_can_in_whatever_form_it_comes(
    bot: Application, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    before = await state_of_the_house(database)
    for command in OPERATORS:
        for update in as_everything(f"/{command}", ben.id):
            await ben.api("POST", "/updates", update)
        await all_handled(database)
    await all_handled(database)
    assert await state_of_the_house(database) == before
    shown = [it.get("text", "") for it in await ben.messages() if it["from"]["is_bot"]]
    assert not any(
        word in text for text in shown for word in ("Queue:", "Workers:", "Person 1003", "Premium until")
    )
    await ben.say("Hello")
    await ben.hears(has_text)


@pytest.mark.parametrize(
    "parameter",
    ["persona_../../etc/passwd", "persona_own_1", "ref_" + "x" * 600, "ref_' OR 1=1 --", "persona_alisa-ref_\x00",
     "ref_{0}", "%s%s%s", "persona_ALISA" * 40, "act:ban:1:1", "ref_1002"],
)  # fmt: skip
async def test_a_forged_link_is_a_plain_start(
    bot: Application, ben: Player, database: Database, parameter: str
) -> None:
    await ben.say(f"/start {parameter}")
    await ben.press(await ben.hears(lambda it: "reply_markup" in it), "18")
    await ben.hears(lambda it: "reply_markup" in it)
    await all_handled(database)
    async with database.unit() as session:
        assert (await session.get_one(Person, ben.id)).invited_by is None
        assert not await session.scalar(select(func.count()).select_from(Dialogue))


async def test_a_burst_at_the_last_photo_gives_one(
    settings: ProductSettings, bucket: object, ben: Player, database: Database
) -> None:
    """By words, by command and by buttons at once."""
    last = settings.model_copy(update={"premium_photos_a_day": 1, "free_photos_a_day": 1})
    async with bot_running(last):
        await ben.enter("Alisa")
        for number in range(12):
            text = "/photo" if number % 2 else "Send me a photo of you"
            await ben.api("POST", f"/people/{ben.id}/chats/{ben.id}/messages", {"text": text})
        await all_handled(database)
        (answer, *_) = [it for it in await ben.messages() if "reply_markup" in it][-1:]
        for _ in range(3):
            await ben.press_data(answer, "photo_again:1")
        await all_handled(database)
    async with database.unit() as session:
        photos = await session.scalars(select(Photo).where(Photo.status != PhotoStatus.DROPPED))
        assert len([photo for photo in photos if photo.status is not PhotoStatus.FAILED]) == 1


async def test_deep_json_of_a_model_is_words_like_any_other(
    bot: Application, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    for deep in ("[" * 50_000, '{"place":' * 20_000, '[scene] {"place": ' + "[" * 10_000 + "]" * 10_000 + "}"):
        llm.faults.add(path="completion", kind="say", text=f"I am here.\n[scene] {deep}")
        await ben.say("Hello")
        assert (await ben.hears(has_text))["text"].startswith("I am here.")
    await all_handled(database)
    async with database.unit() as session:
        said = select(func.count()).where(Message.role == Role.PERSONA, Message.update_id.is_not(None))
        assert await session.scalar(said) == 3


class Evil:
    """Runs a command where it is unpickled."""

    def __init__(self, touched: Path) -> None:
        self._touched = touched

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self._touched}",)


async def test_a_pickled_job_in_redis_runs_nothing_and_stops_nobody(
    bot: Application,
    worker: Worker,
    settings: ProductSettings,
    redis: ArqRedis,
    ben: Player,
    database: Database,
    tmp_path: Path,
) -> None:
    touched = tmp_path / "touched"
    job = {"t": 1, "f": jobs.RENDER, "a": (Evil(touched),), "k": {}, "et": 1}
    for queue in (settings.arq_queue, jobs.chores(settings.arq_queue)):
        await redis.set(f"{job_key_prefix}{queue}:evil", pickle.dumps(job))
        await redis.zadd(queue, {f"{queue}:evil": int(time.time() * 1000) - 1000})
    await ben.enter("Alisa")
    await ben.say("/photo by the window")
    await ben.photo()
    async with asyncio.timeout(20):
        while await redis.exists(*(f"{job_key_prefix}{queue}:evil" for queue in (settings.arq_queue,))):
            await asyncio.sleep(0.05)
    assert not touched.exists()


async def test_numbers_that_are_none_and_pages_that_are_not_are_stale(bot: Application, ben: Player) -> None:
    await ben.enter("Alisa")
    message = next(it for it in await ben.messages() if "reply_markup" in it)
    for data in (
        "photo_again:-1", "photo_again:9223372036854775808", "gallery:-5", "gallery:1e9", "like:٣", "persona:../x",
        json.dumps({"a": 1}), "photo_delete_surely:1", "answer_again:1; DROP TABLE people",
    ):  # fmt: skip
        await ben.press_data(message, data)
        await ben.answers()
    await ben.say("Hello")
    await ben.hears(has_text)
