"""Everything about one person: written out as a file, or deleted wherever it is."""

import asyncio
import json
from collections.abc import Sequence
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
    POSTPONED,
    Dialogue,
    Fact,
    Message,
    OwnPersona,
    Payment,
    Person,
    PhotoGrant,
    PhotoMoment,
    ReceivedUpdate,
    Usage,
)
from bot.settings import Settings
from generation.models import Photo
from generation.orders import erasure, jobs, lifecycle
from generation.runtime.database import Base, Database

log = structlog.get_logger(__name__)

#: Rows that are read, and messages that are deleted, by one statement.
PORTION, DELETED_TOGETHER = 200, 2000
#: Columns that say nothing about the person.
_OURS = {
    "words", "lease_until", "worker", "rank_at", "not_before", "dedup_key", "key", "attempt", "failures", "alone",
    "cause", "invited_by",
}  # fmt: skip


async def export(session: AsyncSession, person_id: int) -> bytes:
    """All rows about a person as one JSON file; other people's numbers are left out.

    In portions: years of talk would hold the event loop for longer than others can wait.
    """
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
    written = [await _written(session, name, query) for name, query in tables.items()]
    return b"{\n" + b",\n".join(written) + b"\n}"


async def _written(session: AsyncSession, name: str, query: Any) -> bytes:
    """A table as a part of the file."""
    found = await session.stream_scalars(query.execution_options(yield_per=PORTION))
    portions = [await asyncio.to_thread(_as_json, rows) async for rows in found.partitions()]
    return f"{json.dumps(name)}: [\n".encode() + b",\n".join(portions) + b"\n]"


def _as_json(rows: Sequence[Base]) -> bytes:
    return ",\n".join(json.dumps(_columns(row), ensure_ascii=False, default=_plain) for row in rows).encode()


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
    await _empty_talks(database, person_id)
    async with database.unit() as session:
        await usage.outlive(session, person_id, settings)
        waiting = await erasure.erase(session, person_id)
        for key in await session.scalars(select(OwnPersona.face_key).where(OwnPersona.person_id == person_id)):
            if key:
                await erasure.discard_object(session, key)
        person = await session.get(Person, person_id)
        if person is not None and person.banned_at is not None:
            await marks.put(session, marks.MarkKind.BANNED, person_id, settings)
        await marks.hide_in_actions(session, person_id, settings)
        await payments.keep_receipts(session, person_id)
        await session.execute(delete(Person).where(Person.id == person_id))
        waits = ReceivedUpdate.claimed_by == POSTPONED
        await session.execute(delete(ReceivedUpdate).where(ReceivedUpdate.chat_id == person_id, waits))
    await jobs.withdraw(redis, waiting)
    log.info("person.erased", photos_waiting=len(waiting))
    # Telegram knows a subscription by one of its charges.
    return any(ended) or not runs


async def _empty_talks(database: Database, person_id: int) -> None:
    """Delete what was said, in portions: one statement would hold what it has locked for all of them."""
    deleted = True
    while deleted:
        async with database.autocommit() as session:
            deleted = bool((await session.execute(portion_of_talks(person_id))).all())


def portion_of_talks(person_id: int) -> Any:
    """The statement that deletes some of a person's messages; returns what it deleted."""
    mine = select(Dialogue.id).where(Dialogue.person_id == person_id)
    portion = select(Message.id).where(Message.dialogue_id.in_(mine)).limit(DELETED_TOGETHER)
    return delete(Message).where(Message.id.in_(portion)).returning(Message.id)


def _columns(row: Base) -> dict[str, Any]:
    names = [attribute.key for attribute in inspect(type(row)).column_attrs]
    return {name: getattr(row, name) for name in names if name not in _OURS}


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
