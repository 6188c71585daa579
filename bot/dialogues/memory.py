"""What a persona remembers: older messages folded into a summary, and lasting facts about the person."""

import re
from datetime import datetime, timedelta

import structlog
from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from bot.accounts.plans import Plan, plan_of
from bot.dialogues import repository as dialogues
from bot.llm import prompts
from bot.llm.metered import MeteredModel
from bot.llm.question import LanguageModelUnavailable
from bot.models import Dialogue, Fact, Message, Person
from bot.personas.repetition import without_loop
from bot.personas.speech import machine_free, split_answer
from bot.reading.text_analysis import TextAnalyzer
from bot.settings import Settings
from generation.runtime import database
from generation.runtime.database import Database

log = structlog.get_logger(__name__)

#: How long /reset can be taken back.
UNDO_WITHIN = timedelta(minutes=10)
#: Answers after which the person's lasting facts are gathered, and how many at most each time.
FACTS_EVERY = 4
FACTS_AT_ONCE = 5
#: Summaries that came to nothing, after which the older messages are let go without one.
MOST_USELESS = 4
#: A summary of fewer letters, or of so small a part of the one before it, has lost what it should keep.
SHORTEST_SUMMARY, LEAST_PART = 20, 0.4
#: What models say when they will not, and what is no prose.
_NO_SUMMARY = re.compile(
    r"\A\W{0,3}(?:(?:i'?m |i am )?sorry|i (?:can(?:no|')t|cannot|won't|am unable)|unfortunately|as an ai"
    r"|извини|прости(?:те)?\b|к сожалению|я не могу|не могу (?:помочь|выполнить)|как (?:ии|языковая модель)"
    r"|there is no(?:thing)? (?:dialogue|to summari)|no dialogue|please provide"
    r"|[{\[<]|```|error\b)",
    re.IGNORECASE,
)


async def known_facts(session: AsyncSession, person_id: int, persona: str) -> list[Fact]:
    """What a persona knows about a person, oldest first."""
    found = await session.scalars(select(Fact).where(*_of(person_id, persona)).order_by(Fact.id))
    return list(found)


def _of(person_id: int, persona: str) -> tuple[ColumnElement[bool], ...]:
    return (Fact.person_id == person_id, Fact.persona == persona, Fact.forgotten_at.is_(None))


async def forget(session: AsyncSession, person_id: int, *, fact_id: int) -> bool:
    """Forget one fact; False when it is somebody else's or gone."""
    forgotten = await session.execute(
        delete(Fact).where(Fact.id == fact_id, Fact.person_id == person_id).returning(Fact.id)
    )
    return forgotten.scalar_one_or_none() is not None


async def remember(session: AsyncSession, person_id: int, persona: str, text: str) -> None:
    """Note a fact; one that is known, or was forgotten a moment ago, stands once."""
    await session.execute(
        insert(Fact)
        .values(person_id=person_id, persona=persona, text=text)
        .on_conflict_do_update(index_elements=["person_id", "persona", "text"], set_={"forgotten_at": None})
    )


async def correct(session: AsyncSession, fact: Fact, text: str) -> None:
    """Put other words in the place of a fact; handled twice it changes nothing more."""
    same = (Fact.person_id == fact.person_id, Fact.persona == fact.persona, Fact.text == text, Fact.id != fact.id)
    await session.execute(delete(Fact).where(*same))
    await session.execute(update(Fact).where(Fact.id == fact.id).values(text=text))


async def forget_facts(session: AsyncSession, person_id: int, persona: str) -> None:
    """Forget all that one persona knows about a person."""
    await session.execute(delete(Fact).where(Fact.person_id == person_id, Fact.persona == persona))


async def forget_for_now(session: AsyncSession, person_id: int, persona: str) -> None:
    """The same, so that `remember_again` can take it back in this unit of work's time."""
    await session.execute(update(Fact).where(*_of(person_id, persona)).values(forgotten_at=func.now()))


async def remember_again(session: AsyncSession, dialogue: Dialogue, ended_at: datetime) -> None:
    """What was forgotten in the moment in which this dialogue had ended."""
    then = (Fact.person_id == dialogue.person_id, Fact.persona == dialogue.persona)
    await session.execute(update(Fact).where(*then, Fact.forgotten_at == ended_at).values(forgotten_at=None))


async def forget_old(session: AsyncSession) -> None:
    """What nobody took back."""
    await session.execute(delete(Fact).where(Fact.forgotten_at < func.now() - UNDO_WITHIN))


async def forget_all(session: AsyncSession, dialogue: Dialogue) -> None:
    """Forget the facts and the summary; what is still in the talk word for word stays in the talk."""
    await forget_facts(session, dialogue.person_id, dialogue.persona)
    newest = await dialogues.last(session, dialogue.id)
    dialogue.summary = ""
    # Nor gathered again from what was said before.
    dialogue.facts_to = newest.id if newest else 0


def useless(summary: str, *, instead_of: str) -> str:
    """Why a new summary must not take the place of the old one; empty when it may."""
    if len(summary) < SHORTEST_SUMMARY:
        return "empty"
    if _NO_SUMMARY.search(summary):
        return "no summary"
    if len(summary) < len(instead_of) * LEAST_PART:
        return "much shorter"
    return "goes round" if without_loop(summary) != summary else ""


class Memory:
    """Works on each dialogue at most once at a time; one per process, built by `bot.app`."""

    def __init__(
        self, database: Database, language_model: MeteredModel, text_analyzer: TextAnalyzer, settings: Settings
    ) -> None:
        self._database = database
        self._language_model = language_model
        self._text_analyzer = text_analyzer
        self._settings = settings
        #: A chat has one process (`Switchboard`); should two meet, the second one's words find the row changed.
        self._busy: set[int] = set()
        #: Dialogues whose summary came to nothing: how often, and from which answer on it is asked for again.
        self._useless: dict[int, tuple[int, int]] = {}

    def tokens_of(self, answer: Message) -> int:
        """What an answer adds to the talk that a request holds."""
        said = prompts.Said(answer.id, by_person=False, text=answer.text, scene=answer.scene)
        return prompts.tokens_of(said, self._language_model.count)

    @staticmethod
    def is_due(answers: int, talked: int, budget: int) -> bool:
        """Whether `update` has anything to do after so many answers, with so many tokens since the summary."""
        return answers % FACTS_EVERY == 0 or talked > budget * prompts.SUMMARISE_OVER

    async def update(self, dialogue_id: int, budget: int) -> None:
        """Fold what has grown over `budget` tokens, gather new facts.

        Without the model (or the day's budget) the next turn does it.
        """
        if dialogue_id in self._busy:
            return
        self._busy.add(dialogue_id)
        try:
            await self._update(dialogue_id, budget)
        except LanguageModelUnavailable:
            log.info("dialogue.not_remembered", dialogue_id=dialogue_id)
        finally:
            self._busy.discard(dialogue_id)

    async def _update(self, dialogue_id: int, budget: int) -> None:
        async with self._database.autocommit() as session:
            dialogue = await session.get(Dialogue, dialogue_id)
            person = await session.get(Person, dialogue.person_id) if dialogue else None
            if dialogue is None or person is None:
                return
            said = await dialogues.history(session, dialogue)
            now = await database.database_now(session)
        allowed = plan_of(person, now, self._settings)
        # In this order: both leave alone what was forgotten since the dialogue was read.
        older = prompts.to_summarise(said, budget=budget, count=self._language_model.count)
        if older and self._is_due(dialogue):
            await self._summarise(dialogue, older, budget=budget)
        if dialogue.answers and dialogue.answers % FACTS_EVERY == 0:
            await self._gather_facts(dialogue, said, allowed)

    def _is_due(self, dialogue: Dialogue) -> bool:
        """After a useless summary it is asked for again some answers later, each time more of them."""
        _, due = self._useless.get(dialogue.id, (0, 0))
        return dialogue.answers >= due

    async def _summarise(self, dialogue: Dialogue, older: list[prompts.Said], *, budget: int) -> None:
        request = prompts.for_summary(dialogue.summary, older, budget=budget * 2, count=self._language_model.count)
        said = await self._language_model.answer(dialogue.person_id, request)
        summary, _ = split_answer(said.text)
        why = "cut off" if said.finish != "stop" else useless(summary, instead_of=dialogue.summary)
        if why:
            times = self._useless.get(dialogue.id, (0, 0))[0] + 1
            log.warning("dialogue.summary_useless", dialogue_id=dialogue.id, why=why, times=times)
            if times < MOST_USELESS:
                self._useless[dialogue.id] = (times, dialogue.answers + 2**times)
                return
            # The talk goes on without what the model cannot sum up.
            summary = dialogue.summary
        elif await self._text_analyzer.refusal_of(summary):
            # It would come back with each request; what was said so far is forgotten instead.
            log.warning("dialogue.summary_refused", dialogue_id=dialogue.id)
            summary = dialogue.summary
        self._useless.pop(dialogue.id, None)
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
            count = self._language_model.count
            request = prompts.for_facts(known, fresh, most=room, budget=allowed.memory_tokens, count=count)
            said_of_them = await self._language_model.answer(dialogue.person_id, request)
            found = prompts.facts_of(machine_free(said_of_them.text), most=room)
            if not found:
                log.info("facts.none_found", dialogue_id=dialogue.id, finish=said_of_them.finish)
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
            for text in kept:
                await remember(session, dialogue.person_id, dialogue.persona, text)
        log.info("facts.gathered", dialogue_id=dialogue.id, count=len(kept))
