"""People: found or written down at their first update, and left alone once they block the bot."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

import structlog
from aiogram.types import User
from sqlalchemy import ColumnElement, Select, and_, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from bot.accounts import marks, usage
from bot.models import OwnPersona, Person
from bot.settings import Settings
from generation.orders import lifecycle
from generation.runtime.database import Database
from generation.runtime.plain_text import plain_text

log = structlog.get_logger(__name__)

#: `seen_at` is written at most so often: a write for each update would be too dear.
SEEN_EVERY = timedelta(minutes=5)
#: Minutes ahead of UTC where most people of a language live, until the person says what time it is.
USUAL_OFFSET = {"ru": 180}


@dataclass(frozen=True, slots=True)
class Known:
    """A person, with the persona that the person is writing just now."""

    person: Person
    unfinished: OwnPersona | None = None


async def known(database: Database, user: User, locale: str, settings: Settings) -> Known:
    """The person behind a Telegram user; new ones get `locale`, and the ban that they may have had."""
    async with database.autocommit() as session:
        if found := await find(session, user.id):
            seen_at = found.person.seen_at
            if seen_at is None or datetime.now(UTC) - seen_at > SEEN_EVERY:
                await session.execute(update(Person).where(Person.id == user.id).values(seen_at=func.now()))
            return found
    async with database.unit() as session:
        return Known(await _write_down(session, user, locale, settings))


async def find(session: AsyncSession, person_id: int) -> Known | None:
    """Somebody who was here before."""
    row = (await session.execute(_with_unfinished(), {"person": person_id})).one_or_none()
    return Known(*row) if row else None


@cache
def _with_unfinished() -> Select[Person, OwnPersona]:
    unfinished = and_(OwnPersona.person_id == Person.id, OwnPersona.finished_at.is_(None))
    return select(Person, OwnPersona).outerjoin(OwnPersona, unfinished).where(Person.id == bindparam("person"))


async def _write_down(session: AsyncSession, user: User, locale: str, settings: Settings) -> Person:
    # Two replicas may meet the same new person at once.
    banned = await marks.is_there(session, marks.MarkKind.BANNED, user.id, settings)
    since = func.now() if banned else None
    # The one question of the banned is not given anew.
    shut_out = {"banned_at": since, "support_since": since}
    values = {"id": user.id, "locale": locale, "seen_at": func.now(), **shut_out}
    await session.execute(insert(Person).values(values).on_conflict_do_nothing())
    await usage.come_back(session, user.id, settings)
    return await session.get_one(Person, user.id)


async def blocked(session: AsyncSession, person_id: int) -> None:
    """The person blocked the bot: nothing is made for or sent to them until they come back."""
    await session.execute(
        update(Person).where(Person.id == person_id).values(blocked_at=func.coalesce(Person.blocked_at, func.now()))
    )
    dropped = await lifecycle.drop_waiting(session, person_id, why="the person blocked the bot", held=True)
    log.info("person.blocked_bot", photos_dropped=len(dropped))


async def offered_to_write_first(session: AsyncSession, person_id: int) -> bool:
    """Whether this person is to be asked now if a persona may write first; it is noted, so that it is once."""
    asked = await session.execute(
        update(Person)
        .where(Person.id == person_id, Person.first_offered_at.is_(None), Person.writes_first.is_(False))
        .values(first_offered_at=func.now())
        .returning(Person.id)
    )
    return asked.scalar_one_or_none() is not None


async def came_back(session: AsyncSession, person_id: int) -> None:
    """The person wrote, or opened the bot again: it may write to them as before."""
    await session.execute(update(Person).where(Person.id == person_id).values(blocked_at=None))
    log.info("person.came_back")


async def under_age(session: AsyncSession, person_id: int) -> None:
    """The person says to be under 18: everything is shut until /start asks the question of age again."""
    values = {"adult_confirmed_at": None, "adult_refused_at": func.now()}
    await session.execute(update(Person).where(Person.id == person_id).values(values))
    dropped = await lifecycle.drop_waiting(session, person_id, why="the person is under age", held=True)
    log.info("person.under_age", photos_dropped=len(dropped))


def can_be_written_to() -> ColumnElement[bool]:
    """People whom the bot may write to by itself: adults by their own word, not blocked and not banned."""
    return Person.blocked_at.is_(None) & Person.banned_at.is_(None) & Person.adult_confirmed_at.is_not(None)


def utc_offset(person: Person) -> int:
    """Minutes that the person's clock is ahead of UTC."""
    return USUAL_OFFSET.get(person.locale, 0) if person.utc_offset is None else person.utc_offset


#: Names with anything else in them are not given to a model: they would be read as instructions.
_NAME = re.compile(r"[^\W\d_]+(?:[ '’-][^\W\d_]+){0,2}")
MAX_NAME = 32


def name_for_model(told: str) -> str:
    """A first name as Telegram tells it, if a model may be shown it; else empty."""
    name = " ".join(plain_text(told).split())
    return name if len(name) <= MAX_NAME and _NAME.fullmatch(name) else ""
