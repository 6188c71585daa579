"""What waits for a GPU: read in order, claimed in batches, counted, and how long it will take."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal

from sqlalchemy import (
    ARRAY,
    BigInteger,
    BindParameter,
    ColumnElement,
    Interval,
    Result,
    Select,
    String,
    bindparam,
    exists,
    func,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from generation.models import Photo, PhotoStatus, RenderWorker
from generation.runtime import operator_switches
from generation.runtime.models import Alert, OperatorSwitch
from generation.workflows.workflow import UNMEASURED

#: Photos at the head of the queue among which a batch is chosen: as many as a choice looks at (HORIZON).
CANDIDATES = 60

#: The back ends of workers that are paid by the second.
OVERFLOW = ("runpod", "modal", "replicate")
#: For so long a photo that failed on one worker is left to the others.
LEFT_TO_OTHERS = timedelta(seconds=20)

# Spelled as text so that the planner sees the constants of the partial indexes.
_IS_QUEUED = text(f"status = '{PhotoStatus.QUEUED.value}'")
_IS_RENDERING = text(f"status = '{PhotoStatus.RENDERING.value}'")


@dataclass(frozen=True, kw_only=True, slots=True)
class Chooser:
    """The worker that chooses, and the workflows that it can render; None where it can render all."""

    worker: str
    workflows: Collection[str] | None
    lease: float


async def candidates(
    session: AsyncSession, chooser: Chooser, *, free_only: bool = False, without: Collection[int] = ()
) -> Sequence[Any]:
    """The photos whose turn it could be, in order of rank; none while the queue is paused.

    Of a workflow that this worker cannot render only those that no other living one may be able to: they are
    claimed to be told so. A photo that failed here is left to the others for a while, and so are those `without`.

    Rows of id, workflow, orientation, inputs (None for none), premium, alone; rank, since (waiting for a GPU) and
    now in seconds; others and others_idle, which count the other GPUs of our own.

    Nothing is locked, so that no worker waits for another one to choose; `lifecycle.claim` decides who has what.
    """
    found: Result[Any] = await session.execute(
        _candidates(free_only, chooser.workflows is None),
        {
            "worker": chooser.worker,
            "lease": timedelta(seconds=chooser.lease),
            "workflows": list(chooser.workflows or ()),
            "without": list(without),
        },
    )
    return found.all()


@cache
def _candidates(free_only: bool, renders_all: bool) -> Select[Any]:
    """Built once: to build it takes longer than to run it."""
    is_paused = exists().where(OperatorSwitch.name == operator_switches.QUEUE_PAUSED, OperatorSwitch.value > 0)
    lease = bindparam("lease", type_=Interval)
    rendered = aliased(Photo)
    is_rendering = rendered.status == literal_column(f"'{PhotoStatus.RENDERING.value}'")
    renders = exists().where(is_rendering, rendered.worker == RenderWorker.name)
    is_other = RenderWorker.name != bindparam("worker")
    others = select(func.count()).select_from(RenderWorker).where(*_well(lease), is_other)
    waiting = (
        select(
            others.scalar_subquery().label("others"),
            others.where(~renders).scalar_subquery().label("others_idle"),
            Photo.id,
            Photo.workflow,
            Photo.orientation,
            # Most have none, and a hundred of them are parsed each time.
            func.nullif(Photo.inputs, text("'{}'::jsonb"), type_=JSONB).label("inputs"),
            Photo.premium,
            Photo.alone,
            func.extract("epoch", Photo.rank_at).label("rank"),
            func.extract("epoch", func.greatest(Photo.queued_at, Photo.not_before)).label("since"),
            func.extract("epoch", func.clock_timestamp()).label("now"),
        )
        .where(_IS_QUEUED, Photo.not_before <= func.clock_timestamp(), _is_fresh(), ~is_paused)
        .where(*_can_have(renders_all), Photo.id != func.all(bindparam("without", type_=ARRAY(BigInteger))))
        .order_by(Photo.rank_at, Photo.id)
        .limit(CANDIDATES)
    )
    return waiting.where(Photo.premium.is_(False)) if free_only else waiting


async def waiting_count(session: AsyncSession, *, before: datetime | None = None, free_only: bool = False) -> int:
    """How many photos wait for a GPU; `before` counts those whose rank is earlier."""
    counting = select(func.count()).select_from(Photo).where(_IS_QUEUED)
    if before is not None:
        counting = counting.where(Photo.rank_at < before)
    if free_only:
        counting = counting.where(Photo.premium.is_(False))
    return await session.scalar(counting) or 0


async def ahead(session: AsyncSession, photo: Photo) -> int:
    """How many photos wait before this one."""
    earlier = (Photo.rank_at < photo.rank_at) | ((Photo.rank_at == photo.rank_at) & (Photo.id < photo.id))
    return await session.scalar(select(func.count()).select_from(Photo).where(_IS_QUEUED, earlier)) or 0


async def overflow(session: AsyncSession, *, depth: int, lease: float) -> Literal["nothing", "free", "everything"]:
    """What an overflow worker may take: nothing, while no more than `depth` photos wait and no alert wants it.

    Premium photos are made by the GPUs of our own, as long as one of them is there and well.
    """
    own = await session.scalar(select(func.count()).select_from(RenderWorker).where(*_well(lease)))
    is_deep = depth > 0 and await waiting_count(session, free_only=bool(own)) > depth
    if not is_deep and not await _is_scaled_up(session):
        return "nothing"
    return "free" if own else "everything"


async def own_is_idle(session: AsyncSession, *, lease: float) -> bool:
    """Whether a GPU of our own is well and has nothing in its hands."""
    return bool(await session.scalar(select(exists().where(*_well(lease), RenderWorker.in_hand == 0))))


async def _is_scaled_up(session: AsyncSession) -> bool:
    """Whether an alert wants the overflow to help, however few photos wait by now."""
    fires = exists().where(Alert.action == "scale_up", Alert.fired_at.is_not(None), Alert.ended_at.is_(None))
    return bool(await session.scalar(select(fires)))


async def expected_wait(session: AsyncSession, *, lease: float, before: datetime | None = None) -> float | None:
    """Seconds until a photo of rank `before` (without one: a new one at the end of the queue) is rendered.

    The work ahead over the measured speed of all workers, and its own render. What a worker has not measured since
    its start is taken from the photos of late. None when nobody knows: no worker is there that could begin, or an
    operator has paused the queue.
    """
    if await operator_switches.is_on(session, operator_switches.QUEUE_PAUSED):
        return None
    latest = select(Photo.render_seconds / Photo.batch_size).order_by(Photo.id.desc()).limit(50)
    lately = select(func.avg(latest.subquery().c[0])).scalar_subquery()
    seconds = func.coalesce(RenderWorker.photo_seconds, lately, UNMEASURED)
    of_all = (func.count(), func.sum(1 / seconds), func.sum(RenderWorker.foreign_graphs))
    workers, speed, foreign = (await session.execute(select(*of_all).where(*_well(lease)))).one()
    if not workers:
        return None
    rendering = await session.scalar(select(func.count()).select_from(Photo).where(_IS_RENDERING)) or 0
    # Of what each GPU has in its hands, what renders is half done on average. Graphs of others are in its way too.
    ahead = await waiting_count(session, before=before) + max(rendering - workers / 2, 0) + foreign
    return (ahead + workers) / float(speed)


def _can_have(renders_all: bool) -> Iterator[ColumnElement[bool]]:
    """What keeps a photo from this worker, for the sake of the others."""
    alive = RenderWorker.seen_at > func.clock_timestamp() - bindparam("lease", type_=Interval)
    # One that has not proven itself yet may be able to.
    may_render = RenderWorker.workflows.is_(None) | RenderWorker.workflows.has_key(Photo.workflow)
    other = exists().where(alive, may_render, RenderWorker.name != bindparam("worker"))
    if not renders_all:
        yield (Photo.workflow == func.any(bindparam("workflows", type_=ARRAY(String)))) | ~other
    well = other.where(RenderWorker.problem.is_(None), RenderWorker.backend.not_in(OVERFLOW))
    just_failed_here = (Photo.failures > 0) & (Photo.worker == bindparam("worker"))
    is_recent = Photo.not_before > func.clock_timestamp() - LEFT_TO_OTHERS
    yield ~(just_failed_here & is_recent & well)


def _well(lease: float | BindParameter[timedelta]) -> tuple[ColumnElement[bool], ...]:
    silent_for = timedelta(seconds=lease) if isinstance(lease, int | float) else lease
    return (
        RenderWorker.seen_at > func.clock_timestamp() - silent_for,
        RenderWorker.problem.is_(None),
        RenderWorker.backend.not_in(OVERFLOW),
    )


def _is_fresh() -> ColumnElement[bool]:
    return Photo.expires_at.is_(None) | (Photo.expires_at > func.clock_timestamp())
