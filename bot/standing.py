"""Where a person stands with photos: how many today, what is on its way, and how the last ones were received."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.models import PhotoMoment, Reaction
from generation.models import Photo, PhotoStatus

#: Photos that count for nothing: the person got none.
_NOTHING_CAME = (PhotoStatus.FAILED, PhotoStatus.DROPPED)
DAY = timedelta(hours=24)
#: Last automatic photos that are looked at for how they were received.
REMEMBERED = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Counts of one person; times are PostgreSQL's."""

    now: datetime
    requested_waiting: int
    automatic_waiting: int
    #: Seconds since the last automatic photo was ordered; None without one.
    seconds_since_automatic: float | None
    #: Photos of the last 24 hours that did not fail, and the moment when the oldest of them no longer counts.
    today: int
    frees_at: datetime | None
    #: The last automatic photos in a row that were disliked, or that nobody noticed.
    unwelcome: int


async def standing(session: AsyncSession, person_id: int) -> Standing:
    """Read in one go; `orders.place` still guards what must hold against a second order at the same moment."""
    mine = Photo.owner_id == person_id
    waiting = await session.execute(
        select(Photo.requested, func.count()).where(mine, _on_the_way()).group_by(Photo.requested)
    )
    counts: dict[bool, int] = {row[0]: row[1] for row in waiting}
    now, today, oldest = (
        await session.execute(
            select(func.now(), func.count(), func.min(Photo.queued_at)).where(
                mine, Photo.status.not_in(_NOTHING_CAME), Photo.queued_at > func.now() - DAY
            )
        )
    ).one()
    return Standing(
        now=now,
        requested_waiting=counts.get(True, 0),
        automatic_waiting=counts.get(False, 0),
        seconds_since_automatic=await _seconds_since_automatic(session, mine),
        today=today,
        frees_at=oldest + DAY if oldest else None,
        unwelcome=await _unwelcome(session, mine),
    )


async def notice(session: AsyncSession, person_id: int, *, within: float) -> None:
    """The person writes or presses something: photos that came at most `within` seconds ago were noticed."""
    recent = (
        select(Photo.id)
        .where(Photo.owner_id == person_id, Photo.delivered_at > func.now() - timedelta(seconds=within))
        .order_by(Photo.id.desc())
        .limit(REMEMBERED)
    )
    await session.execute(
        update(PhotoMoment)
        .where(PhotoMoment.photo_id.in_(recent), PhotoMoment.noticed_at.is_(None))
        .values(noticed_at=func.now())
        .execution_options(synchronize_session=False)
    )


def _on_the_way() -> ColumnElement[bool]:
    # Spelled as text so that the planner sees the constants of the partial index.
    return text("status IN ('queued', 'rendering', 'stored', 'sending')")  # type: ignore[return-value]


async def _seconds_since_automatic(session: AsyncSession, mine: ColumnElement[bool]) -> float | None:
    since = await session.scalar(
        select(func.extract("epoch", func.now() - Photo.queued_at))
        .where(mine, Photo.requested.is_(False), Photo.status.not_in(_NOTHING_CAME))
        # The newest by id: walks the owner's photos backwards and stops at the first.
        .order_by(Photo.id.desc())
        .limit(1)
    )
    return None if since is None else float(since)


async def _unwelcome(session: AsyncSession, mine: ColumnElement[bool]) -> int:
    received = await session.execute(
        select(PhotoMoment.reaction, PhotoMoment.noticed_at)
        .join(Photo, Photo.id == PhotoMoment.photo_id)
        .where(mine, Photo.requested.is_(False), Photo.status == PhotoStatus.DELIVERED)
        .order_by(Photo.id.desc())
        .limit(REMEMBERED)
    )
    unwelcome = 0
    for reaction, noticed_at in received:
        if reaction is Reaction.LIKED or (reaction is None and noticed_at is not None):
            break
        unwelcome += 1
    return unwelcome
