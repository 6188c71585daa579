"""The only place that changes a photo's status, against one table of transitions.

Every change names the attempt that it belongs to. A worker that lost its photo (its lease ran out and
another one took it) changes nothing and learns so from the answer.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Integer,
    Interval,
    bindparam,
    func,
    inspect,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.sql.dml import ReturningUpdate

from generation import metrics
from generation.models import Photo, PhotoStatus
from generation.runtime.database import Database, in_seconds

QUEUED, RENDERING, STORED = PhotoStatus.QUEUED, PhotoStatus.RENDERING, PhotoStatus.STORED
SENDING, DELIVERED = PhotoStatus.SENDING, PhotoStatus.DELIVERED
UNCONFIRMED, FAILED, DROPPED = PhotoStatus.UNCONFIRMED, PhotoStatus.FAILED, PhotoStatus.DROPPED

#: From each status, the ones that may follow. What has no entry is final.
TRANSITIONS: dict[PhotoStatus, frozenset[PhotoStatus]] = {
    QUEUED: frozenset({RENDERING, FAILED, DROPPED}),
    RENDERING: frozenset({STORED, QUEUED, FAILED, DROPPED}),
    STORED: frozenset({SENDING, FAILED, DROPPED}),
    # Back to stored when Telegram surely did not take it; unconfirmed when nobody can know.
    SENDING: frozenset({DELIVERED, STORED, UNCONFIRMED, FAILED}),
    # The person asked for it again, or its worker could at last write down that it arrived.
    UNCONFIRMED: frozenset({STORED, DELIVERED}),
    # An operator lets it be tried once more.
    FAILED: frozenset({QUEUED}),
}

#: The time stamp that is written on entering a status.
ENTERED_AT = {
    RENDERING: "claimed_at",
    STORED: "stored_at",
    SENDING: "sending_at",
    DELIVERED: "delivered_at",
    UNCONFIRMED: "failed_at",
    FAILED: "failed_at",
    DROPPED: "failed_at",
}

#: Statuses in which a worker holds the row and must show that it is alive.
HELD = (RENDERING, STORED, SENDING)


async def begin(session: AsyncSession, values: Mapping[str, Any], *, refused: str | None) -> Photo:
    """Write a new photo down: queued, or dropped at once because it was `refused` for this reason."""
    if refused:
        values = {**values, "status": DROPPED, "failed_at": func.clock_timestamp(), "error": refused}
        metrics.PHOTOS_ENDED.labels(DROPPED.value, reason_of(refused)).inc()
    placed = await session.execute(insert(Photo).values(**values).returning(Photo))
    return placed.scalar_one()


async def claim(
    session: AsyncSession, photo_ids: Sequence[int], *, at_most: int | None = None, worker: str, lease: float
) -> list[Photo]:
    """Take the first `at_most` of these photos to render, in the order given.

    Those that no longer wait, and those that another worker is taking at this moment, are passed over.
    """
    claimed = await session.scalars(
        _CLAIM,
        {
            "ids": list(photo_ids),
            "at_most": len(photo_ids) if at_most is None else at_most,
            "worker": worker,
            "lease": timedelta(seconds=lease),
        },
    )
    return sorted(claimed, key=lambda photo: photo_ids.index(photo.id))


def _claiming() -> ReturningUpdate[Photo]:
    ids = bindparam("ids", type_=ARRAY(BigInteger))
    taken = (
        select(Photo.id)
        .where(Photo.id == func.any(ids), Photo.status == QUEUED)
        .order_by(func.array_position(ids, Photo.id))
        .limit(bindparam("at_most", type_=Integer))
        .with_for_update(skip_locked=True)
        .cte("taken")
    )
    return (
        update(Photo)
        .where(Photo.id == taken.c.id)
        .values(
            status=RENDERING,
            attempt=Photo.attempt + 1,
            worker=bindparam("worker"),
            lease_until=func.clock_timestamp() + bindparam("lease", type_=Interval),
            claimed_at=func.clock_timestamp(),
            submitted_at=None,
            rendered_at=None,
            error=None,
            batch_size=select(func.count()).select_from(taken).scalar_subquery(),
        )
        .returning(Photo)
        .execution_options(synchronize_session=False, populate_existing=True)
    )


#: Built once: to build it takes longer than to run it.
_CLAIM = _claiming()


async def move(
    session: AsyncSession, photo: Photo, to: PhotoStatus, *, lease: float | None = None, **values: Any
) -> bool:
    """Move a photo on, if the row is still in the status and attempt that `photo` shows.

    `lease` (seconds) keeps or takes the row for this worker; without it the row is let go. On success
    `photo` shows the new status. False means that somebody else has the row: leave it alone.
    """
    if to not in TRANSITIONS.get(photo.status, frozenset()):
        raise ValueError(f"a photo cannot go from {photo.status} to {to}")
    values |= {"status": to, "lease_until": in_seconds(lease) if lease else None}
    if to in ENTERED_AT:
        values[ENTERED_AT[to]] = func.clock_timestamp()
    if photo.status is UNCONFIRMED:
        values["failed_at"] = None
    if to is STORED:
        # The first time counts: a photo that Telegram did not take goes back to stored.
        values["stored_at"] = func.coalesce(Photo.stored_at, func.clock_timestamp())
    changed = await session.execute(
        update(Photo)
        .where(Photo.id == photo.id, Photo.attempt == photo.attempt, Photo.status == photo.status)
        .values(**values)
        .returning(Photo)
        .execution_options(populate_existing=True)
    )
    row = changed.scalar_one_or_none()
    if row is not None and row is not photo:
        _copy(row, photo)
    if row is not None and to not in (RENDERING, STORED, SENDING, QUEUED):
        # Before the commit: one that fails is repeated and counted twice, which no figure shows.
        reason = reason_of(row.error or "") if to is not DELIVERED else ""
        metrics.PHOTOS_ENDED.labels(to.value, reason).inc()
    return row is not None


async def move_with_retry(
    database: Database, photo: Photo, to: PhotoStatus, *, lease: float | None = None, **values: Any
) -> bool:
    """`move` in a unit of work of its own, repeated while PostgreSQL is away, for what must not be forgotten.

    When the confirmation of a commit got lost, the repetition finds the photo moved already: that is success.
    """
    before, tries = photo.status, 0

    async def once(session: AsyncSession) -> bool:
        nonlocal tries
        tries += 1
        set_committed_value(photo, "status", before)
        if await move(session, photo, to, lease=lease, **values):
            return True
        row = await session.get(Photo, photo.id) if tries > 1 else None
        if row is None or (row.attempt, row.status) != (photo.attempt, to):
            return False
        _copy(row, photo)
        return True

    return await database.run_with_retry(once)


def deem(photo: Photo, status: PhotoStatus) -> None:
    """See a photo in another status than it was last read in, because the recovery may have moved its row."""
    set_committed_value(photo, "status", status)


def reason_of(error: str) -> str:
    """The kind of an error, as the metric's label: the words before the colon."""
    return error.partition(":")[0][:40]


async def drop_waiting(
    session: AsyncSession, owner_id: int, *which: ColumnElement[bool], why: str, held: bool = False
) -> list[int]:
    """Drop a person's photos that wait for a GPU, without words; their numbers.

    `held` drops those in a worker's hands as well: it finds them moved on and does not send them.
    """
    statuses = [before for before, after in TRANSITIONS.items() if DROPPED in after] if held else [QUEUED]
    dropped = await session.scalars(
        update(Photo)
        .where(
            Photo.owner_id == owner_id,
            Photo.status.in_(statuses),
            # Spelled as text so that the planner sees the constants of the partial index.
            text("status IN ('queued', 'rendering', 'stored', 'sending')"),
            *which,
        )
        .values(status=DROPPED, failed_at=func.clock_timestamp(), lease_until=None, error=why)
        .returning(Photo.id)
    )
    found = list(dropped)
    metrics.PHOTOS_ENDED.labels(DROPPED.value, why).inc(len(found))
    return found


async def adopt(session: AsyncSession, photo_id: int, *, worker: str, lease: float) -> Photo | None:
    """Take a stored photo that no living worker holds, in order to deliver it."""
    adopted = await session.execute(
        update(Photo)
        .where(
            Photo.id == photo_id,
            Photo.status == STORED,
            (Photo.lease_until.is_(None)) | (Photo.lease_until < func.now()),
        )
        .values(attempt=Photo.attempt + 1, worker=worker, lease_until=in_seconds(lease), error=None)
        .returning(Photo)
    )
    return adopted.scalar_one_or_none()


async def note_error(session: AsyncSession, photo: Photo, why: str) -> None:
    """Write down why a photo could not go on for now; its status stays, and its lease may run out."""
    await session.execute(
        update(Photo).where(Photo.id == photo.id, Photo.attempt == photo.attempt).values(error=why[:500])
    )


async def count_failure(session: AsyncSession, photo: Photo) -> None:
    """One more attempt counts against a photo whose status stays."""
    photo.failures += 1
    await session.flush()


async def renew_leases(session: AsyncSession, held: dict[int, int], *, lease: float) -> None:
    """Say that this worker still lives on the rows it holds (`held`: photo id to attempt)."""
    await session.execute(
        update(Photo)
        .where(tuple_(Photo.id, Photo.attempt).in_(held.items()), Photo.status.in_(HELD))
        .values(lease_until=in_seconds(lease))
    )


def _copy(row: Photo, photo: Photo) -> None:
    """`photo` belongs to no session, so that no rollback can empty it."""
    for attribute in inspect(Photo).column_attrs:
        set_committed_value(photo, attribute.key, getattr(row, attribute.key))
