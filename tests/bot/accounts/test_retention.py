"""What is old is let go, what is young or not yet summarised stays."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest_asyncio
from sqlalchemy import select

from bot.accounts.retention import TalkRetention
from bot.app import Application
from bot.models import Dialogue, Message, Person, Role
from generation.models import DiscardedObject, Photo, PhotoStatus
from generation.orders.retention import PhotoRetention
from generation.runtime.database import Database
from generation.settings import RetentionSettings
from tests.player import Player, says

NOW = datetime.now(UTC)
KEPT = RetentionSettings(
    keep_messages_days=100, keep_ended_talks_days=30, keep_prompts_days=10, keep_originals_days=20
)
FOR_EVER = RetentionSettings(
    keep_messages_days=0, keep_ended_talks_days=0, keep_prompts_days=0, keep_originals_days=0
)


@pytest_asyncio.fixture
async def person(database: Database) -> int:
    async with database.unit() as session:
        session.add(Person(id=77, locale="en"))
    return 77


async def dialogue(database: Database, person: int, *, ended: float | None = None, **values: Any) -> int:
    """With a message of each age in days, oldest first; `summarised` of them are in the summary."""
    ages, summarised = values["ages"], values.get("summarised", 0)
    async with database.unit() as session:
        row = Dialogue(
            person_id=person,
            persona="alisa",
            story="attic",
            scene={},
            gap=3,
            answers=0,
            answers_since_photo=0,
            summary="They talked.",
            summarised_to=0,
            ended_at=NOW - timedelta(days=ended) if ended is not None else None,
        )
        session.add(row)
        await session.flush()
        said = [
            Message(dialogue_id=row.id, role=Role.PERSON, text=f"{age}", created_at=NOW - timedelta(days=age))
            for age in ages
        ]
        for each in said:
            session.add(each)
            await session.flush()
        row.summarised_to = said[summarised - 1].id if summarised else 0
        return row.id


async def texts(database: Database, dialogue_id: int) -> list[str]:
    async with database.unit() as session:
        query = select(Message.text).where(Message.dialogue_id == dialogue_id).order_by(Message.id)
        return list(await session.scalars(query))


async def test_what_a_summary_stands_for_goes_when_it_is_old(database: Database, person: int) -> None:
    talk = await dialogue(database, person, ages=[400, 200, 50, 300], summarised=3)
    await TalkRetention(KEPT).round(database)
    assert await texts(database, talk) == ["50", "300"]


async def test_a_talk_is_emptied_some_time_after_its_end(database: Database, person: int) -> None:
    old = await dialogue(database, person, ended=31, ages=[32, 31])
    young = await dialogue(database, person, ended=29, ages=[32, 31])
    await TalkRetention(KEPT).round(database)
    assert (await texts(database, old), await texts(database, young)) == ([], ["32", "31"])
    async with database.unit() as session:
        assert (await session.get_one(Dialogue, old)).summary == ""
        assert (await session.get_one(Dialogue, young)).summary == "They talked."


async def test_nought_keeps_it_for_ever(database: Database, person: int) -> None:
    talk = await dialogue(database, person, ended=4000, ages=[5000, 4000], summarised=2)
    await TalkRetention(FOR_EVER).round(database)
    await PhotoRetention(FOR_EVER).round(database)
    assert await texts(database, talk) == ["5000", "4000"]


async def photo(database: Database, name: str, *, days: float, status: PhotoStatus = PhotoStatus.DELIVERED) -> int:
    then = NOW - timedelta(days=days)
    async with database.unit() as session:
        row = Photo(
            dedup_key=name,
            chat_id=77,
            owner_id=77,
            requested=True,
            premium=False,
            rule="request",
            reason="",
            words={},
            workflow="z-image-turbo",
            orientation="portrait",
            prompt="a garden",
            negative_prompt="",
            seed=1,
            status=status,
            queued_at=then,
            rank_at=then,
            delivered_at=then if status is PhotoStatus.DELIVERED else None,
            object_key=f"photos/{name}.png",
            file_id="f",
            telegram_message_id=1,
            failed_at=then if status is PhotoStatus.FAILED else None,
        )
        session.add(row)
        await session.flush()
        return row.id


async def test_photos_lose_their_description_first_their_original_later(database: Database, person: int) -> None:
    young = await photo(database, "young", days=9)
    middle = await photo(database, "middle", days=15)
    old = await photo(database, "old", days=21)
    waiting = await photo(database, "waiting", days=21, status=PhotoStatus.FAILED)
    await PhotoRetention(KEPT).round(database)
    async with database.unit() as session:
        rows = {each: await session.get_one(Photo, each) for each in (young, middle, old, waiting)}
        discarded = list(await session.scalars(select(DiscardedObject.object_key)))
    assert [bool(rows[each].prompt) for each in (young, middle, old, waiting)] == [True, False, False, True]
    assert [bool(rows[each].object_key) for each in (young, middle, old, waiting)] == [True, True, False, True]
    assert discarded == ["photos/old.png"]
    assert rows[old].file_id == "f"


async def test_a_table_longer_than_a_round_is_gone_through_in_several(
    database: Database, person: int, monkeypatch: Any
) -> None:
    monkeypatch.setattr("generation.orders.retention.SIZE", 1)
    monkeypatch.setattr("generation.orders.retention.PORTIONS", 2)
    talks = [await dialogue(database, person, ended=31, ages=[40]) for _ in range(3)]
    retention = TalkRetention(KEPT)
    await retention.round(database)
    assert [len(await texts(database, each)) for each in talks] == [0, 0, 1]
    await retention.round(database)
    assert [len(await texts(database, each)) for each in talks] == [0, 0, 0]


async def test_privacy_tells_how_long(bot: Application, ben: Player) -> None:
    await ben.say("/privacy")
    page = await ben.hears(says("Deleted by itself"))
    assert f"after {bot.settings.keep_messages_days} days" in page["text"]
