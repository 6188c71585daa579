"""/start with its links, and the question of age."""

import re
from typing import Any

from aiogram import Router
from aiogram.filters import Command, CommandObject, CommandStart
from aiogram.types import CallbackQuery, Message
from sqlalchemy import func, update

from bot.accounts import invitations
from bot.handlers.personas.persona_picker import PersonaPicker
from bot.models import Person
from bot.telegram.callbacks import AgeAnswer
from bot.telegram.messages import acknowledge, keyboard, replace_buttons
from bot.texts import Say
from bot.updates.filters import Adult
from generation.runtime.database import Database

#: What a link t.me/<bot>?start=... can say: a persona, who invited, or both with a hyphen between.
_LINK = re.compile(
    rf"(?:persona_(?P<persona>[a-z][a-z0-9_]{{0,23}}))?-?(?:{invitations.PREFIX}(?P<code>[0-9a-f]{{10}}))?"
)


def build_router() -> Router:
    """What works before the age is confirmed."""
    router = Router(name="start")
    router.message.register(start, CommandStart(ignore_case=True))
    router.message.register(help_, Command("help", "menu", ignore_case=True))
    router.callback_query.register(answer_age, AgeAnswer.filter())
    router.message.register(ask_age, ~Adult())
    router.callback_query.register(ask_age_again, ~Adult())
    return router


async def start(
    message: Message, command: CommandObject, person: Person, say: Say, database: Database, picker: PersonaPicker
) -> None:
    """Greet, follow a link, and ask for the age where it is not known: also somebody who has refused before."""
    link = _LINK.fullmatch(command.args or "")
    async with database.unit() as session:
        values: dict[str, Any] = {"adult_refused_at": None}
        if link and link["persona"]:
            values["started_with"] = link["persona"]
        await session.execute(update(Person).where(Person.id == person.id).values(**values))
        if link and link["code"]:
            await invitations.invited(session, person, link["code"])
    if person.adult_confirmed_at:
        await _go_on(message, person, say, database, picker, say("gallery"))
        return
    name = message.from_user.first_name if message.from_user else ""
    await message.answer(say("hello", name=name), reply_markup=_age_buttons(say))


async def help_(message: Message, say: Say) -> None:
    """/help: what can be done here."""
    await message.answer(say("help"))


async def ask_age(message: Message, person: Person, say: Say) -> None:
    """Whatever a person writes before the question of age is answered gets the question."""
    if person.adult_refused_at:
        await message.answer(say("age-refused"))
    else:
        await message.answer(say("age-first"), reply_markup=_age_buttons(say))


async def ask_age_again(query: CallbackQuery, say: Say) -> None:
    """A button that is pressed before that is no use yet."""
    await acknowledge(query, say("age-first"))


async def answer_age(
    query: CallbackQuery,
    callback_data: AgeAnswer,
    person: Person,
    say: Say,
    database: Database,
    picker: PersonaPicker,
) -> None:
    """A refusal is final until /start asks again: an old button cannot take it back."""
    if person.adult_refused_at:
        await acknowledge(query, say("age-refused"))
        return
    if person.adult_confirmed_at and not callback_data.adult:
        await acknowledge(query, say("stale-button"))
        return
    await acknowledge(query)
    answered = Person.adult_confirmed_at if callback_data.adult else Person.adult_refused_at
    async with database.unit() as session:
        await session.execute(update(Person).where(Person.id == person.id).values({answered: func.now()}))
    await replace_buttons(query, None)
    if not isinstance(query.message, Message):
        return
    if callback_data.adult:
        await _go_on(query.message, person, say, database, picker, say("age-thanks"))
    else:
        await query.message.answer(say("age-refused"))


async def _go_on(
    message: Message, person: Person, say: Say, database: Database, picker: PersonaPicker, heading: str
) -> None:
    """Show the persona that the link names, or the gallery."""
    async with database.unit() as session:
        row = await session.get_one(Person, person.id)
        wanted, row.started_with = row.started_with, None
    if wanted is None or not await picker.begin(message, person, say, wanted):
        await picker.show(message, person, say, heading)


def _age_buttons(say: Say) -> Any:
    yes, no = AgeAnswer(adult=True).pack(), AgeAnswer(adult=False).pack()
    return keyboard([(say("age-yes"), yes)], [(say("age-no"), no)])
