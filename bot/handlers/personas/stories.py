"""/story: another story or another atmosphere with the same persona; /reset: the same story from its beginning."""

from aiogram import Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message

from bot.dialogues import memory
from bot.dialogues import repository as dialogues
from bot.handlers.personas.persona_picker import PersonaPicker, open_scene
from bot.models import Dialogue, Person
from bot.personas.catalog import PersonaCatalog
from bot.personas.persona import Persona
from bot.telegram.callbacks import AtmosphereChoice, Reset, ResetBack, StoryChoice
from bot.telegram.messages import acknowledge, keyboard, replace_buttons, replace_text
from bot.texts import Say
from generation.runtime.database import Database


def build_router() -> Router:
    """/story, /reset and the choice of stories and atmospheres."""
    router = Router(name="stories")
    router.message.register(show_stories, Command("story", "stories", ignore_case=True))
    router.message.register(reset, Command("reset", ignore_case=True))
    router.callback_query.register(reset_surely, Reset.filter())
    router.callback_query.register(reset_back, ResetBack.filter())
    router.callback_query.register(choose_story, StoryChoice.filter())
    router.callback_query.register(choose_atmosphere, AtmosphereChoice.filter())
    return router


async def show_stories(
    message: Message, person: Person, say: Say, database: Database, catalog: PersonaCatalog, picker: PersonaPicker
) -> None:
    """/story: the present persona's stories and atmospheres."""
    dialogue, persona = await _current(database, catalog, person)
    if dialogue is None or persona is None:
        await picker.show(message, person, say, say("stories-first"))
        return
    stories = [
        [(_marked(story.title.to(person.locale), key == dialogue.story), _story(dialogue.persona, key))]
        for key, story in persona.stories.items()
    ]
    await message.answer(say("stories"), reply_markup=keyboard(*stories))
    moods = _moods(persona, str(dialogue.scene.get("atmosphere")), say)
    await message.answer(say("atmospheres"), reply_markup=moods)


async def choose_story(
    query: CallbackQuery,
    callback_data: StoryChoice,
    person: Person,
    say: Say,
    database: Database,
    catalog: PersonaCatalog,
) -> None:
    """Go on in another story, or begin one with another persona."""
    async with database.unit() as session:
        persona = await catalog.find(session, callback_data.persona, person.id)
        story = persona.stories.get(callback_data.key) if persona else None
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
    # Pressed twice: it has begun already, and nobody has said a word since.
    if not again and query.bot and query.message:
        await open_scene(query.bot, query.message.chat.id, person, persona, story)


async def choose_atmosphere(
    query: CallbackQuery,
    callback_data: AtmosphereChoice,
    person: Person,
    say: Say,
    database: Database,
    catalog: PersonaCatalog,
) -> None:
    """From the next answer on: the scene is lit by it, and a photo shows it."""
    chosen = callback_data.atmosphere
    async with database.unit() as session:
        dialogue = await dialogues.current(session, person.id)
        persona = await catalog.find(session, dialogue.persona, person.id) if dialogue else None
        known = persona is not None and chosen in persona.atmospheres
        same = dialogue is not None and dialogue.scene.get("atmosphere") == chosen
        if known and dialogue and not same:
            dialogues.change_atmosphere(dialogue, chosen)
    if not known or persona is None:
        await acknowledge(query, say("stale-button"))
        return
    name = say(f"atmosphere-{chosen}")
    await acknowledge(query, say("atmosphere-same", atmosphere=name) if same else None)
    await replace_buttons(query, _moods(persona, chosen, say))
    if not same and query.message and query.bot:
        words = say("atmosphere-changed", atmosphere=name, name=persona.name.to(person.locale))
        await query.bot.send_message(query.message.chat.id, words)


async def reset(
    message: Message, person: Person, say: Say, database: Database, catalog: PersonaCatalog, picker: PersonaPicker
) -> None:
    """/reset: the question before it."""
    dialogue, persona = await _current(database, catalog, person)
    if dialogue is None or persona is None:
        await picker.show(message, person, say, say("reset-nothing"))
        return
    yes, no = (Reset(dialogue_id=dialogue.id, sure=sure).pack() for sure in (True, False))
    question = say("reset-ask", name=persona.name.to(person.locale))
    await message.answer(question, reply_markup=keyboard([(say("reset-yes"), yes), (say("reset-no"), no)]))


async def reset_surely(
    query: CallbackQuery,
    callback_data: Reset,
    person: Person,
    say: Say,
    database: Database,
    catalog: PersonaCatalog,
    picker: PersonaPicker,
) -> None:
    """A new dialogue with the present persona, nothing remembered of this one; for ten minutes with a way back."""
    dialogue, persona = await _current(database, catalog, person)
    message = query.message
    if not callback_data.sure:
        await acknowledge(query)
        await replace_text(query, say("reset-not"))
        return
    # Pressed twice: the one that was asked about has ended by now.
    asked = dialogue is not None and dialogue.id == callback_data.dialogue_id
    async with database.unit() as session:
        ended = await session.get(Dialogue, callback_data.dialogue_id)
    # Handled twice: what was said about it may not have reached the chat.
    done = ended is not None and dialogue is not None and _just_reset(ended, dialogue)
    if not (asked or done) or dialogue is None or persona is None or not isinstance(message, Message):
        await acknowledge(query, say("stale-button"))
        return
    story = persona.story(dialogue.story)
    if not done:
        async with database.unit() as session:
            await memory.forget_for_now(session, person.id, dialogue.persona)
            await picker.open_dialogue(session, person, dialogue.persona, dialogue.story, story)
    await acknowledge(query)
    back = keyboard([(say("reset-back"), ResetBack(dialogue_id=callback_data.dialogue_id).pack())])
    await replace_text(query, say("reset-done", name=persona.name.to(person.locale)), back)
    if not done:
        await message.answer(story.opening.to(person.locale))


async def reset_back(
    query: CallbackQuery,
    callback_data: ResetBack,
    person: Person,
    say: Say,
    database: Database,
    catalog: PersonaCatalog,
) -> None:
    """The talk that was ended by /reset goes on where it was."""
    async with database.unit() as session:
        ended = await session.get(Dialogue, callback_data.dialogue_id)
        ended_at = ended.ended_at if ended else None
        dialogue = await dialogues.reopen(session, person.id, callback_data.dialogue_id, within=memory.UNDO_WITHIN)
        if dialogue is not None and ended_at is not None:
            await memory.remember_again(session, dialogue, ended_at)
        persona = await catalog.find(session, dialogue.persona, person.id) if dialogue else None
    await acknowledge(query, None if persona else say("stale-button"))
    if persona is not None:
        await replace_text(query, say("reset-undone", name=persona.name.to(person.locale)))


def _just_reset(ended: Dialogue, following: Dialogue) -> bool:
    """Whether /reset has put the one in the place of the other, and nobody has said a word since."""
    same = (ended.person_id, ended.persona) == (following.person_id, following.persona)
    return same and ended.ended_at == following.created_at and not following.answers


async def _current(
    database: Database, catalog: PersonaCatalog, person: Person
) -> tuple[Dialogue | None, Persona | None]:
    async with database.unit() as session:
        dialogue = await dialogues.current(session, person.id)
        return dialogue, await catalog.find(session, dialogue.persona, person.id) if dialogue else None


def _moods(persona: Persona, chosen: str, say: Say) -> InlineKeyboardMarkup:
    moods = [
        (_marked(say(f"atmosphere-{each}"), each == chosen), _atmosphere(each)) for each in persona.atmospheres
    ]
    return keyboard(*(moods[start : start + 2] for start in range(0, len(moods), 2)))


def _marked(text: str, chosen: bool) -> str:
    return f"✓ {text}" if chosen else text


def _story(persona: str, key: str) -> str:
    return StoryChoice(persona=persona, key=key).pack()


def _atmosphere(atmosphere: str) -> str:
    return AtmosphereChoice(atmosphere=atmosphere).pack()
