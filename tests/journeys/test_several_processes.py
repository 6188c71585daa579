"""BOT_PROCESSES: one process takes the updates, several answer; a chat has one of them while it lives."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import psutil
import pytest_asyncio
from sqlalchemy import select

from bot.models import ReceivedUpdate
from generation.runtime.database import Database
from sandbox.llm import LanguageModelServer
from sandbox.settings import ProductSettings
from tests.journeys.conftest import Process, Processes
from tests.player import Player, has_text

There = Callable[..., Awaitable[None]]
#: Seconds for processes that import everything and load their models, on a machine that does other things as well.
START = 180


@pytest_asyncio.fixture
async def there(redis: Any, settings: ProductSettings) -> There:
    """Waits until so many processes say that they answer people, none of them with one of these numbers."""
    name = f"{settings.arq_queue}:bot:{settings.bot_token.get_secret_value().partition(':')[0]}:processes"

    async def there(count: int, *, without: int = 0) -> None:
        async with asyncio.timeout(START):
            while True:
                places = [each.decode().split(":")[-2] for each in await redis.zrange(name, 0, -1)]
                if len({each for each in places if each != str(without)}) >= count:
                    return
                await asyncio.sleep(0.05)

    return there


@pytest_asyncio.fixture
async def bot(processes: Processes, there: There) -> AsyncIterator[Process]:
    """Three processes: one takes updates, two answer."""
    supervisor = await processes.started_bot(BOT_PROCESSES="2", METRICS_PORT="0", TEXT_READERS="1")
    await there(2)
    yield supervisor
    if supervisor.returncode is None:
        supervisor.send_signal(signal.SIGTERM)
        await supervisor.wait()


def answering(bot: Process) -> set[int]:
    """The numbers of the processes that answer people."""
    children = psutil.Process(bot.pid).children()
    return {each.pid for each in children if "handle" in each.cmdline()}


async def holder(database: Database, chat_id: int) -> int:
    """The number of the process that has an update of this chat in hand."""
    in_hand = select(ReceivedUpdate.claimed_by).where(
        ReceivedUpdate.chat_id == chat_id,
        ReceivedUpdate.claimed_by.is_not(None),
        ReceivedUpdate.handled_at.is_(None),
    )
    async with asyncio.timeout(20):
        while True:
            async with database.unit() as session:
                if claimed_by := (await session.scalars(in_hand)).first():
                    return int(claimed_by.split(":")[-2])
            await asyncio.sleep(0.02)


async def test_a_chat_keeps_its_process_and_quick_texts_get_one_answer(
    bot: Process, llm: LanguageModelServer, database: Database, ben: Player, anya: Player
) -> None:
    await asyncio.gather(ben.enter("Alisa"), anya.enter("Алиса"))
    holders = set()
    for _ in range(3):
        llm.faults.add(path="completion", kind="delay", seconds=1)
        await ben.say("And then?")
        holders.add(await holder(database, ben.id))
        await ben.hears(has_text)
    assert len(holders) == 1
    assert holders <= answering(bot)

    llm.faults.add(path="completion", kind="hang")
    await ben.say("I have a question")
    while llm.faults.pending:
        await asyncio.sleep(0.02)
    await ben.say("What is your favourite season?")
    await ben.hears(has_text)
    asked = [message["content"] for message in llm.requests[-1]["messages"] if message["role"] == "user"]
    assert "I have a question" in asked[-1] or "I have a question" in asked[-2]
    said = [it["text"] for it in await ben.messages() if "text" in it]
    assert len(said[said.index("I have a question") + 1 :]) == 2


async def test_what_a_killed_process_had_in_hand_is_answered_once_by_the_one_after_it(
    bot: Process, llm: LanguageModelServer, database: Database, ben: Player, there: There
) -> None:
    await ben.enter("Alisa")
    llm.faults.add(path="completion", kind="hang")
    await ben.say("Are you there?")
    while llm.faults.pending:
        await asyncio.sleep(0.02)
    killed = await holder(database, ben.id)
    os.kill(killed, signal.SIGKILL)
    await there(2, without=killed)
    await ben.hears(has_text)
    said = [it["text"] for it in await ben.messages() if "text" in it]
    assert len(said[said.index("Are you there?") + 1 :]) == 1


async def test_when_it_is_told_to_stop_all_of_it_stops(bot: Process, ben: Player) -> None:
    await ben.enter("Alisa")
    children = psutil.Process(bot.pid).children(recursive=True)
    bot.send_signal(signal.SIGTERM)
    assert await bot.wait() == 0
    assert not [each for each in children if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


async def test_when_it_is_killed_the_others_end_by_themselves(bot: Process, ben: Player) -> None:
    await ben.enter("Alisa")
    children = [psutil.Process(pid) for pid in answering(bot)]
    bot.send_signal(signal.SIGKILL)
    await bot.wait()
    async with asyncio.timeout(60):
        while any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in children):
            await asyncio.sleep(0.05)
