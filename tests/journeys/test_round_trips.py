"""How often the bot goes to PostgreSQL for one thing that a person does: growth is noticed here first."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest_asyncio
from sqlalchemy import Engine, event

from bot.app import Application
from generation.runtime.database import Database
from tests.conftest import all_handled
from tests.player import Player, has_buttons, has_text

#: Statements and transactions at most: 16 and 1, 4 and 1, 31 and 2 on 2026-11-27, and what is written every ten
#: seconds. A
#: statement is a round trip, a transaction two more.
TEXT, BUTTON, PHOTO = (18, 1), (6, 2), (33, 2)


@contextmanager
def counting(database: Database) -> Iterator[Counter[str]]:
    """What this bot's engine does within the block."""
    engine: Engine = database._engine.sync_engine
    counted: Counter[str] = Counter()

    def statement(*_: Any) -> None:
        counted["statements"] += 1

    def transaction(connection: Any) -> None:
        if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            counted["transactions"] += 1

    listeners = (("before_cursor_execute", statement), ("begin", transaction))
    for name, listener in listeners:
        event.listen(engine, name, listener)
    try:
        yield counted
    finally:
        for name, listener in listeners:
            event.remove(engine, name, listener)


@pytest_asyncio.fixture
async def talker(bot: Application, ben: Player, database: Database) -> AsyncIterator[Player]:
    """Somebody in the middle of a talk: what is done now and then has just been done."""
    await ben.enter("Alisa")
    await ben.say("Hello!")
    await ben.hears(has_text)
    await all_handled(database)
    yield ben


async def test_a_text(bot: Application, talker: Player, database: Database) -> None:
    with counting(bot.inbox._database) as counted:
        await talker.say("And then what happened?")
        await talker.hears(has_text)
        await all_handled(database)

    assert counted["statements"] <= TEXT[0]
    assert counted["transactions"] <= TEXT[1]


async def test_a_button(bot: Application, talker: Player, database: Database) -> None:
    await talker.say("/settings")
    page = await talker.hears(has_buttons)
    await all_handled(database)
    with counting(bot.inbox._database) as counted:
        await talker.press(page, "🌫")
        await talker.edited()
        await all_handled(database)

    assert counted["statements"] <= BUTTON[0]
    assert counted["transactions"] <= BUTTON[1]


async def test_a_photo(bot: Application, talker: Player, database: Database) -> None:
    """The words, the order and its release; the worker's own statements are not the bot's."""
    with counting(bot.inbox._database) as counted:
        await talker.say("Send me a photo of you, please")
        await talker.hears(has_text)
        await all_handled(database)

    assert counted["statements"] <= PHOTO[0]
    assert counted["transactions"] <= PHOTO[1]


async def test_a_round_of_the_inbox_with_nothing_to_do(
    bot: Application, talker: Player, database: Database
) -> None:
    """It comes 24 times a minute and bot; `make bench ARGS=idle` measures the whole minute of all processes."""
    await all_handled(database)
    with counting(bot.inbox._database) as counted:
        await bot.inbox.look_around()

    assert counted["statements"] <= 2
    assert not counted["transactions"]


async def test_a_short_answer_takes_four_calls_of_telegram_at_most(
    bot: Application, talker: Player, database: Database
) -> None:
    """Typing, the message, the old button away; a draft only where the answer takes its time."""
    calls = list[str]()

    async def count(make_request: Any, bot: Any, method: Any) -> Any:
        calls.append(method.__api_method__)
        return await make_request(bot, method)

    bot.bot.session.middleware(count)
    await talker.say("And then what happened?")
    await talker.hears(has_text)
    await all_handled(database)
    await talker.notices("edited", lambda _: True)

    assert [each for each in calls if each != "getUpdates"].count("sendMessage") == 1
    assert len([each for each in calls if each != "getUpdates"]) <= 4
