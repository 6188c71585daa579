"""What the language model did for each person: counted by the hour, within the budget of their plan.

The window is any 24 hours, to the hour. Rows stand under the keyed hash of `bot.accounts.marks`, so that "delete
everything" gives no new budget and no new photos; such rows go a day later, all others after `KEPT`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

from sqlalchemy import ColumnElement, and_, case, delete, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from bot.accounts.marks import pseudonym
from bot.accounts.photo_quota import QUOTA_WINDOW, of_plan
from bot.accounts.plans import Plan, plan
from bot.models import Person, Usage
from bot.settings import Settings
from generation.models import Photo
from generation.runtime.database import Database

#: For what an operator may want to look up.
KEPT = timedelta(days=30)
_Columns = ReadOnlyColumnCollection[str, ColumnElement[Any]]
#: Columns that are limited, and summed up for operators.
COUNTED = ("calls", "prompt_tokens", "completion_tokens", "voice_seconds", "pictures")


@dataclass(frozen=True, kw_only=True, slots=True)
class Used:
    """Sums; tokens as the server counted them where it says so, and by estimate otherwise."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    voice_seconds: int = 0
    pictures: int = 0

    @classmethod
    def of(cls, row: Sequence[Any]) -> Self:
        """Of a row that begins with the columns of `COUNTED`."""
        return cls(**{name: int(value) for name, value in zip(COUNTED, row, strict=False)})

    @property
    def tokens(self) -> int:
        """Of requests and answers."""
        return self.prompt_tokens + self.completion_tokens

    def cost(self, settings: Settings) -> float:
        """In the currency of the settings' prices; 0 where none is set."""
        prompts = self.prompt_tokens * settings.llm_price_prompt
        completions = self.completion_tokens * settings.llm_price_completion
        return (prompts + completions) / 1_000_000 + self.voice_seconds / 60 * settings.llm_price_voice


async def take(session: AsyncSession, person_id: int, settings: Settings, wanted: Used) -> bool:
    """Count what is about to be asked for; False, and nothing is counted, when the budget has no room for it.

    The last call may go over the tokens: nobody knows beforehand how long an answer becomes.
    """
    hashed = pseudonym(person_id, settings)
    so_far = select(*_sums()).where(Usage.pseudonym == hashed, _lately()).subquery()
    within = _room(wanted, so_far.c, plan(settings, premium=False))
    within_premium = _room(wanted, so_far.c, plan(settings, premium=True))
    room = case((Person.with_premium(settings.premium_ids), within_premium), else_=within)
    amounts: list[ColumnElement[Any]] = [literal(getattr(wanted, name)) for name in COUNTED]
    row = select(literal(hashed), _hour(), Person.id, *amounts).select_from(Person).join(so_far, literal(True))
    new = insert(Usage).from_select(
        ["pseudonym", "hour", "person_id", *COUNTED], row.where(Person.id == person_id, room)
    )
    return await session.scalar(_adding(new).returning(Usage.calls)) is not None


async def add(session: AsyncSession, person_id: int, settings: Settings, more: Used) -> None:
    """Count what turned out afterwards; corrections may be negative."""
    values = {name: getattr(more, name) for name in COUNTED}
    hashed = pseudonym(person_id, settings)
    # Of somebody who had everything deleted meanwhile the hash is enough.
    mine = select(Person.id).where(Person.id == person_id).scalar_subquery()
    await session.execute(_adding(insert(Usage).values(pseudonym=hashed, hour=_hour(), person_id=mine, **values)))


async def of_person(session: AsyncSession, person_id: int) -> Used:
    """What one person used in the last 24 hours."""
    return Used.of((await session.execute(select(*_sums()).where(Usage.person_id == person_id, _lately()))).one())


async def of_everybody(session: AsyncSession) -> Used:
    """What all used in the last 24 hours, also those who had everything deleted since."""
    return Used.of((await session.execute(select(*_sums()).where(_lately()))).one())


async def dearest(session: AsyncSession, *, count: int) -> list[tuple[int, Used]]:
    """Numbers of those who used most tokens in the last 24 hours."""
    tokens = func.sum(Usage.prompt_tokens + Usage.completion_tokens)
    rows = await session.execute(
        select(*_sums(), Usage.person_id)
        .where(_lately(), Usage.person_id.is_not(None))
        .group_by(Usage.person_id)
        .having(tokens > 0)
        .order_by(tokens.desc())
        .limit(count)
    )
    return [(row.person_id, Used.of(row)) for row in rows]


async def outlive(session: AsyncSession, person_id: int, settings: Settings) -> None:
    """Before a person is erased: the day's photos are counted by the hour, under the hash."""
    hour = func.date_trunc("hour", Photo.queued_at)
    photos = (
        select(literal(pseudonym(person_id, settings)), hour, literal(person_id), func.count())
        .where(Photo.owner_id == person_id, of_plan())
        .group_by(hour)
    )
    new = insert(Usage).from_select(["pseudonym", "hour", "person_id", "photos"], photos)
    await session.execute(
        new.on_conflict_do_update(
            index_elements=[Usage.pseudonym, Usage.hour], set_={"photos": Usage.photos + new.excluded.photos}
        )
    )


async def come_back(session: AsyncSession, person_id: int, settings: Settings) -> None:
    """Somebody is new, or had everything deleted: what they used today is theirs again."""
    hashed = pseudonym(person_id, settings)
    await session.execute(update(Usage).where(Usage.pseudonym == hashed).values(person_id=person_id))


async def forget_old(database: Database) -> None:
    """Delete rows that limit nobody and that no operator asks for any more."""
    erased = Usage.person_id.is_(None) & (Usage.hour < func.now() - QUOTA_WINDOW - timedelta(hours=1))
    async with database.unit() as session:
        await session.execute(delete(Usage).where(or_(Usage.hour < func.now() - KEPT, erased)))


def _room(wanted: Used, so_far: _Columns, allowed: Plan) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = [literal(True)]
    if wanted.calls:
        conditions.append(so_far.calls + wanted.calls <= allowed.model_calls)
        conditions.append(so_far.prompt_tokens + so_far.completion_tokens < allowed.model_tokens)
    if wanted.voice_seconds:
        conditions.append(so_far.voice_seconds + wanted.voice_seconds <= allowed.voice_seconds)
    if wanted.pictures:
        conditions.append(so_far.pictures + wanted.pictures <= allowed.pictures)
    return and_(*conditions)


def _hour() -> ColumnElement[object]:
    return func.date_trunc("hour", func.now())


def _lately() -> ColumnElement[bool]:
    return Usage.hour > func.now() - QUOTA_WINDOW


def _sums() -> list[ColumnElement[int]]:
    return [func.coalesce(func.sum(getattr(Usage, name)), 0).label(name) for name in COUNTED]


def _adding(new: Insert) -> Insert:
    sums = {name: getattr(Usage, name) + new.excluded[name] for name in COUNTED}
    return new.on_conflict_do_update(
        index_elements=[Usage.pseudonym, Usage.hour], set_=sums | {"person_id": new.excluded.person_id}
    )
