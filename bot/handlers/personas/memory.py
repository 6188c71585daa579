"""/memory: what the persona knows about the person; correcting it, adding to it, forgetting it."""

import re

from aiogram import Router
from aiogram.filters import Command, CommandObject
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message
from sqlalchemy.ext.asyncio import AsyncSession

from bot.accounts.plans import plan_of
from bot.dialogues import memory
from bot.dialogues import repository as dialogues
from bot.llm import prompts
from bot.models import Person
from bot.personas.catalog import PersonaCatalog
from bot.reading.text_analysis import TextAnalyzer
from bot.settings import Settings
from bot.telegram.callbacks import ForgetAll, ForgetFact
from bot.telegram.messages import acknowledge, keyboard, replace_text
from bot.texts import Say
from generation.runtime.database import Database, database_now

#: Facts shown at once, newest first; forgetting some brings the others up.
SHOWN = 12
IN_A_ROW = 5
#: "2: I live in Oslo" in the place of the second fact.
_CORRECTION = re.compile(r"(?P<number>\d{1,2})\s?[:.)]\s*(?P<text>\S.*)")
#: Characters of the summary that are shown.
SUMMARY = 1500


def build_router() -> Router:
    """/memory and its buttons."""
    router = Router(name="memory")
    router.message.register(show_memory, Command("memory", ignore_case=True))
    router.callback_query.register(forget_fact, ForgetFact.filter())
    router.callback_query.register(forget_all, ForgetAll.filter())
    return router


async def show_memory(
    message: Message,
    command: CommandObject,
    person: Person,
    say: Say,
    database: Database,
    catalog: PersonaCatalog,
    text_analyzer: TextAnalyzer,
    settings: Settings,
) -> None:
    """/memory: what the present persona knows about the person; with words behind it, what she shall know.

    `/memory I live in Riga` is one more fact, `/memory 2: I live in Oslo` takes the place of the second one.
    """
    wish = " ".join((command.args or "").split())
    why_not = ""
    if wish:
        why_not = await _unfit(wish, say, text_analyzer)
    async with database.unit() as session:
        if wish and not why_not:
            why_not = await _remember(session, person, say, wish, settings)
        text, buttons = await _page(session, person, say, catalog)
    await message.answer(why_not or text, reply_markup=None if why_not else buttons)


async def _unfit(wish: str, say: Say, text_analyzer: TextAnalyzer) -> str:
    """Why this is not remembered, in words: it would come back with each request."""
    if len(wish) > prompts.MAX_FACT:
        return say("memory-too-long", longest=prompts.MAX_FACT)
    return say("memory-refused") if await text_analyzer.refusal_of(wish) else ""


async def _remember(session: AsyncSession, person: Person, say: Say, wish: str, settings: Settings) -> str:
    """Add or correct a fact; why it cannot be, in words."""
    dialogue = await dialogues.current(session, person.id)
    if dialogue is None:
        return ""
    known = await memory.known_facts(session, person.id, dialogue.persona)
    correction = _CORRECTION.fullmatch(wish)
    if correction is None:
        most = plan_of(person, await database_now(session), settings).facts
        if len(known) >= most and wish not in {fact.text for fact in known}:
            return say("memory-full", count=most)
        await memory.remember(session, person.id, dialogue.persona, wish)
        return ""
    shown = known[-SHOWN:][::-1]
    number = int(correction["number"])
    if not 1 <= number <= len(shown):
        return say("memory-no-such", count=len(shown))
    await memory.correct(session, shown[number - 1], correction["text"])
    return ""


async def forget_fact(
    query: CallbackQuery,
    callback_data: ForgetFact,
    person: Person,
    say: Say,
    database: Database,
    catalog: PersonaCatalog,
) -> None:
    """Forget one fact."""
    async with database.unit() as session:
        forgotten = await memory.forget(session, person.id, fact_id=callback_data.fact_id)
        text, buttons = await _page(session, person, say, catalog)
    await acknowledge(query, say("memory-forgotten" if forgotten else "stale-button"))
    await replace_text(query, text, buttons)


async def forget_all(
    query: CallbackQuery, person: Person, say: Say, database: Database, catalog: PersonaCatalog
) -> None:
    """Forget all of them, and what was summarised."""
    async with database.unit() as session:
        if dialogue := await dialogues.current(session, person.id):
            await memory.forget_all(session, dialogue)
        text, buttons = await _page(session, person, say, catalog)
    await acknowledge(query, say("memory-forgotten"))
    await replace_text(query, text, buttons)


async def _page(
    session: AsyncSession, person: Person, say: Say, catalog: PersonaCatalog
) -> tuple[str, InlineKeyboardMarkup | None]:
    dialogue = await dialogues.current(session, person.id)
    persona = await catalog.find(session, dialogue.persona, person.id) if dialogue else None
    if dialogue is None or persona is None:
        return say("memory-nobody"), None
    name = persona.name.to(person.locale)
    facts = (await memory.known_facts(session, person.id, dialogue.persona))[-SHOWN:][::-1]
    if not facts and not dialogue.summary:
        words, how = say("memory-empty", name=name), say("memory-how")
        return f"{words}\n\n{how}", None
    parts = []
    if facts:
        parts.append(say("memory-facts", name=name, count=len(facts)))
        parts.append("\n".join(f"{number}. {fact.text}" for number, fact in enumerate(facts, start=1)))
    if dialogue.summary:
        parts.append(say("memory-summary", summary=dialogue.summary[:SUMMARY]))
    parts.append(say("memory-how"))
    forget = [(f"❌ {number}", ForgetFact(fact_id=fact.id).pack()) for number, fact in enumerate(facts, start=1)]
    rows = [forget[start : start + IN_A_ROW] for start in range(0, len(forget), IN_A_ROW)]
    return "\n\n".join(parts), keyboard(*rows, [(say("memory-forget-all"), ForgetAll().pack())])
