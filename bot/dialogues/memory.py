"""What a persona remembers: older messages folded into a summary, and lasting facts about the person."""

import structlog
from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from bot.accounts.plans import Plan, plan_of
from bot.dialogues import repository as dialogues
from bot.llm import prompts
from bot.llm.client import LanguageModelUnavailable
from bot.llm.metered import MeteredModel
from bot.models import Dialogue, Fact, Person
from bot.personas.speech import machine_free, split_answer
from bot.reading.text_analysis import TextAnalyzer
from bot.settings import Settings
from generation.runtime import database
from generation.runtime.database import Database

log = structlog.get_logger(__name__)

#: Answers after which the person's lasting facts are gathered, and how many at most each time.
FACTS_EVERY = 4
FACTS_AT_ONCE = 5


async def known_facts(session: AsyncSession, person_id: int, persona: str) -> list[Fact]:
    """What a persona knows about a person, oldest first."""
    found = await session.scalars(
        select(Fact).where(Fact.person_id == person_id, Fact.persona == persona).order_by(Fact.id)
    )
    return list(found)


async def forget(session: AsyncSession, person_id: int, *, fact_id: int) -> bool:
    """Forget one fact; False when it is somebody else's or gone."""
    forgotten = await session.execute(
        delete(Fact).where(Fact.id == fact_id, Fact.person_id == person_id).returning(Fact.id)
    )
    return forgotten.scalar_one_or_none() is not None


async def forget_facts(session: AsyncSession, person_id: int, persona: str) -> None:
    """Forget all that one persona knows about a person."""
    await session.execute(delete(Fact).where(Fact.person_id == person_id, Fact.persona == persona))


async def forget_all(session: AsyncSession, dialogue: Dialogue) -> None:
    """Forget the facts and the summary; what is still in the talk word for word stays in the talk."""
    await forget_facts(session, dialogue.person_id, dialogue.persona)
    newest = await dialogues.last(session, dialogue.id)
    dialogue.summary = ""
    # Nor gathered again from what was said before.
    dialogue.facts_to = newest.id if newest else 0


class Memory:
    """Works on each dialogue at most once at a time; one per process, built by `bot.app`."""

    def __init__(
        self, database: Database, language_model: MeteredModel, text_analyzer: TextAnalyzer, settings: Settings
    ) -> None:
        self._database = database
        self._language_model = language_model
        self._text_analyzer = text_analyzer
        self._settings = settings
        self._busy: set[int] = set()

    async def update(self, dialogue_id: int) -> None:
        """Fold what has grown too long, gather new facts; without the model (or budget) the next turn does it."""
        if dialogue_id in self._busy:
            return
        self._busy.add(dialogue_id)
        try:
            await self._update(dialogue_id)
        except LanguageModelUnavailable:
            log.info("dialogue.not_remembered", dialogue_id=dialogue_id)
        finally:
            self._busy.discard(dialogue_id)

    async def _update(self, dialogue_id: int) -> None:
        async with self._database.unit() as session:
            dialogue = await session.get(Dialogue, dialogue_id)
            person = await session.get(Person, dialogue.person_id) if dialogue else None
            if dialogue is None or person is None:
                return
            said = await dialogues.history(session, dialogue)
            now = await database.database_now(session)
        allowed = plan_of(person, now, self._settings)
        # In this order: both leave alone what was forgotten since the dialogue was read.
        if older := prompts.to_summarise(said, budget=allowed.memory_tokens):
            await self._summarise(dialogue, older, budget=allowed.memory_tokens)
        if dialogue.answers and dialogue.answers % FACTS_EVERY == 0:
            await self._gather_facts(dialogue, said, allowed)

    async def _summarise(self, dialogue: Dialogue, older: list[prompts.Said], *, budget: int) -> None:
        request = prompts.for_summary(dialogue.summary, older, budget=budget * 2)
        summary, _ = split_answer(await self._language_model.answer(dialogue.person_id, request))
        if await self._text_analyzer.refusal_of(summary):
            # It would come back with each request; what was said so far is forgotten instead.
            log.warning("dialogue.summary_refused", dialogue_id=dialogue.id)
            summary = dialogue.summary
        async with self._database.unit() as session:
            await dialogues.remember_summary(session, dialogue, summary, older[-1].id)
        log.info("dialogue.summarised", dialogue_id=dialogue.id, messages=len(older))

    async def _gather_facts(self, dialogue: Dialogue, said: list[prompts.Said], allowed: Plan) -> None:
        fresh = [each for each in said if each.id > dialogue.facts_to]
        if not any(each.by_person for each in fresh):
            return
        async with self._database.unit() as session:
            known = [fact.text for fact in await known_facts(session, dialogue.person_id, dialogue.persona)]
        room = min(FACTS_AT_ONCE, allowed.facts - len(known))
        found: list[str] = []
        if room > 0:
            request = prompts.for_facts(known, fresh, most=room, budget=allowed.memory_tokens)
            answer = machine_free(await self._language_model.answer(dialogue.person_id, request))
            found = prompts.facts_of(answer, most=room)
        kept = [text for text in found if not await self._text_analyzer.refusal_of(text)]
        async with self._database.unit() as session:
            # Somebody who had everything deleted meanwhile is not remembered.
            noted = await session.execute(
                update(Dialogue)
                .where(Dialogue.id == dialogue.id, Dialogue.ended_at.is_(None), Dialogue.facts_to < fresh[-1].id)
                .values(facts_to=fresh[-1].id)
                .returning(Dialogue.id)
            )
            if noted.scalar_one_or_none() is None or not kept:
                return
            rows = [{"person_id": dialogue.person_id, "persona": dialogue.persona, "text": text} for text in kept]
            await session.execute(insert(Fact).on_conflict_do_nothing(), rows)
        log.info("facts.gathered", dialogue_id=dialogue.id, count=len(kept))
