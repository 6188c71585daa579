"""/broadcast: previewed, to an audience, paced, stoppable, gone on with after a restart, never twice."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from unittest.mock import AsyncMock

import pytest_asyncio
from sqlalchemy import insert, select, update

from bot.admin import broadcast_sender
from bot.admin.broadcast_sender import BroadcastSender
from bot.app import Application
from bot.models import Broadcast, BroadcastStatus, Person
from bot.telegram.flood_control import RetryAfterMiddleware
from bot.texts import Texts
from generation.runtime import telegram as api
from generation.runtime.background import periodically
from generation.runtime.database import Database
from generation.storage import Storage
from sandbox.settings import ProductSettings
from sandbox.telegram import TelegramServer
from sandbox.wiring import bot_running
from tests.conftest import all_handled
from tests.player import Json, Player, has_buttons, labels, says

OLGA = 1003


@pytest_asyncio.fixture
async def olga(telegram: TelegramServer, bot: Application) -> AsyncIterator[Player]:
    async with Player(telegram.url, OLGA) as player:
        await player.enter("Алиса")
        yield player


async def ended(database: Database, *statuses: BroadcastStatus) -> Broadcast:
    async with asyncio.timeout(20):
        while True:
            async with database.unit() as session:
                row = (await session.scalars(select(Broadcast))).one()
            if row.status in statuses and row.ended_at is not None:
                return row
            await asyncio.sleep(0.05)


async def news(player: Player) -> list[Json]:
    return [it for it in await player.messages() if it["from"]["is_bot"] and "Новость" in it.get("text", "")]


async def start(olga: Player, audience: str) -> None:
    await olga.say("/broadcast Новость дня")
    await olga.press(await olga.hears(says("Кому отправить?")), audience)
    await olga.press(await olga.hears(says("Отправляем?")), "Отправить")


async def test_everybody_who_can_be_reached_gets_it_once(
    olga: Player, anya: Player, ben: Player, database: Database
) -> None:
    await anya.enter("Алиса")
    await ben.enter("Alisa")
    await ben.block()
    await all_handled(database)
    await olga.say("/broadcast Новость дня")
    question = await olga.hears(says("Кому отправить?"))
    # Ben blocked the bot.
    assert labels(question)[:1] == ["Все: 2"]
    await olga.press(question, "Все")
    sure = await olga.hears(says("Все: 2 человека. Отправляем?"))
    for _ in range(2):
        await olga.press(sure, "Отправить")
    row = await ended(database, BroadcastStatus.DONE)
    assert (row.total, row.sent, row.missed) == (2, 2, 0)
    await olga.notices("edited", says("Готово. Получили 2 из 2"))
    assert len(await news(anya)) == 1
    assert len(await news(ben)) == 0


async def test_one_who_blocked_unnoticed_is_counted_and_left_alone(
    olga: Player, anya: Player, database: Database
) -> None:
    await anya.enter("Алиса")
    await anya.block()
    await all_handled(database)
    async with database.unit() as session:
        await session.execute(update(Person).values(blocked_at=None))
    await start(olga, "По-русски")
    row = await ended(database, BroadcastStatus.DONE)
    assert (row.sent, row.missed) == (1, 1)
    async with database.unit() as session:
        assert (await session.get_one(Person, anya.id)).blocked_at is not None


async def test_only_the_audience_that_was_chosen(
    olga: Player, anya: Player, ben: Player, database: Database
) -> None:
    await anya.enter("Алиса")
    await ben.enter("Alisa")
    await all_handled(database)
    await start(olga, "Премиум")
    row = await ended(database, BroadcastStatus.DONE)
    assert (row.total, row.sent) == (1, 1)
    assert len(await news(ben)) == 1
    assert await news(anya) == []


async def test_it_can_be_stopped(olga: Player, settings: ProductSettings, database: Database) -> None:
    await crowd(database, 200)
    await start(olga, "Все")
    running = await olga.notices("edited", lambda it: "из 201" in it.get("text", ""))
    await olga.press(running, "Остановить")
    await olga.press(await olga.hears(says("Остановить?")), "Да")
    row = await ended(database, BroadcastStatus.STOPPED)
    assert row.sent + row.missed < 200


async def crowd(database: Database, count: int) -> None:
    """People whom Telegram does not know: each is missed."""
    async with database.unit() as session:
        await session.execute(
            insert(Person),
            [{"id": 5000 + n, "locale": "ru", "adult_confirmed_at": datetime.now(UTC)} for n in range(count)],
        )


async def running_broadcast(database: Database, olga: Player, **values: Any) -> None:
    await olga.say("Новость дня")
    await all_handled(database)
    message = next(it for it in reversed(await olga.messages()) if it.get("text") == "Новость дня")
    async with database.unit() as session:
        session.add(
            Broadcast(
                admin_id=OLGA, from_chat_id=OLGA, message_id=message["message_id"], audience="all",
                **{"status": BroadcastStatus.RUNNING, "total": 3, **values},
            )
        )  # fmt: skip


async def test_nobody_is_left_out_because_telegram_is_ill(
    olga: Player, anya: Player, ben: Player, telegram: TelegramServer, database: Database
) -> None:
    await anya.enter("Алиса")
    await ben.enter("Alisa")
    ill = {"ok": False, "error_code": 502, "description": "Bad Gateway"}
    telegram.faults.add(path="copyMessage", kind="status", status=502, body=ill, times=2)
    await running_broadcast(database, olga)
    row = await ended(database, BroadcastStatus.DONE)
    assert (row.sent, row.missed) == (3, 0)
    assert len(await news(anya)) == len(await news(ben)) == 1


async def test_a_replica_that_fell_asleep_lets_the_other_one_go_on(
    olga: Player, settings: ProductSettings, database: Database
) -> None:
    await crowd(database, 5)
    await running_broadcast(database, olga, status=BroadcastStatus.STOPPED)
    asleep = BroadcastSender(settings=settings, database=database, bot=AsyncMock(), texts=Texts())
    async with database.unit() as session:
        await session.execute(update(Broadcast).values(status=BroadcastStatus.RUNNING, lease_until=None))
    mine = await asleep._claim()
    assert mine is not None
    assert await asleep._claim() is None
    async with database.unit() as session:
        await session.execute(update(Broadcast).values(last_person_id=5002))
    first = await asleep._next(mine)
    assert first is not None
    assert not await asleep._move_to(mine, first)


async def test_a_pause_that_is_longer_than_the_lease_keeps_it(
    settings: ProductSettings, bucket: Storage, telegram: TelegramServer, ben: Player, database: Database
) -> None:
    """Telegram says 429 for longer than another replica would wait for this one."""
    async with bot_running(settings), Player(telegram.url, OLGA) as olga:
        await olga.enter("Алиса")
        await ben.enter("Alisa")
        await olga.say("Новость дня")
        await all_handled(database)
        message = next(it for it in reversed(await olga.messages()) if it.get("text") == "Новость дня")
    async with database.unit() as session:
        session.add(
            Broadcast(admin_id=OLGA, from_chat_id=OLGA, message_id=message["message_id"], audience="all",
                      status=BroadcastStatus.RUNNING, total=2)
        )  # fmt: skip
    flood = {"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": 2}}
    telegram.faults.add(path="copyMessage", kind="status", status=429, body=flood)
    api_bot = api.connect(settings, RetryAfterMiddleware())
    here, there = (
        BroadcastSender(settings=settings, database=database, bot=api_bot, texts=Texts(), lease=0.6)
        for _ in range(2)
    )
    sending = asyncio.create_task(here.look())
    taken_over = []
    while not sending.done():
        # From the moment that it is sent, nobody else may take it.
        if not telegram.faults.pending:
            taken_over.append(await there._claim())
        await asyncio.sleep(0.1)
    await sending
    await api_bot.session.close()
    assert taken_over
    assert set(taken_over) == {None}
    row = await ended(database, BroadcastStatus.DONE)
    assert (row.sent, row.missed) == (2, 0)


async def test_after_a_restart_it_goes_on_where_it_was(
    settings: ProductSettings,
    bucket: Storage,
    telegram: TelegramServer,
    anya: Player,
    ben: Player,
    database: Database,
) -> None:
    async with bot_running(settings), Player(telegram.url, OLGA) as olga:
        await olga.enter("Алиса")
        await anya.enter("Алиса")
        await ben.enter("Alisa")
        await olga.say("Новость дня")
        await all_handled(database)
        message = (await olga.messages())[-2]
    async with database.unit() as session:
        session.add(
            Broadcast(
                admin_id=OLGA, from_chat_id=OLGA, message_id=message["message_id"], audience="all",
                status=BroadcastStatus.RUNNING, total=3, sent=1, last_person_id=anya.id,
            )
        )  # fmt: skip
    bot = api.connect(settings)
    sender = BroadcastSender(settings=settings, database=database, bot=bot, texts=Texts())
    runner = asyncio.create_task(periodically(0.1, sender.look, name="broadcasts"))
    row = await ended(database, BroadcastStatus.DONE)
    runner.cancel()
    await asyncio.gather(runner, return_exceptions=True)
    await bot.session.close()
    assert (row.sent, row.last_person_id) == (3, OLGA)
    assert len(await news(ben)) == 1
    assert await news(anya) == []


async def test_it_is_for_operators_and_asks_for_a_message(olga: Player, ben: Player, database: Database) -> None:
    await olga.say("/broadcast")
    await olga.hears(says("Ответь командой"))
    await olga.say("/broadcast Новость")
    await olga.hears(says("Кому отправить?"))
    await ben.enter("Alisa")
    await ben.press_data(next(it for it in await ben.messages() if has_buttons(it)), "cast:1:all:1")
    await ben.notices("answer", says("no longer works"))
    await all_handled(database)
    async with database.unit() as session:
        assert (await session.scalars(select(Broadcast.status))).one() is BroadcastStatus.DRAFT
    assert broadcast_sender.PER_SECOND < 30
