"""A persona of one's own: five questions, one at a time, each answer checked; the row itself is the state."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aiogram import Bot, F, Router
from aiogram.filters import Command, Filter
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from bot.accounts import privacy
from bot.accounts.plans import plan_of
from bot.handlers.personas.faces import remove_from_chat
from bot.handlers.personas.persona_picker import PersonaPicker
from bot.llm import prompts
from bot.llm.metered import MeteredModel
from bot.llm.question import LanguageModelUnavailable
from bot.models import Gender, OwnPersona, Person
from bot.personas.catalog import OWN, PersonaCatalog, count_own
from bot.personas.speech import machine_free
from bot.photos import faces
from bot.photos.prompt import clean
from bot.reading.text_analysis import TextAnalyzer
from bot.settings import Settings
from bot.telegram.callbacks import DeleteOwnPersona, OwnFaces, OwnPersonaAnswer
from bot.telegram.messages import acknowledge, keyboard, replace_buttons
from bot.texts import Say
from generation.models import Photo
from generation.runtime.database import Database, database_now

#: Whoever writes after so long a time does not answer the question any more.
FORGOTTEN_AFTER = timedelta(minutes=30)
YOUNGEST, OLDEST = 21, 99
_NAME = re.compile(r"[^\W\d_]+(?:[ '’-][^\W\d_]+)*")
#: Characters of an answer, shortest and longest.
NAME, DESCRIPTION = (1, 40), (10, 400)
MAX_ENGLISH = 400


def build_router() -> Router:
    """/create, its questions and its buttons."""
    router = Router(name="own_persona")
    router.message.register(create, Command("create", ignore_case=True))
    router.message.register(cancel, Command("cancel", ignore_case=True))
    router.callback_query.register(create_by_button, OwnPersonaAnswer.filter(F.action == "create"))
    for gender in Gender:
        router.callback_query.register(choose_gender, OwnPersonaAnswer.filter(F.action == gender))
    router.callback_query.register(step_back, OwnPersonaAnswer.filter(F.action == "back"))
    router.callback_query.register(finish, OwnPersonaAnswer.filter(F.action == "finish"))
    router.callback_query.register(start_over, OwnPersonaAnswer.filter(F.action == "again"))
    router.callback_query.register(cancel_by_button, OwnPersonaAnswer.filter(F.action == "cancel"))
    router.callback_query.register(delete_one, DeleteOwnPersona.filter())
    router.message.register(answer, F.text, ~F.text.startswith("/"), Writing())
    router.message.register(ask_again, ~F.text, Writing())
    return router


class Writing(Filter):
    """Passes people who have an unfinished persona, and gives it to the handler."""

    async def __call__(self, message: Message, unfinished: OwnPersona | None) -> bool | dict[str, OwnPersona]:
        """The unfinished persona as `own_persona` for the handler, or False."""
        if unfinished is None or _next(unfinished) is None:
            return False
        fresh = datetime.now(UTC) - unfinished.created_at < FORGOTTEN_AFTER
        return {"own_persona": unfinished} if fresh else False


@dataclass(frozen=True, slots=True)
class Question:
    """One field, and the limits of its answer's length."""

    field: str
    length: tuple[int, int]

    def ask(self, say: Say) -> str:
        """The question in the person's language."""
        return say(f"own-{self.field}")


QUESTIONS = (
    Question("name", NAME),
    Question("gender", (1, 40)),
    Question("age", (1, 3)),
    Question("character", DESCRIPTION),
    Question("looks", DESCRIPTION),
)


async def create(message: Message, person: Person, say: Say, database: Database, settings: Settings) -> None:
    """/create: begin with the first question, unless the plan's number is reached."""
    async with database.unit() as session:
        now = await database_now(session)
        allowed = plan_of(person, now, settings).own_personas
        if await count_own(session, person.id) >= allowed:
            question = None
        else:
            if unfinished := await _unfinished(session, person):
                await faces.forget(session, unfinished)
                await session.delete(unfinished)
                await session.flush()
            await session.execute(insert(OwnPersona).values(person_id=person.id))
            question = QUESTIONS[0]
    if question is None:
        await message.answer(say("own-enough", count=allowed))
        return
    await message.answer(question.ask(say), reply_markup=_buttons(question, say))


async def create_by_button(
    query: CallbackQuery, person: Person, say: Say, database: Database, settings: Settings
) -> None:
    """The same behind a button of the gallery."""
    await acknowledge(query)
    if isinstance(query.message, Message):
        await create(query.message, person, say, database, settings)


async def answer(
    message: Message,
    person: Person,
    say: Say,
    own_persona: OwnPersona,
    database: Database,
    text_analyzer: TextAnalyzer,
    language_model: MeteredModel,
    catalog: PersonaCatalog,
) -> None:
    """Take one answer, or say what is wrong with it and ask the same again."""
    question = _next(own_persona)
    if question is None:
        return
    text = " ".join((message.text or "").split())
    if wrong := await _wrong(question, text, own_persona, say, text_analyzer):
        await message.answer(wrong, reply_markup=_buttons(question, say))
        return
    values: dict[str, object] = {question.field: _VALUES.get(question.field, str)(text)}
    if question.field == "looks":
        english, wrong = await _drawable(text, person, say, text_analyzer, language_model)
        if wrong:
            await message.answer(wrong, reply_markup=_buttons(question, say))
            return
        values["looks_english"] = english
    await _go_on(message, own_persona, values, person, say, database, catalog)


async def choose_gender(
    query: CallbackQuery,
    callback_data: OwnPersonaAnswer,
    person: Person,
    say: Say,
    unfinished: OwnPersona | None,
    database: Database,
    catalog: PersonaCatalog,
) -> None:
    """The answer to one question by its buttons."""
    question = _next(unfinished) if unfinished else None
    asked = question is not None and question.field == "gender"
    await acknowledge(query, None if asked else say("stale-button"))
    await replace_buttons(query, None)
    if asked and unfinished and isinstance(query.message, Message):
        values: dict[str, object] = {"gender": Gender(callback_data.action)}
        await _go_on(query.message, unfinished, values, person, say, database, catalog)


async def step_back(
    query: CallbackQuery, person: Person, say: Say, unfinished: OwnPersona | None, database: Database
) -> None:
    """The question before this one once more; its answer is forgotten."""
    answered = [each for each in QUESTIONS if unfinished and getattr(unfinished, each.field) is not None]
    await acknowledge(query, None if answered else say("stale-button"))
    await replace_buttons(query, None)
    if unfinished is None or not answered or not isinstance(query.message, Message):
        return
    last = answered[-1]
    async with database.unit() as session:
        if row := await _unfinished(session, person):
            # It was drawn by the looks that change now.
            await faces.forget(session, row)
        await session.execute(
            update(OwnPersona)
            .where(OwnPersona.id == unfinished.id, OwnPersona.finished_at.is_(None))
            .values({last.field: None})
        )
    await query.message.answer(last.ask(say), reply_markup=_buttons(last, say))


async def _go_on(
    message: Message,
    own_persona: OwnPersona,
    values: dict[str, object],
    person: Person,
    say: Say,
    database: Database,
    catalog: PersonaCatalog,
) -> None:
    """Write an answer down and ask the next question, or show all of them."""
    # Asked before it is written down: an update that is handled again must not answer the next question.
    for name, value in values.items():
        setattr(own_persona, name, value)
    if further := _next(own_persona):
        await message.answer(further.ask(say), reply_markup=_buttons(further, say))
    else:
        await _show(message, own_persona, person, say, catalog)
    async with database.unit() as session:
        await session.execute(update(OwnPersona).where(OwnPersona.id == own_persona.id).values(**values))


async def ask_again(message: Message, say: Say, own_persona: OwnPersona) -> None:
    """Anything but text while a question is open: the question once more."""
    if question := _next(own_persona):
        await message.answer(question.ask(say), reply_markup=_buttons(question, say))


async def _show(message: Message, row: OwnPersona, person: Person, say: Say, catalog: PersonaCatalog) -> None:
    """The summary of all answers, with buttons to begin and to answer again."""
    persona = catalog.play(row)
    summary = say("own-summary", name=persona.name.to(person.locale), age=persona.age,
                  character=row.character, looks=row.looks)  # fmt: skip
    buttons = keyboard(
        [(say("own-faces"), OwnFaces(persona_id=row.id).pack())],
        [(say("own-finish"), OwnPersonaAnswer(action="finish").pack())],
        [
            (say("own-back"), OwnPersonaAnswer(action="back").pack()),
            (say("own-again"), OwnPersonaAnswer(action="again").pack()),
        ],
    )
    await message.answer(summary, reply_markup=buttons)


async def finish(query: CallbackQuery, person: Person, say: Say, database: Database, picker: PersonaPicker) -> None:
    """Save the persona and begin a dialogue with it."""
    async with database.unit() as session:
        row = await _unfinished(session, person)
        done = row is not None and _next(row) is None
        if row is not None and done:
            row.finished_at = await database_now(session)
    await acknowledge(query, None if done else say("stale-button"))
    await replace_buttons(query, None)
    if row is not None and done and isinstance(query.message, Message):
        await picker.begin(query.message, person, say, f"{OWN}{row.id}")


async def start_over(
    query: CallbackQuery, person: Person, say: Say, database: Database, settings: Settings
) -> None:
    """Forget what was answered and ask again."""
    await create_by_button(query, person, say, database, settings)
    await replace_buttons(query, None)


async def cancel(message: Message, person: Person, say: Say, database: Database) -> None:
    """/cancel: the unfinished persona is forgotten."""
    cancelled = await _cancelled(database, person)
    await message.answer(say("own-cancelled" if cancelled else "nothing-to-cancel"))


async def cancel_by_button(query: CallbackQuery, person: Person, say: Say, database: Database) -> None:
    """The same behind a button."""
    cancelled = await _cancelled(database, person)
    await acknowledge(query, say("own-cancelled" if cancelled else "stale-button"))
    await replace_buttons(query, None)


async def delete_one(
    query: CallbackQuery, callback_data: DeleteOwnPersona, person: Person, say: Say, database: Database, bot: Bot
) -> None:
    """Delete a persona of one's own with all that was said to it."""
    async with database.unit() as session:
        row = await session.get(OwnPersona, callback_data.persona_id, with_for_update=True)
        gone = row is not None and row.person_id == person.id
        shown: list[Photo] = []
        if row is not None and gone:
            shown = await faces.forget(session, row)
            await session.delete(row)
            await privacy.forget_persona(session, person.id, f"{OWN}{callback_data.persona_id}")
    await acknowledge(query, say("own-deleted" if gone else "stale-button"))
    await remove_from_chat(bot, shown)


async def _wrong(question: Question, text: str, row: OwnPersona, say: Say, text_analyzer: TextAnalyzer) -> str:
    """What is wrong with an answer, in words; nothing when it will do."""
    shortest, longest = question.length
    if question.field == "age":
        number = int(text) if text.isdecimal() and len(text) <= longest else 0
        return "" if YOUNGEST <= number <= OLDEST else say("own-age-wrong", youngest=YOUNGEST, oldest=OLDEST)
    if question.field == "gender":
        return "" if _gender(text) else question.ask(say)
    if not shortest <= len(text) <= longest:
        return say("own-length", shortest=shortest, longest=longest)
    # With what was answered before: a persona is judged as a whole.
    whole = "\n".join(filter(None, (row.name, row.character, text)))
    if question.field == "name" and not _NAME.fullmatch(text):
        return say("own-name-wrong")
    return say("own-refused") if await text_analyzer.refusal_of_persona(whole) else ""


async def _drawable(
    looks: str, person: Person, say: Say, text_analyzer: TextAnalyzer, language_model: MeteredModel
) -> tuple[str, str]:
    """Looks for the image model, or why there are none, in words."""
    english = await _in_english(looks, person, language_model)
    if english is None:
        return "", say("own-later")
    refused = await text_analyzer.refusal_of_persona(english)
    return english, say("own-refused") if refused or not english else ""


async def _in_english(looks: str, person: Person, language_model: MeteredModel) -> str | None:
    """None while the language model is away, or the day's budget is used."""
    if looks.isascii():
        return clean(looks)[:MAX_ENGLISH]
    try:
        said = await language_model.answer(person.id, prompts.for_looks(looks))
    except LanguageModelUnavailable:
        return None
    english = machine_free(said.text)
    return clean(english.encode("ascii", "ignore").decode())[:MAX_ENGLISH]


async def _cancelled(database: Database, person: Person) -> bool:
    async with database.unit() as session:
        row = await _unfinished(session, person)
        if row is not None:
            await faces.forget(session, row)
            await session.delete(row)
    return row is not None


async def _unfinished(session: AsyncSession, person: Person) -> OwnPersona | None:
    return await session.scalar(
        select(OwnPersona).where(OwnPersona.person_id == person.id, OwnPersona.finished_at.is_(None))
    )


def _next(row: OwnPersona) -> Question | None:
    return next((question for question in QUESTIONS if getattr(row, question.field) is None), None)


#: How people say it who do not press.
_GENDERS = {
    Gender.WOMAN: re.compile(r"ж|жен\w*|женщин\w*|девушк\w*|дама|она|woman|female|lady|she|f", re.IGNORECASE),
    Gender.MAN: re.compile(r"м|муж\w*|мужчин\w*|парень|он|man|male|guy|he|m", re.IGNORECASE),
}


_ARTICLE = re.compile(r"(?:an?|это)\s+", re.IGNORECASE)


def _gender(text: str) -> Gender | None:
    return next(
        (gender for gender, words in _GENDERS.items() if words.fullmatch(_ARTICLE.sub("", text.strip(" .!")))), None
    )


#: How an answer is kept, where not as it was written.
_VALUES: dict[str, Callable[[str], object]] = {"age": int, "gender": _gender}


def _buttons(question: Question, say: Say) -> InlineKeyboardMarkup:
    """Choices, where there are any, a step back, and the way out."""
    genders = [(say(f"own-gender-{gender}"), OwnPersonaAnswer(action=gender).pack()) for gender in Gender]
    back = [(say("own-back"), OwnPersonaAnswer(action="back").pack())] if question != QUESTIONS[0] else []
    cancel = (say("own-cancel"), OwnPersonaAnswer(action="cancel").pack())
    return keyboard(*([genders] if question.field == "gender" else []), [*back, cancel])
