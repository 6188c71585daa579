"""Where a person stands with photos: how many today, what is on its way, and how the last ones were received."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import takewhile

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Executable,
    ScalarSelect,
    and_,
    bindparam,
    exists,
    func,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession

from bot.models import PhotoGrant, PhotoMoment, Reaction, Usage
from generation.models import Photo, PhotoStatus

#: The rule of candidate faces for a persona of one's own; they have a limit of theirs (`bot.photos.faces`).
FACE = "face"
#: Photos that count for nothing: the person got none.
NOTHING_CAME = (PhotoStatus.FAILED, PhotoStatus.DROPPED)
#: Photos are counted over so long a time, at any moment.
QUOTA_WINDOW = timedelta(hours=24)
#: Whoever writes or presses something so soon after a photo has noticed it.
NOTICED_WITHIN = timedelta(minutes=10)
#: Last automatic photos that are looked at for how they were received, and for how long they matter.
REMEMBERED = 12
REMEMBERED_FOR = timedelta(days=14)


@dataclass(frozen=True, kw_only=True, slots=True)
class PhotoQuota:
    """Counts of one person; times are PostgreSQL's."""

    now: datetime
    requested_waiting: int
    automatic_waiting: int
    #: Seconds since the last automatic photo was ordered; None without one.
    seconds_since_automatic: float | None
    #: Photos on their way that belong to the dialogue asked about.
    waiting_here: int
    #: When the photos of the last 24 hours that did not fail were ordered, oldest first; those of packs left out.
    ordered_at: tuple[datetime, ...]
    #: The last automatic photos in a row that were disliked, or that nobody noticed.
    unwelcome: int

    @property
    def today(self) -> int:
        """Photos of the last 24 hours that count for the plan."""
        return len(self.ordered_at)

    def frees_in(self, limit: int) -> float:
        """Seconds until one more photo is within `limit` a day; 0 when it is now."""
        if not 0 < limit <= self.today:
            return 0
        return (self.ordered_at[self.today - limit] + QUOTA_WINDOW - self.now).total_seconds()


async def photo_quota(session: AsyncSession, person_id: int, *, dialogue_id: int | None = None) -> PhotoQuota:
    """Read in one go; against a second order at the same moment, `placing.place` guards what must hold."""
    row = (await session.execute(_quota(), {"person": person_id, "dialogue": dialogue_id})).one()
    since = row.seconds_since_automatic
    return PhotoQuota(
        now=row.now,
        requested_waiting=row.requested_waiting,
        automatic_waiting=row.automatic_waiting,
        waiting_here=row.waiting_here,
        ordered_at=tuple(sorted([*(row.ordered_at or ()), *(row.ordered_before or ())])),
        seconds_since_automatic=None if since is None else float(since),
        unwelcome=sum(1 for _ in takewhile(lambda welcome: not welcome, row.received or ())),
    )


@cache
def _quota() -> Executable:
    """Built once: building it takes longer than PostgreSQL takes to answer it."""
    person = bindparam("person", type_=BigInteger)
    mine = Photo.owner_id == person
    return select(
        func.now().label("now"),
        _waiting(mine, Photo.requested.is_(True)).label("requested_waiting"),
        _waiting(mine, Photo.requested.is_(False)).label("automatic_waiting"),
        _waiting(mine, _of_dialogue(bindparam("dialogue", type_=BigInteger))).label("waiting_here"),
        _ordered_at(mine).label("ordered_at"),
        _ordered_before_erasure(person).label("ordered_before"),
        _seconds_since_automatic(mine).label("seconds_since_automatic"),
        _received(mine).label("received"),
    )


async def pack_balance(session: AsyncSession, person_id: int) -> int:
    """Photos of packs and of thanks that are left: what was granted, less what was used and did not fail."""
    granted = await session.scalar(
        select(func.coalesce(func.sum(PhotoGrant.photos), 0)).where(PhotoGrant.person_id == person_id)
    )
    if not granted:
        return 0
    used = await session.scalar(
        select(func.count())
        .select_from(Photo)
        .where(Photo.owner_id == person_id, Photo.status.not_in(NOTHING_CAME), _paid_with_pack())
    )
    return max(0, granted - (used or 0))


async def mark_noticed(session: AsyncSession, person_id: int) -> None:
    """The person writes, or presses a button under a photo: what came within `NOTICED_WITHIN` was noticed."""
    await session.execute(_noticed(), {"person": person_id})


def unnoticed() -> ColumnElement[bool]:
    """Whether `mark_noticed` would change something for the parameter `person`."""
    return exists().where(_not_yet_noticed())


def _not_yet_noticed() -> ColumnElement[bool]:
    recent = (
        select(Photo.id)
        .where(
            Photo.owner_id == bindparam("person", type_=BigInteger),
            # Nothing that is delivered now was ordered longer ago; bounded so that the index ends the search.
            Photo.queued_at > func.now() - QUOTA_WINDOW - NOTICED_WITHIN,
            Photo.delivered_at > func.now() - NOTICED_WITHIN,
        )
        .order_by(Photo.queued_at.desc())
        .limit(REMEMBERED)
    )
    return and_(PhotoMoment.photo_id.in_(recent), PhotoMoment.noticed_at.is_(None))


@cache
def _noticed() -> Executable:
    return (
        update(PhotoMoment)
        .where(_not_yet_noticed())
        .values(noticed_at=func.now())
        .execution_options(synchronize_session=False)
    )


def of_plan() -> ColumnElement[bool]:
    """Photos that count for the plan just now; those of packs and candidate faces do not."""
    recent = and_(Photo.queued_at > func.now() - QUOTA_WINDOW, Photo.status.not_in(NOTHING_CAME))
    return and_(recent, Photo.rule != FACE, ~_paid_with_pack())


def _on_the_way() -> ColumnElement[bool]:
    # Spelled as text so that the planner sees the constants of the partial index.
    return text("status IN ('queued', 'rendering', 'stored', 'sending')")  # type: ignore[return-value]


def _paid_with_pack() -> ColumnElement[bool]:
    return exists().where(PhotoMoment.photo_id == Photo.id, PhotoMoment.from_pack)


def _waiting(mine: ColumnElement[bool], which: ColumnElement[bool]) -> ScalarSelect[int]:
    return select(func.count()).select_from(Photo).where(mine, _on_the_way(), which).scalar_subquery()


def _of_dialogue(dialogue_id: BindParameter[int]) -> ColumnElement[bool]:
    return exists().where(PhotoMoment.photo_id == Photo.id, PhotoMoment.dialogue_id == dialogue_id)


def _ordered_at(mine: ColumnElement[bool]) -> ScalarSelect[list[datetime]]:
    in_order = aggregate_order_by(Photo.queued_at, Photo.queued_at)
    return select(func.array_agg(in_order)).where(mine, of_plan()).scalar_subquery()


def _ordered_before_erasure(person_id: BindParameter[int]) -> ScalarSelect[list[datetime]]:
    """The hours of photos that somebody had before everything was deleted (`bot.accounts.usage`)."""
    each = func.generate_series(1, Usage.photos).table_valued("number")
    return (
        select(func.array_agg(Usage.hour))
        .join_from(Usage, each, literal(True))
        .where(Usage.person_id == person_id, Usage.photos > 0, Usage.hour > func.now() - QUOTA_WINDOW)
        .scalar_subquery()
    )


def _seconds_since_automatic(mine: ColumnElement[bool]) -> ScalarSelect[float]:
    return (
        select(func.extract("epoch", func.now() - Photo.queued_at))
        .where(
            mine,
            Photo.requested.is_(False),
            Photo.status.not_in(NOTHING_CAME),
            # No cooldown is longer than a day.
            Photo.queued_at > func.now() - QUOTA_WINDOW,
        )
        .order_by(Photo.queued_at.desc())
        .limit(1)
        .scalar_subquery()
    )


def _received(mine: ColumnElement[bool]) -> ScalarSelect[list[bool]]:
    """Whether each of the last automatic photos was welcome, newest first."""
    noticed = PhotoMoment.reaction.is_(None) & PhotoMoment.noticed_at.is_not(None)
    latest = (
        select(
            Photo.queued_at,
            (func.coalesce(PhotoMoment.reaction == Reaction.LIKED, False) | noticed).label("welcome"),
        )
        .join(PhotoMoment, PhotoMoment.photo_id == Photo.id)
        .where(
            mine,
            Photo.requested.is_(False),
            Photo.status == PhotoStatus.DELIVERED,
            Photo.queued_at > func.now() - REMEMBERED_FOR,
        )
        .order_by(Photo.queued_at.desc())
        .limit(REMEMBERED)
        .subquery()
    )
    return select(func.array_agg(aggregate_order_by(latest.c.welcome, latest.c.queued_at.desc()))).scalar_subquery()
