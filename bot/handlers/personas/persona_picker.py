"""The gallery: everybody one can talk to, with pictures, and the first words of whoever was chosen."""

import random
from dataclasses import dataclass

from aiogram import Bot, Router
from aiogram.exceptions import TelegramBadRequest
from aiogram.filters import Command
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, InputMediaPhoto, Message
from sqlalchemy.ext.asyncio import AsyncSession

from bot.accounts.plans import plan_of
from bot.dialogues import repository as dialogues
from bot.models import Dialogue, Person
from bot.personas.catalog import OWN, PersonaCatalog
from bot.personas.persona import Persona, Story
from bot.personas.portraits import Portraits
from bot.settings import Settings
from bot.telegram.callbacks import DeleteOwnPersona, OwnFaces, OwnPersonaAnswer, PersonaChoice, PersonaPage
from bot.telegram.messages import MAX_CAPTION, acknowledge, fitting, keyboard, send_text
from bot.texts import Say
from generation.runtime import database
from generation.runtime.database import Database

#: Personas on one page, two in a row as in its picture.
ON_A_PAGE = 4
#: Seconds within which a second press of a persona's button is the same press.
PRESSED_TWICE = 5


def build_router() -> Router:
    """/persona and the gallery's buttons."""
    router = Router(name="gallery")
    router.message.register(show_personas, Command("persona", "personas", "characters", ignore_case=True))
    router.callback_query.register(turn_page, PersonaPage.filter())
    router.callback_query.register(choose_persona, PersonaChoice.filter())
    return router


async def show_personas(message: Message, person: Person, say: Say, picker: "PersonaPicker") -> None:
    """/persona: the gallery as a new message."""
    await picker.show(message, person, say, say("gallery"))


async def turn_page(
    query: CallbackQuery, callback_data: PersonaPage, person: Person, say: Say, picker: "PersonaPicker"
) -> None:
    """Another page of the gallery."""
    await acknowledge(query)
    if isinstance(query.message, Message):
        await picker.turn(query.message, person, say, callback_data.page)


async def choose_persona(
    query: CallbackQuery, callback_data: PersonaChoice, person: Person, say: Say, picker: "PersonaPicker"
) -> None:
    """A new dialogue with this persona, in her first story."""
    message = query.message
    known = isinstance(message, Message) and await picker.begin(message, person, say, callback_data.key)
    await acknowledge(query, None if known else say("stale-button"))


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonaPicker:
    """Shows personas and begins dialogues with them. One per process, built by `bot.app`."""

    settings: Settings
    database: Database
    catalog: PersonaCatalog
    portraits: Portraits
    bot: Bot
    rng: random.Random

    async def show(self, message: Message, person: Person, say: Say, heading: str) -> None:
        """The first page, as a new message."""
        shown, caption, buttons = await self._page(person, say, heading, 0)
        sheet = await self.portraits.sheet(shown)
        sent = await self.bot.send_photo(message.chat.id, sheet.media, caption=caption, reply_markup=buttons)
        self.portraits.remember(sheet, sent)

    async def turn(self, message: Message, person: Person, say: Say, number: int) -> None:
        """Another page in place of the one that the message shows."""
        shown, caption, buttons = await self._page(person, say, say("gallery"), number)
        sheet = await self.portraits.sheet(shown)
        media = InputMediaPhoto(media=sheet.media, caption=caption)
        try:
            self.portraits.remember(sheet, await message.edit_media(media, reply_markup=buttons))
        except TelegramBadRequest as error:
            if "not modified" not in str(error):
                await self.show(message, person, say, say("gallery"))

    async def begin(self, message: Message, person: Person, say: Say, key: str) -> bool:
        """Begin a dialogue with a persona, who speaks first; False when there is no such persona."""
        async with self.database.unit() as session:
            persona = await self.catalog.find(session, key, person.id)
            if persona is None:
                return False
            if await self._just_begun(session, person, key):
                return True
        story_key, story = next(iter(persona.stories.items()))
        # Said before it is written down: handled again, the press must not be taken for a second one.
        await open_scene(self.bot, message.chat.id, person, persona, story)
        async with self.database.unit() as session:
            await self.open_dialogue(session, person, key, story_key, story)
        return True

    async def open_dialogue(
        self, session: AsyncSession, person: Person, key: str, story_key: str, story: Story
    ) -> Dialogue:
        """Begin a dialogue in this unit of work; the one before it ends."""
        allowed = plan_of(person, await database.database_now(session), self.settings)
        return await dialogues.begin(
            session,
            person_id=person.id,
            persona=key,
            story_key=story_key,
            story=story,
            locale=person.locale,
            gap=allowed.gap,
            rng=self.rng,
        )

    async def _just_begun(self, session: AsyncSession, person: Person, key: str) -> bool:
        """The button was pressed twice: the persona is saying her opening words already."""
        dialogue = await dialogues.current(session, person.id)
        if dialogue is None or dialogue.persona != key or dialogue.answers:
            return False
        age = await database.database_now(session) - dialogue.created_at
        return age.total_seconds() < PRESSED_TWICE

    async def _page(
        self, person: Person, say: Say, heading: str, number: int
    ) -> tuple[dict[str, Persona], str, InlineKeyboardMarkup]:
        async with self.database.unit() as session:
            everybody = await self.catalog.everybody(session, person.id)
        pages = [list(everybody)[start : start + ON_A_PAGE] for start in range(0, len(everybody), ON_A_PAGE)]
        number = min(number, len(pages) - 1)
        keys = pages[number]
        lines = [_line(everybody[key], person, say) for key in keys]
        buttons = [[(everybody[key].name.to(person.locale), PersonaChoice(key=key).pack()) for key in pair]
                   for pair in (keys[:2], keys[2:]) if pair]  # fmt: skip
        buttons += [_of_own(key, everybody[key], person, say) for key in keys if key.startswith(OWN)]
        if len(pages) > 1:
            turning = [("◀", number - 1)] if number else []
            turning += [("▶", number + 1)] if number + 1 < len(pages) else []
            buttons.append([(arrow, PersonaPage(page=page).pack()) for arrow, page in turning])
        buttons.append([(say("own-create"), OwnPersonaAnswer(action="create").pack())])
        return (
            {key: everybody[key] for key in keys},
            fitting("\n\n".join((heading, *lines)), MAX_CAPTION),
            keyboard(*buttons),
        )


async def open_scene(bot: Bot, chat_id: int, person: Person, persona: Persona, story: Story) -> None:
    """The title of the story, and the persona's first words."""
    words = f"{persona.name.to(person.locale)} · {story.title.to(person.locale)}"
    await send_text(bot, chat_id, words)
    await send_text(bot, chat_id, story.opening.to(person.locale))


def _line(persona: Persona, person: Person, say: Say) -> str:
    return say(
        "gallery-person",
        name=persona.name.to(person.locale),
        age=persona.age,
        about=persona.about.to(person.locale),
    )


def _of_own(key: str, persona: Persona, person: Person, say: Say) -> list[tuple[str, str]]:
    """What can be done with a persona of one's own."""
    number, name = int(key.removeprefix(OWN)), persona.name.to(person.locale)
    return [
        (say("own-faces-of"), OwnFaces(persona_id=number).pack()),
        (say("own-delete", name=name), DeleteOwnPersona(persona_id=number).pack()),
    ]
