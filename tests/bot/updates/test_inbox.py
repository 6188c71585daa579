"""An update is written down before it counts as received, and handled once and in order."""

import asyncio
import os
from collections.abc import AsyncIterator

import pytest_asyncio
from aiogram import Dispatcher
from aiogram.types import Update
from sqlalchemy import select

from bot.models import ReceivedUpdate
from bot.texts import Texts
from bot.updates.dispatch import handler
from bot.updates.inbox import Inbox, TryAgain, chat_of
from generation.runtime import telegram as api
from generation.runtime.background import periodically
from generation.runtime.database import Database
from sandbox.settings import ProductSettings


def update(number: int, chat_id: int = 1) -> Update:
    chat = {"id": chat_id, "type": "private", "first_name": "A"}
    sender = {"id": chat_id, "is_bot": False, "first_name": "A"}
    message = {"message_id": number, "date": 0, "chat": chat, "from": sender, "text": f"m{number}"}
    return Update.model_validate({"update_id": number, "message": message})


class Desk:
    """Handles updates as it is told to."""

    def __init__(self) -> None:
        self.handled: list[int] = []
        self.failures = 0
        self.stuck: asyncio.Event | None = None

    async def __call__(self, it: Update) -> None:
        if self.failures:
            self.failures -= 1
            raise TryAgain("told to")
        if self.stuck:
            await self.stuck.wait()
        self.handled.append(it.update_id)

    async def until(self, count: int) -> list[int]:
        async with asyncio.timeout(15):
            while len(self.handled) < count:
                await asyncio.sleep(0.01)
        return self.handled


@pytest_asyncio.fixture
async def desk() -> Desk:
    return Desk()


@pytest_asyncio.fixture
async def inbox(database: Database, desk: Desk) -> AsyncIterator[Inbox]:
    inbox = Inbox(database, bot_id=1, replica="a", handle=desk)
    yield inbox
    await inbox.finish(5)


async def rows(database: Database) -> list[ReceivedUpdate]:
    async with database.unit() as session:
        return list(await session.scalars(select(ReceivedUpdate).order_by(ReceivedUpdate.update_id)))


async def test_a_redelivered_update_is_handled_once(inbox: Inbox, desk: Desk) -> None:
    for _ in range(3):
        await inbox.receive([update(1), update(2)])
    await inbox.receive([update(3)])
    assert await desk.until(3) == [1, 2, 3]


async def test_it_is_in_the_table_before_receive_returns(database: Database, inbox: Inbox, desk: Desk) -> None:
    desk.stuck = asyncio.Event()
    await inbox.receive([update(1)])
    assert [row.update_id for row in await rows(database)] == [1]
    desk.stuck.set()
    await desk.until(1)


async def test_a_fault_that_passes_keeps_the_order(inbox: Inbox, desk: Desk) -> None:
    desk.failures = 2
    await inbox.receive([update(1), update(2), update(3)])
    assert await desk.until(3) == [1, 2, 3]


async def test_an_update_that_never_works_is_given_up_and_the_next_is_handled(
    database: Database, desk: Desk
) -> None:
    inbox = Inbox(database, bot_id=1, replica="a", handle=desk, patience=0)
    desk.failures = 1
    await inbox.receive([update(1), update(2)])
    assert await desk.until(1) == [2]
    await inbox.finish(5)


async def test_a_row_that_no_longer_fits_aiogram_is_passed_over(database: Database, desk: Desk) -> None:
    inbox = Inbox(database, bot_id=1, replica="a", handle=desk)
    async with database.unit() as session:
        session.add(ReceivedUpdate(bot_id=1, update_id=1, chat_id=1, payload={"update_id": "what?"}))
    await inbox.receive([update(2)])
    assert await desk.until(1) == [2]
    await inbox.finish(5)


async def test_a_chat_whose_task_broke_off_lives_again(database: Database, desk: Desk) -> None:
    broken = True

    async def handle(it: Update) -> None:
        nonlocal broken
        if broken:
            broken = False
            raise RuntimeError("not foreseen")
        await desk(it)

    inbox = Inbox(database, bot_id=1, replica="a", handle=handle)
    await inbox.receive([update(1)])
    await asyncio.sleep(0.2)
    looking = asyncio.create_task(periodically(0.1, inbox.look_around, name="inbox", at_once=True))
    assert await desk.until(1) == [1]
    looking.cancel()
    await inbox.finish(5)


async def test_what_a_killed_bot_left_behind_is_handled_after_the_start(database: Database, desk: Desk) -> None:
    hanging = Desk()
    hanging.stuck = asyncio.Event()
    dead = Inbox(database, bot_id=1, replica="dead", handle=hanging)
    await dead.receive([update(1), update(2, chat_id=2)])
    await asyncio.sleep(0.1)
    await dead.finish(0)
    heir = Inbox(database, bot_id=1, replica="heir", handle=desk)
    await heir.take_over()
    looking = asyncio.create_task(periodically(0.1, heir.look_around, name="inbox", at_once=True))
    assert sorted(await desk.until(2)) == [1, 2]
    looking.cancel()
    await heir.finish(5)


async def test_a_replica_leaves_a_chat_alone_that_a_living_one_has(database: Database, desk: Desk) -> None:
    busy = Desk()
    busy.stuck = asyncio.Event()
    first = Inbox(database, bot_id=1, replica="first", handle=busy)
    second = Inbox(database, bot_id=1, replica="second", handle=desk)
    await first.receive([update(1)])
    await asyncio.sleep(0.1)
    await second.receive([update(2), update(3, chat_id=3)])
    assert await desk.until(1) == [3]
    busy.stuck.set()
    await first.receive([update(4)])
    assert await busy.until(3) == [1, 2, 4]
    await first.finish(5)
    await second.finish(5)


def test_updates_are_ordered_by_chat_or_person() -> None:
    assert chat_of(update(1, chat_id=5)) == 5
    user = {"id": 9, "is_bot": False, "first_name": "B"}
    query = {"id": "1", "from": user, "currency": "XTR", "total_amount": 1, "invoice_payload": "x"}
    assert chat_of(Update.model_validate({"update_id": 1, "pre_checkout_query": query})) == 9
    assert chat_of(Update.model_validate({"update_id": 1})) == 0


async def die_with(inbox: Inbox) -> None:
    """As kill -9 does it: nothing is given back."""
    tasks = list(inbox._chats.values())
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_an_update_that_three_processes_died_with_is_put_away_and_the_chat_goes_on(
    database: Database, desk: Desk
) -> None:
    put_away: list[tuple[str, int]] = []

    async def note(kind: str, chat_id: int) -> None:
        put_away.append((kind, chat_id))

    deadly = Desk()
    deadly.stuck = asyncio.Event()
    for number in range(3):
        # Numbers that no process has.
        inbox = Inbox(database, bot_id=1, replica=f"here:{90_000_000 + number}", handle=deadly)
        if number == 0:
            await inbox.receive([update(1), update(2)])
        else:
            await inbox.take_over()
            await inbox.look_around()
        await claimed(database, 1, by=f"here:{90_000_000 + number}")
        await die_with(inbox)
    heir = Inbox(database, bot_id=1, replica="here:1", handle=desk, put_away=note)
    await heir.take_over()
    await heir.look_around()
    assert await desk.until(1) == [2]
    await heir.finish(5)
    assert put_away == [("message", 1)]
    first = (await rows(database))[0]
    assert (first.deaths, first.payload) == (3, None)
    assert first.handled_at is not None


async def test_an_update_of_no_known_kind_is_finished_once_and_for_all(
    settings: ProductSettings, database: Database, desk: Desk
) -> None:
    dispatcher = Dispatcher()
    texts = Texts()
    bot = api.connect(settings)
    inbox = Inbox(database, bot_id=1, replica="a", handle=handler(bot, dispatcher, texts, database))
    await inbox.receive([Update.model_validate({"update_id": 1, "something_new": {"chat": {"id": 1}}})])
    async with asyncio.timeout(5):
        while (await rows(database))[0].handled_at is None:
            await asyncio.sleep(0.01)
    await inbox.finish(5)
    await bot.session.close()


async def test_words_whose_fate_is_unknown_are_said_once_more_at_most(database: Database) -> None:
    said = 0

    async def handle(_update: Update) -> None:
        nonlocal said
        said += 1
        raise TryAgain("TelegramNetworkError", unsure=True)

    inbox = Inbox(database, bot_id=1, replica="a", handle=handle)
    await inbox.receive([update(1)])
    async with asyncio.timeout(10):
        while (await rows(database))[0].handled_at is None:
            await asyncio.sleep(0.01)
    await inbox.finish(5)
    assert said == 2


async def test_a_late_update_with_a_lower_number_is_handled_as_well(inbox: Inbox, desk: Desk) -> None:
    await inbox.receive([update(5)])
    assert await desk.until(1) == [5]
    await inbox.receive([update(4)])
    assert await desk.until(2) == [5, 4]


async def test_what_a_living_process_holds_is_not_taken_from_it(database: Database, desk: Desk) -> None:
    hanging = Desk()
    hanging.stuck = asyncio.Event()
    first = Inbox(database, bot_id=1, replica=f"here:{os.getppid()}", handle=hanging)
    await first.receive([update(1)])
    await claimed(database, 1, by="here")
    second = Inbox(database, bot_id=1, replica=f"here:{os.getpid()}", handle=desk)
    elsewhere = Inbox(database, bot_id=1, replica="there:1", handle=desk)
    for other in (second, elsewhere):
        await other.take_over()
        await other.look_around()
    await asyncio.sleep(0.3)
    assert desk.handled == []
    for each in (first, second, elsewhere):
        await each.finish(0)


async def claimed(database: Database, update_id: int, *, by: str) -> None:
    async with asyncio.timeout(15):
        while not any(row.update_id == update_id and row.claimed_by and by in row.claimed_by
                      for row in await rows(database)):  # fmt: skip
            await asyncio.sleep(0.01)


async def test_a_process_that_stops_in_order_is_no_death(database: Database, desk: Desk) -> None:
    """Deploys in the middle of long answers must not put anything away."""
    waiting = Desk()
    waiting.stuck = asyncio.Event()
    for number in range(4):
        inbox = Inbox(database, bot_id=1, replica=f"deploy {number}", handle=waiting)
        if number == 0:
            await inbox.receive([update(1)])
        else:
            await inbox.look_around()
        await claimed(database, 1, by=f"deploy {number}")
        await inbox.finish(0)
    assert [row.deaths for row in await rows(database)] == [0]
    heir = Inbox(database, bot_id=1, replica="heir", handle=desk)
    await heir.look_around()
    assert await desk.until(1) == [1]
    await heir.finish(5)


async def test_more_in_a_chat_in_hand_is_heard_of_though_nobody_told(database: Database, desk: Desk) -> None:
    heard: list[tuple[int, Update | None]] = []
    has_chat = Inbox(database, bot_id=1, replica="a", handle=desk, arrived=lambda *it: heard.append(it))
    desk.stuck = asyncio.Event()
    await has_chat.receive([update(1)])
    await has_chat.look_around()
    heard.clear()
    await Inbox(database, bot_id=1, replica="b", handle=None).receive([update(2)])
    await has_chat.look_around()
    assert heard == [(1, None)]
    desk.stuck.set()
    assert await desk.until(2) == [1, 2]
    await has_chat.finish(5)
