"""/memory: what the persona knows about the person, and forgetting it."""

from aiogram import Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message
from sqlalchemy.ext.asyncio import AsyncSession

from bot.dialogues import memory
from bot.dialogues import repository as dialogues
from bot.models import Person
from bot.personas.catalog import PersonaCatalog
from bot.telegram.callbacks import ForgetAll, ForgetFact
from bot.telegram.messages import acknowledge, keyboard, replace_text
from bot.texts import Say
from generation.runtime.database import Database

#: Facts shown at once, newest first; forgetting some brings the others up.
SHOWN = 12
IN_A_ROW = 5
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
    message: Message, person: Person, say: Say, database: Database, catalog: PersonaCatalog
) -> None:
    """/memory: what the present persona knows about the person."""
    async with database.unit() as session:
        text, buttons = await _page(session, person, say, catalog)
    await message.answer(text, reply_markup=buttons)


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
        return say("memory-empty", name=name), None
    parts = []
    if facts:
        parts.append(say("memory-facts", name=name, count=len(facts)))
        parts.append("\n".join(f"{number}. {fact.text}" for number, fact in enumerate(facts, start=1)))
    if dialogue.summary:
        parts.append(say("memory-summary", summary=dialogue.summary[:SUMMARY]))
    forget = [(f"❌ {number}", ForgetFact(fact_id=fact.id).pack()) for number, fact in enumerate(facts, start=1)]
    rows = [forget[start : start + IN_A_ROW] for start in range(0, len(forget), IN_A_ROW)]
    return "\n\n".join(parts), keyboard(*rows, [(say("memory-forget-all"), ForgetAll().pack())])
