"""What the language model did for each person: counted by the hour, within the budget of their plan.

The window is any 24 hours, to the hour. Rows stand under the keyed hash of `bot.accounts.marks`, so that "delete
everything" gives no new budget and no new photos; such rows go a day later, all others after `KEPT`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, lru_cache
from typing import Any, Self, cast

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Executable,
    Table,
    Text,
    and_,
    bindparam,
    case,
    delete,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from bot.accounts.marks import pseudonym
from bot.accounts.photo_quota import QUOTA_WINDOW, of_plan
from bot.accounts.plans import plan
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
    limits = {
        f"{name}_{limit}": getattr(plan(settings, premium=name == "premium"), limit)
        for name in _PLANS
        for limit in _LIMITS
    }
    kinds = frozenset(name for name in COUNTED if getattr(wanted, name))
    values = {"hashed": pseudonym(person_id, settings), "person": person_id, **_amounts(wanted), **limits}
    return await session.scalar(_taking(settings.premium_ids, kinds), values) is not None


async def add(session: AsyncSession, person_id: int, settings: Settings, more: Used) -> None:
    """Count what turned out afterwards; corrections may be negative."""
    values = {"hashed": pseudonym(person_id, settings), "person": person_id, **_amounts(more)}
    await session.execute(_adding_more(), values)


#: Built once: building them took a seventh of the bot's own time for a text.
_PLANS = ("free", "premium")
#: The mapped class would take the values for rows.
_TABLE = cast("Table", Usage.__table__)
_LIMITS = ("model_calls", "model_tokens", "voice_seconds", "pictures")


def _amounts(used: Used) -> dict[str, int]:
    return {f"new_{name}": getattr(used, name) for name in COUNTED}


def _new(name: str) -> BindParameter[int]:
    return bindparam(f"new_{name}", type_=getattr(Usage, name).type)


@lru_cache(maxsize=64)
def _taking(premium_ids: frozenset[int], kinds: frozenset[str]) -> Executable:
    """The statement of `take` for amounts of these kinds."""
    so_far = select(*_sums()).where(Usage.pseudonym == bindparam("hashed", type_=Text), _lately()).subquery()
    within, within_premium = (_room(kinds, so_far.c, name) for name in _PLANS)
    room = case((Person.with_premium(premium_ids), within_premium), else_=within)
    amounts: list[ColumnElement[Any]] = [_new(name) for name in COUNTED]
    row = (
        select(bindparam("hashed", type_=Text), _hour(), Person.id, *amounts)
        .select_from(Person)
        .join(so_far, literal(True))
    )
    mine = Person.id == bindparam("person", type_=BigInteger)
    new = insert(_TABLE).from_select(["pseudonym", "hour", "person_id", *COUNTED], row.where(mine, room))
    return _adding(new).returning(Usage.calls)


@cache
def _adding_more() -> Insert:
    """The statement of `add`. Of somebody who had everything deleted meanwhile the hash is enough."""
    mine = select(Person.id).where(Person.id == bindparam("person", type_=BigInteger)).scalar_subquery()
    amounts = {name: _new(name) for name in COUNTED}
    return _adding(
        insert(Usage).values(pseudonym=bindparam("hashed", type_=Text), hour=_hour(), person_id=mine, **amounts)
    )


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


def _room(kinds: frozenset[str], so_far: _Columns, plan_name: str) -> ColumnElement[bool]:
    def limit(name: str) -> BindParameter[int]:
        return bindparam(f"{plan_name}_{name}", type_=BigInteger)

    conditions: list[ColumnElement[bool]] = [literal(True)]
    if "calls" in kinds:
        conditions.append(so_far.calls + _new("calls") <= limit("model_calls"))
        conditions.append(so_far.prompt_tokens + so_far.completion_tokens < limit("model_tokens"))
    if "voice_seconds" in kinds:
        conditions.append(so_far.voice_seconds + _new("voice_seconds") <= limit("voice_seconds"))
    if "pictures" in kinds:
        conditions.append(so_far.pictures + _new("pictures") <= limit("pictures"))
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
