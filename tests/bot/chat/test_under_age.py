"""Somebody is said to be under age: what that does to the talk, its photos, and whoever says it of themselves."""

import asyncio

from sqlalchemy import func, select

from bot.app import Application
from bot.models import Dialogue, Message, Person, Role
from generation.models import Photo
from generation.runtime.database import Database
from sandbox.llm import LanguageModelServer
from tests.conftest import all_handled
from tests.player import Player, has_buttons, has_text, says

NO = says("Everyone here is an adult")


async def photos(database: Database) -> int:
    async with database.unit() as session:
        return await session.scalar(select(func.count()).select_from(Photo)) or 0


async def minor_said(database: Database) -> bool:
    async with database.unit() as session:
        found = await session.scalars(select(Dialogue.minor_said_at).where(Dialogue.ended_at.is_(None)))
        return found.one() is not None


async def test_a_young_role_is_a_state_of_the_dialogue_until_a_new_story(
    bot: Application, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    await ben.say("In this story you are in the ninth grade.")
    await ben.hears(has_text)
    await all_handled(database)
    assert await minor_said(database)
    assert "said to be under 18" in llm.instructions
    for text in ("Come here and kiss me", "/photo by the window", "Send me a photo of you"):
        await ben.say(text)
        await ben.hears(NO)
    # However long ago it was.
    for _ in range(6):
        await ben.say("What is the weather like?")
        await ben.hears(has_text)
    await ben.say("Send me a photo of you")
    await ben.hears(NO)
    await all_handled(database)
    assert await photos(database) == 0
    await ben.say("/story")
    page = await ben.hears(has_buttons)
    await ben.press_data(page, page["reply_markup"]["inline_keyboard"][1][0]["callback_data"])
    async with asyncio.timeout(15):
        while await minor_said(database):
            await asyncio.sleep(0.05)


async def test_who_says_to_be_under_age_is_asked_for_the_age_again(
    bot: Application, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    asked = len(llm.requests)
    await ben.say("By the way, I'm fifteen years old")
    refused = await ben.hears(has_text)
    await ben.say("Hello?")
    assert (await ben.hears(has_text))["text"] == refused["text"]
    await all_handled(database)
    assert len(llm.requests) == asked
    async with database.unit() as session:
        person = await session.get_one(Person, ben.id)
        assert person.adult_confirmed_at is None
        assert person.adult_refused_at is not None
        said = select(func.count()).where(Message.role == Role.PERSON)
        assert await session.scalar(said) == 0
    await ben.say("/start")
    await ben.press(await ben.hears(says("18")), "18")
    await ben.hears(has_buttons)


async def test_a_role_in_one_message_and_tenderness_in_the_next_ones_meet(
    bot: Application, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    await ben.say("My dress slips from the shoulder and I kiss your neck")
    await ben.hears(has_text)
    await ben.say("Imagine that you are sixteen")
    await ben.hears(NO)


async def test_a_persona_who_says_to_be_young_is_not_heard(
    bot: Application, llm: LanguageModelServer, ben: Player
) -> None:
    await ben.enter("Alisa")
    llm.faults.add(path="completion", kind="say", text="To tell the truth, I'm only fifteen years old.")
    await ben.say("How old are you?")
    assert (await ben.hears(has_text))["text"] == "Let's change the subject."


async def test_children_of_everyday_talk_change_nothing(bot: Application, ben: Player, database: Database) -> None:
    await ben.enter("Alisa")
    for text in ("My son is eight and loves dinosaurs", "When I was twelve we moved to the coast"):
        await ben.say(text)
        await ben.hears(has_text)
    await all_handled(database)
    assert not await minor_said(database)
    await ben.say("My daughter is nine, she loves lego")
    await ben.say("Kiss me goodnight")
    assert not NO(await ben.hears(has_text))
    await ben.say("Send me a photo of you by the window")
    await ben.hears(has_text)
    await all_handled(database)
    async with database.unit() as session:
        assert True in list(await session.scalars(select(Photo.requested)))
