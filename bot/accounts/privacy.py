"""Everything about one person: written out as a file, or deleted wherever it is."""

import asyncio
import json
from datetime import datetime
from typing import Any

import structlog
from aiogram import Bot
from arq import ArqRedis
from sqlalchemy import delete, func, inspect, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.accounts import marks, payments, usage
from bot.accounts.payments import end_subscription
from bot.models import (
    Dialogue,
    Fact,
    Message,
    OwnPersona,
    Payment,
    Person,
    PhotoGrant,
    PhotoMoment,
    Usage,
)
from bot.settings import Settings
from generation.models import Photo
from generation.orders import erasure, jobs, lifecycle
from generation.runtime.database import Base, Database

log = structlog.get_logger(__name__)

#: Columns that say nothing about the person.
_OURS = {
    "words", "lease_until", "worker", "rank_at", "not_before", "dedup_key", "key", "attempt", "failures", "alone",
    "cause", "invited_by",
}  # fmt: skip


async def export(session: AsyncSession, person_id: int) -> bytes:
    """All rows about a person as one JSON file; other people's numbers are left out."""
    mine = select(Dialogue.id).where(Dialogue.person_id == person_id)
    tables: dict[str, Any] = {
        "person": select(Person).where(Person.id == person_id),
        "dialogues": select(Dialogue).where(Dialogue.person_id == person_id).order_by(Dialogue.id),
        "messages": select(Message).where(Message.dialogue_id.in_(mine)).order_by(Message.id),
        "facts": select(Fact).where(Fact.person_id == person_id).order_by(Fact.id),
        "own_personas": select(OwnPersona).where(OwnPersona.person_id == person_id).order_by(OwnPersona.id),
        "photos": select(Photo).where(Photo.owner_id == person_id).order_by(Photo.id),
        "photo_moments": select(PhotoMoment)
        .where(PhotoMoment.dialogue_id.in_(mine))
        .order_by(PhotoMoment.photo_id),
        "payments": select(Payment).where(Payment.person_id == person_id).order_by(Payment.paid_at),
        "usage": select(Usage).where(Usage.person_id == person_id).order_by(Usage.hour),
        "photo_grants": select(PhotoGrant).where(PhotoGrant.person_id == person_id).order_by(PhotoGrant.cause),
    }
    rows = {name: list(await session.scalars(query)) for name, query in tables.items()}
    # Years of talk take longer to write out than the event loop may be held.
    return await asyncio.to_thread(_written, rows)


def _written(rows: dict[str, list[Base]]) -> bytes:
    tables = {name: [_columns(row) for row in found] for name, found in rows.items()}
    return json.dumps(tables, ensure_ascii=False, indent=1, default=_plain).encode()


async def forget_persona(session: AsyncSession, person_id: int, persona: str) -> None:
    """Empty all that was said to and shown by one persona; the counts of photos stay, and with them limits."""
    mine = select(Dialogue.id).where(Dialogue.person_id == person_id, Dialogue.persona == persona)
    of_her = select(PhotoMoment.photo_id).where(PhotoMoment.dialogue_id.in_(mine))
    await lifecycle.drop_waiting(session, person_id, Photo.id.in_(of_her), why="the persona was deleted", held=True)
    for photo in await session.scalars(select(Photo).where(Photo.id.in_(of_her))):
        await erasure.discard(session, photo)
    await session.execute(update(PhotoMoment).where(PhotoMoment.dialogue_id.in_(mine)).values(scene={}))
    await session.execute(delete(Message).where(Message.dialogue_id.in_(mine)))
    await session.execute(delete(Fact).where(Fact.person_id == person_id, Fact.persona == persona))
    await session.execute(
        update(Dialogue)
        .where(Dialogue.person_id == person_id, Dialogue.persona == persona)
        .values(summary="", scene={}, ended_at=func.coalesce(Dialogue.ended_at, func.now()))
    )


async def erase(database: Database, redis: ArqRedis, bot: Bot, person_id: int, settings: Settings) -> bool:
    """Delete everything about a person; the originals follow within a sweep (`generation.orders.erasure`).

    The row of the update that is being handled loses the person's number when it is done, as all of them do.
    A ban, and what was used of today's limits, outlive it under a keyed hash. False when Telegram did not confirm
    that a running subscription ends: the person must end it there.
    """
    async with database.unit() as session:
        runs, charges = await payments.subscription(session, person_id)
    ended = [await end_subscription(bot, person_id, charge_id) for charge_id in charges]
    async with database.unit() as session:
        await usage.outlive(session, person_id, settings)
        waiting = await erasure.erase(session, person_id)
        person = await session.get(Person, person_id)
        if person is not None and person.banned_at is not None:
            await marks.put(session, marks.MarkKind.BANNED, person_id, settings)
        await marks.hide_in_actions(session, person_id, settings)
        await session.execute(delete(Person).where(Person.id == person_id))
    await jobs.withdraw(redis, waiting)
    log.info("person.erased", photos_waiting=len(waiting))
    # Telegram knows a subscription by one of its charges.
    return any(ended) or not runs


def _columns(row: Base) -> dict[str, Any]:
    names = [attribute.key for attribute in inspect(type(row)).column_attrs]
    return {name: getattr(row, name) for name in names if name not in _OURS}


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
