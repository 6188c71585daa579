"""What the bot begins by itself: a persona who writes first, and a word when premium has ended.

Never in a person's quiet hours, never to somebody who blocked the bot, and a persona only to those who switched it
on, at most once in three days. Each is written down before it is sent: rather not at all than twice.
"""

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from aiogram import Bot
from aiogram.exceptions import ClientDecodeError, TelegramAPIError, TelegramForbiddenError
from sqlalchemy import ColumnElement, Select, case, func, select, update

from bot.accounts import people
from bot.dialogues import repository as dialogues
from bot.dialogues.model_request import gather
from bot.llm import prompts
from bot.llm.metered import MeteredModel
from bot.llm.question import LanguageModelUnavailable
from bot.models import Dialogue, Message, Person, Role
from bot.personas.catalog import PersonaCatalog
from bot.personas.repetition import is_repeated
from bot.personas.speech import split_answer
from bot.reading.text_analysis import TextAnalyzer
from bot.settings import Settings
from bot.telegram.callbacks import ShowPremium, StopWriting
from bot.telegram.messages import keyboard
from bot.texts import Texts
from generation.runtime import database, operator_switches
from generation.runtime.database import Database

log = structlog.get_logger(__name__)

#: Seconds between two looks.
EVERY = 60.0
#: People written to in one look; Telegram allows about 30 messages a second to everybody together.
AT_ONCE = 20
#: Minutes.
MINUTES_A_DAY = 24 * 60
SILENT_FOR = timedelta(hours=20)
AT_MOST_EVERY = timedelta(days=3)
#: Telegram renews a subscription about when it ends: so long after it nothing more is to be expected.
RENEWAL = timedelta(hours=6)
#: Nobody wants to hear later than this that premium has ended.
ENDED_LATELY = timedelta(days=3)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProactiveMessages:
    """One per process, built by `bot.app`; several replicas never write the same thing twice."""

    settings: Settings
    database: Database
    bot: Bot
    language_model: MeteredModel
    text_analyzer: TextAnalyzer
    catalog: PersonaCatalog
    texts: Texts

    async def look_around(self, now: datetime | None = None) -> None:
        """One look; `now` is what the clocks show, for the quiet hours."""
        async with self.database.unit() as session:
            if (await operator_switches.read(session)).maintenance_since:
                return
        now = now or datetime.now(UTC)
        for person in await self._due(wants_to_hear(), now):
            if await self._claim(person, wants_to_hear(), "wrote_first_at"):
                await self._guarded(self._write_first(person), person)
        for person in await self._due(premium_ended(), now):
            if await self._claim(person, premium_ended(), "premium_end_told_at"):
                await self._guarded(self._tell_that_premium_ended(person), person)

    async def _due(self, which: ColumnElement[bool], now: datetime) -> list[Person]:
        async with self.database.unit() as session:
            return list(await session.scalars(due(which, now, self.settings)))

    async def _claim(self, person: Person, which: ColumnElement[bool], column: str) -> bool:
        async with self.database.unit() as session:
            claimed = await session.execute(
                update(Person)
                .where(Person.id == person.id, which)
                .values({column: func.now()})
                .returning(Person.id)
            )
            return claimed.scalar_one_or_none() is not None

    async def _guarded(self, work: Awaitable[None], person: Person) -> None:
        try:
            await work
        except TelegramForbiddenError:
            async with self.database.unit() as session:
                await people.blocked(session, person.id)
        except (TelegramAPIError, ClientDecodeError, LanguageModelUnavailable) as error:
            log.warning("proactive.not_sent", error=type(error).__name__)

    async def _write_first(self, person: Person) -> None:
        async with self.database.unit() as session:
            dialogue = await dialogues.current(session, person.id)
            persona = await self.catalog.find(session, dialogue.persona, person.id) if dialogue else None
            if dialogue is None or persona is None or dialogue.minor_said_at is not None:
                return
            said_before = await dialogues.history(session, dialogue)
            model = self.language_model
            request = await gather(
                session, self.settings, model, person, dialogue, persona, said_before, first_words=True
            )
            newest = await dialogues.last(session, dialogue.id)
        said = await self.language_model.answer(person.id, request.messages, structured=request.is_structured)
        text, _ = split_answer(said.text, persona.names)
        if said.finish != "stop" or is_repeated(text, request.said_before):
            log.info("proactive.nothing_to_say", finish=said.finish)
            return
        analysis = await self.text_analyzer.answer(text, person_text="")
        # Nobody asked for it: what is not quite right is left out, and no photo is promised.
        if analysis.refusal or analysis.promise or prompts.gives_away(text) or not text:
            log.info("proactive.nothing_to_say")
            return
        if not await self._still_fits(person, dialogue, newest):
            log.info("proactive.too_late")
            return
        say = self.texts.in_locale(person.locale)
        stop = keyboard([(say("writes-first-stop"), StopWriting().pack())])
        sent = await self.bot.send_message(person.id, text[:1000], reply_markup=stop, disable_notification=True)
        await self._write_down(dialogue.id, text[:1000], sent.message_id)
        log.info("proactive.wrote_first")

    async def _still_fits(self, person: Person, before: Dialogue, newest: Message | None) -> bool:
        """The model took its time: nobody left, switched it off, chose somebody else or said a word meanwhile."""
        async with self.database.unit() as session:
            wants = await session.scalar(
                select(Person.id).where(Person.id == person.id, people.can_be_written_to(), Person.writes_first)
            )
            dialogue = await dialogues.current(session, person.id)
            last = await dialogues.last(session, dialogue.id) if dialogue else None
        same = dialogue is not None and dialogue.id == before.id
        return wants is not None and same and (last and last.id) == (newest and newest.id)

    async def _write_down(self, dialogue_id: int, text: str, message_id: int) -> None:
        async with self.database.unit() as session:
            session.add(
                Message(
                    dialogue_id=dialogue_id,
                    role=Role.PERSONA,
                    text=text,
                    telegram_message_id=message_id,
                    sent_at=await database.database_now(session),
                )
            )
            await session.execute(update(Dialogue).where(Dialogue.id == dialogue_id).values(said_at=func.now()))

    async def _tell_that_premium_ended(self, person: Person) -> None:
        say = self.texts.in_locale(person.locale)
        buttons = keyboard([(say("button-premium"), ShowPremium().pack())])
        await self.bot.send_message(
            person.id, say("premium-ended"), reply_markup=buttons, disable_notification=True
        )


def due(which: ColumnElement[bool], now: datetime, settings: Settings) -> Select[Person]:
    """Of those, the ones for whom it is no quiet hour by their own clocks; who has waited longest comes first."""
    usual = case(people.USUAL_OFFSET, value=Person.locale, else_=0)
    minutes = now.hour * 60 + now.minute + func.coalesce(Person.utc_offset, usual) + MINUTES_A_DAY
    loud = [hour for hour in range(24) if not is_quiet(hour, settings.quiet_hours)]
    awake = (minutes % MINUTES_A_DAY // 60).in_(loud)
    in_order = Person.wrote_first_at.asc().nulls_first()
    return select(Person).where(which, awake).order_by(in_order).limit(AT_ONCE)


def is_quiet(hour: int, quiet_hours: tuple[int, int]) -> bool:
    """Whether an hour of the day lies in the quiet ones, which may reach over midnight."""
    start, end = quiet_hours
    return start <= hour < end if start <= end else hour >= start or hour < end


def wants_to_hear() -> ColumnElement[bool]:
    """Who switched it on, has talked, and has not said or heard a word for a while."""
    silent = (
        select(Dialogue.id)
        .where(
            Dialogue.person_id == Person.id,
            Dialogue.ended_at.is_(None),
            Dialogue.answers > 0,
            func.coalesce(Dialogue.said_at, Dialogue.created_at) < func.now() - SILENT_FOR,
        )
        .exists()
    )
    long_ago = Person.wrote_first_at.is_(None) | (Person.wrote_first_at < func.now() - AT_MOST_EVERY)
    return people.can_be_written_to() & Person.writes_first & long_ago & silent


def premium_ended() -> ColumnElement[bool]:
    """Whose premium has ended of late and who was not told."""
    ended = (Person.premium_until < func.now() - RENEWAL) & (Person.premium_until > func.now() - ENDED_LATELY)
    return people.can_be_written_to() & ended & Person.premium_end_told_at.is_(None)
