"""The way in: age, persona, story, and starting over."""

import random

from aiogram import Router
from aiogram.filters import Command, CommandStart
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message
from sqlalchemy import func, update

from bot import dialogues
from bot.handlers.filters import Adult, AgeAnswer, PersonaChoice, StoryChoice
from bot.models import Dialogue, Person
from bot.people import is_premium
from bot.persona import Persona, Story
from bot.plans import plan
from bot.sending import acknowledge, send_text
from bot.settings import Settings
from bot.texts import Say
from generation.database import Database

#: Seconds within which a second press of a persona's button is the same press.
PRESSED_TWICE = 5


def age_router() -> Router:
    """What works before the age is confirmed."""
    router = Router(name="age")
    router.message.register(start, CommandStart())
    router.message.register(help_, Command("help"))
    router.callback_query.register(answer_age, AgeAnswer.filter())
    router.message.register(ask_age, ~Adult())
    router.callback_query.register(ask_age_again, ~Adult())
    return router


def personas_router() -> Router:
    router = Router(name="personas")
    router.message.register(show_gallery, Command("persona"))
    router.message.register(show_stories, Command("story"))
    router.message.register(reset, Command("reset"))
    router.callback_query.register(choose_persona, PersonaChoice.filter())
    router.callback_query.register(choose_story, StoryChoice.filter())
    return router


# -- age -----------------------------------------------------------------------------------------------


async def start(
    message: Message, person: Person, say: Say, personas: dict[str, Persona], database: Database
) -> None:
    async with database.unit() as session:
        await session.execute(update(Person).where(Person.id == person.id).values(blocked_at=None))
    if person.adult_confirmed_at:
        await show_gallery(message, person, say, personas)
    else:
        name = message.from_user.first_name if message.from_user else ""
        await message.answer(say("hello", name=name), reply_markup=_age_buttons(say))


async def help_(message: Message, say: Say) -> None:
    await message.answer(say("help"))


async def ask_age(message: Message, say: Say) -> None:
    await message.answer(say("age-first"), reply_markup=_age_buttons(say))


async def ask_age_again(query: CallbackQuery, say: Say) -> None:
    await acknowledge(query, say("age-first"))


async def answer_age(
    query: CallbackQuery,
    callback_data: AgeAnswer,
    person: Person,
    say: Say,
    personas: dict[str, Persona],
    database: Database,
) -> None:
    await acknowledge(query)
    if not isinstance(query.message, Message):
        return
    async with database.unit() as session:
        confirmed = func.coalesce(Person.adult_confirmed_at, func.now()) if callback_data.adult else None
        await session.execute(update(Person).where(Person.id == person.id).values(adult_confirmed_at=confirmed))
    if callback_data.adult:
        await query.message.answer(
            _gallery_text(say("age-thanks"), person, say, personas),
            reply_markup=_persona_buttons(person, personas),
        )
    else:
        await query.message.answer(say("age-refused"))


# -- personas and stories ------------------------------------------------------------------------------


async def show_gallery(message: Message, person: Person, say: Say, personas: dict[str, Persona]) -> None:
    await message.answer(
        _gallery_text(say("gallery"), person, say, personas), reply_markup=_persona_buttons(person, personas)
    )


async def choose_persona(
    query: CallbackQuery,
    callback_data: PersonaChoice,
    person: Person,
    say: Say,
    personas: dict[str, Persona],
    database: Database,
    settings: Settings,
    rng: random.Random,
) -> None:
    persona = personas.get(callback_data.key)
    if persona is None:
        await acknowledge(query, say("stale-button"))
        return
    await acknowledge(query)
    if await _just_begun(database, person, callback_data.key):
        return
    story_key, story = next(iter(persona.stories.items()))
    await _begin(database, person, callback_data.key, story_key, story, settings, rng)
    await _open_scene(query, person, persona, story)


async def show_stories(
    message: Message, person: Person, say: Say, personas: dict[str, Persona], database: Database
) -> None:
    dialogue = await _current(database, person)
    persona = personas.get(dialogue.persona) if dialogue else None
    if dialogue is None or persona is None:
        await message.answer(say("stories-first"), reply_markup=_persona_buttons(person, personas))
        return
    buttons = [
        _button(story.title.to(person.locale), StoryChoice(persona=dialogue.persona, key=key).pack())
        for key, story in persona.stories.items()
    ]
    await message.answer(say("stories"), reply_markup=InlineKeyboardMarkup(inline_keyboard=buttons))


async def choose_story(
    query: CallbackQuery,
    callback_data: StoryChoice,
    person: Person,
    say: Say,
    personas: dict[str, Persona],
    database: Database,
) -> None:
    persona = personas.get(callback_data.persona)
    story = persona.stories.get(callback_data.key) if persona else None
    async with database.unit() as session:
        dialogue = await dialogues.current(session, person.id)
        fits = dialogue is not None and dialogue.persona == callback_data.persona
        again = dialogue is not None and dialogue.story == callback_data.key and dialogue.story_changed
        if fits and dialogue and story and not again:
            await dialogues.change_story(
                session, dialogue, story_key=callback_data.key, story=story, locale=person.locale
            )
    if not fits or persona is None or story is None:
        await acknowledge(query, say("stale-button"))
        return
    await acknowledge(query, say("story-begins", title=story.title.to(person.locale)))
    if again:
        # Pressed twice: it has begun already, and nobody has said a word since.
        return
    await _open_scene(query, person, persona, story)


async def reset(
    message: Message,
    person: Person,
    say: Say,
    personas: dict[str, Persona],
    database: Database,
    settings: Settings,
    rng: random.Random,
) -> None:
    dialogue = await _current(database, person)
    persona = personas.get(dialogue.persona) if dialogue else None
    if dialogue is None or persona is None:
        await message.answer(say("reset-nothing"), reply_markup=_persona_buttons(person, personas))
        return
    story = persona.story(dialogue.story)
    await _begin(database, person, dialogue.persona, dialogue.story, story, settings, rng)
    await message.answer(say("reset-done", name=persona.name.to(person.locale)))
    await message.answer(story.opening.to(person.locale))


# -- helpers -------------------------------------------------------------------------------------------


async def _current(database: Database, person: Person) -> Dialogue | None:
    async with database.unit() as session:
        return await dialogues.current(session, person.id)


async def _just_begun(database: Database, person: Person, persona_key: str) -> bool:
    """The button was pressed twice: the persona is saying her opening words already."""
    async with database.unit() as session:
        dialogue = await dialogues.current(session, person.id)
        if dialogue is None or dialogue.persona != persona_key or dialogue.answers:
            return False
        age = await dialogues.database_now(session) - dialogue.created_at
        return age.total_seconds() < PRESSED_TWICE


async def _begin(
    database: Database,
    person: Person,
    persona_key: str,
    story_key: str,
    story: Story,
    settings: Settings,
    rng: random.Random,
) -> None:
    async with database.unit() as session:
        premium = is_premium(person, await dialogues.database_now(session), settings)
        await dialogues.begin(
            session,
            person_id=person.id,
            persona=persona_key,
            story_key=story_key,
            story=story,
            locale=person.locale,
            gap=plan(settings, premium=premium).gap,
            rng=rng,
        )


async def _open_scene(query: CallbackQuery, person: Person, persona: Persona, story: Story) -> None:
    if query.bot and query.message:
        words = f"{persona.name.to(person.locale)} · {story.title.to(person.locale)}"
        await send_text(query.bot, query.message.chat.id, words)
        await send_text(query.bot, query.message.chat.id, story.opening.to(person.locale))


def _gallery_text(heading: str, person: Person, say: Say, personas: dict[str, Persona]) -> str:
    lines = [
        say(
            "gallery-person",
            name=persona.name.to(person.locale),
            age=persona.age,
            about=persona.about.to(person.locale),
        )
        for persona in personas.values()
    ]
    return "\n\n".join((heading, *lines))


def _persona_buttons(person: Person, personas: dict[str, Persona]) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(
        inline_keyboard=[
            _button(persona.name.to(person.locale), PersonaChoice(key=key).pack())
            for key, persona in personas.items()
        ]
    )


def _age_buttons(say: Say) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(
        inline_keyboard=[
            _button(say("age-yes"), AgeAnswer(adult=True).pack()),
            _button(say("age-no"), AgeAnswer(adult=False).pack()),
        ]
    )


def _button(text: str, data: str) -> list[InlineKeyboardButton]:
    return [InlineKeyboardButton(text=text, callback_data=data)]
