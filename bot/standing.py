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
#: Last automatic photos that are looked at for how they were received, and for how long they matter.
REMEMBERED = 12
REMEMBERED_FOR = timedelta(days=14)


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Counts of one person; times are PostgreSQL's."""

    now: datetime
    requested_waiting: int
    automatic_waiting: int
    #: Seconds since the last automatic photo was ordered; None without one.
    seconds_since_automatic: float | None
    #: Photos on their way that belong to the dialogue asked about.
    waiting_here: int
    #: When the photos of the last 24 hours that did not fail were ordered, oldest first.
    ordered_at: tuple[datetime, ...]
    #: The last automatic photos in a row that were disliked, or that nobody noticed.
    unwelcome: int

    @property
    def today(self) -> int:
        return len(self.ordered_at)

    def frees_in(self, limit: int) -> float:
        """Seconds until one more photo is within `limit` a day; 0 when it is now."""
        if not 0 < limit <= self.today:
            return 0
        return (self.ordered_at[self.today - limit] + DAY - self.now).total_seconds()


async def standing(session: AsyncSession, person_id: int, *, dialogue_id: int | None = None) -> Standing:
    """Read in one go; `orders.place` still guards what must hold against a second order at the same moment."""
    mine = Photo.owner_id == person_id
    waiting = await session.execute(
        select(Photo.requested, func.count()).where(mine, _on_the_way()).group_by(Photo.requested)
    )
    counts: dict[bool, int] = {row[0]: row[1] for row in waiting}
    now = (await session.execute(select(func.now()))).scalar_one()
    ordered_at = await session.scalars(
        select(Photo.queued_at)
        .where(mine, Photo.queued_at > func.now() - DAY, Photo.status.not_in(_NOTHING_CAME))
        .order_by(Photo.queued_at)
    )
    return Standing(
        now=now,
        requested_waiting=counts.get(True, 0),
        automatic_waiting=counts.get(False, 0),
        waiting_here=await _waiting_here(session, mine, dialogue_id),
        ordered_at=tuple(ordered_at),
        seconds_since_automatic=await _seconds_since_automatic(session, mine),
        unwelcome=await _unwelcome(session, mine),
    )


async def notice(session: AsyncSession, person_id: int, *, within: float) -> None:
    """The person writes, or presses a button under a photo: what came in the last `within` seconds was noticed."""
    recent = (
        select(Photo.id)
        .where(
            Photo.owner_id == person_id,
            # Nothing that is delivered now was ordered longer ago; bounded so that the index ends the search.
            Photo.queued_at > func.now() - DAY - timedelta(seconds=within),
            Photo.delivered_at > func.now() - timedelta(seconds=within),
        )
        .order_by(Photo.queued_at.desc())
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


async def _waiting_here(session: AsyncSession, mine: ColumnElement[bool], dialogue_id: int | None) -> int:
    counted = await session.scalar(
        select(func.count())
        .select_from(Photo)
        .join(PhotoMoment, PhotoMoment.photo_id == Photo.id)
        .where(mine, _on_the_way(), PhotoMoment.dialogue_id == dialogue_id)
    )
    return counted or 0


async def _seconds_since_automatic(session: AsyncSession, mine: ColumnElement[bool]) -> float | None:
    since = await session.scalar(
        select(func.extract("epoch", func.now() - Photo.queued_at))
        .where(
            mine,
            Photo.requested.is_(False),
            Photo.status.not_in(_NOTHING_CAME),
            # No cooldown is longer than a day.
            Photo.queued_at > func.now() - DAY,
        )
        .order_by(Photo.queued_at.desc())
        .limit(1)
    )
    return None if since is None else float(since)


async def _unwelcome(session: AsyncSession, mine: ColumnElement[bool]) -> int:
    received = await session.execute(
        select(PhotoMoment.reaction, PhotoMoment.noticed_at)
        .join(Photo, Photo.id == PhotoMoment.photo_id)
        .where(
            mine,
            Photo.requested.is_(False),
            Photo.status == PhotoStatus.DELIVERED,
            Photo.queued_at > func.now() - REMEMBERED_FOR,
        )
        .order_by(Photo.queued_at.desc())
        .limit(REMEMBERED)
    )
    unwelcome = 0
    for reaction, noticed_at in received:
        if reaction is Reaction.LIKED or (reaction is None and noticed_at is not None):
            break
        unwelcome += 1
    return unwelcome
