"""The figures of the pipeline, read from the rows of real photos and of the workers.

One source for everything that shows or judges them: the operator's panel and chart, the alert rules, Prometheus.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, literal_column, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from generation import worker_registry
from generation.models import DROPPED_BY_OPERATOR, TOO_LATE, Photo, PhotoStatus, RenderWorker
from generation.runtime import operator_switches
from generation.runtime.monitoring.figures import Figure, Snapshot, Values, by_quantile, percentiles

#: From one time stamp of a photo to the next; between them they are its whole life.
STAGES: dict[str, tuple[str, str]] = {
    "wait": ("queued_at", "claimed_at"),
    "hand_over": ("claimed_at", "submitted_at"),
    "render": ("submitted_at", "rendered_at"),
    "store": ("rendered_at", "stored_at"),
    "send": ("stored_at", "delivered_at"),
}
HOUR = timedelta(hours=1)
#: Photos from which on a ratio means something.
FEWEST = 5


#: Windows are the one of the alert rules (15 minutes) where nothing else is said.
FIGURES = (
    Figure("queue_depth", "vitte_queue_depth", "Photos that wait for a GPU.", "priority"),
    Figure("oldest_wait", "vitte_queue_oldest_wait_seconds", "How long the photo at the head has waited."),
    Figure("in_hand", "vitte_photos_in_hand", "Photos between a worker's claim and the chat."),
    Figure("generation", "vitte_generation_seconds", "From the claim to the chat, of photos of late.", "quantile"),
    Figure("wait", "vitte_wait_seconds", "From the order to the claim, of photos of late.", "quantile"),
    Figure("wait_mean", "vitte_wait_mean_seconds", "Mean of the same."),
    Figure("throughput", "vitte_photos_last_hour", "Photos delivered in the last hour."),
    Figure("today", "vitte_photos_today", "Photos delivered since midnight UTC."),
    Figure("failed", "vitte_photos_failed_lately", "Photos of late that failed or were dropped.", "reason"),
    Figure("error_ratio", "vitte_photos_error_ratio", "Failed photos, and those of which nobody knows, of late."),
    Figure("overload_ratio", "vitte_photos_overload_ratio", "Photos dropped for want of time or place, of late."),
    Figure("stage", "vitte_stage_p95_seconds", "95th percentile of each stage, of photos of late.", "stage"),
    Figure("silence", "vitte_delivery_silence_seconds", "No photo has arrived for so long although some should."),
    Figure("workers", "vitte_workers", "Workers by how they are.", "state"),
    Figure("workers_well", "vitte_workers_well", "Workers that can take photos."),
    Figure("vram_used", "vitte_gpu_memory_used_bytes", "VRAM in use.", "worker"),
    Figure("vram_total", "vitte_gpu_memory_total_bytes", "VRAM of the card.", "worker"),
    Figure("gpu_load", "vitte_gpu_utilization_ratio", "Load of the card.", "worker"),
    Figure("gpu_temperature", "vitte_gpu_temperature_celsius", "Temperature of the card.", "worker"),
    Figure("photo_cost", "vitte_photo_cost", "What a photo of late cost, by GPU_SECOND_PRICE.", "worker"),
    Figure("photo_seconds", "vitte_photo_gpu_seconds", "GPU seconds of a photo of late.", "worker"),
    Figure("disk_free", "vitte_disk_free_ratio", "Free share of the disk that a worker runs on.", "worker"),
)  # fmt: skip


async def read(session: AsyncSession, *, window: float, lease: float) -> Snapshot:
    """All of it, by PostgreSQL's clock. `window` is in seconds; a worker silent for longer than `lease` is gone."""
    queue = (await session.execute(_queue())).one()
    delivered, of_delivered = await _delivered(session, timedelta(seconds=window))
    values: dict[str, Values] = {
        "queue_depth": {"premium": queue.premium, "free": queue.free},
        "oldest_wait": {"": float(queue.oldest)},
        "in_hand": {"": queue.in_hand},
        **of_delivered,
        **await _lost(session, timedelta(seconds=window), delivered),
        **await _workers(session, timedelta(seconds=lease)),
    }
    paused = (await operator_switches.read(session)).queue_paused
    values["silence"] = {"": 0.0 if paused else await _silence(session, timedelta(seconds=window))}
    return Snapshot(queue.now, values)


@cache
def _queue() -> Select[tuple[object, ...]]:
    queued = text("status = 'queued'")
    waiting = select(func.count()).select_from(Photo).where(queued)
    oldest = select(func.min(Photo.queued_at)).where(queued).scalar_subquery()
    return select(
        func.clock_timestamp().label("now"),
        waiting.where(Photo.premium).scalar_subquery().label("premium"),
        waiting.where(~Photo.premium).scalar_subquery().label("free"),
        func.coalesce(_seconds(oldest, func.clock_timestamp()), 0).label("oldest"),
        select(func.count())
        .select_from(Photo)
        .where(text("status IN ('rendering', 'stored', 'sending')"))
        .scalar_subquery()
        .label("in_hand"),
    )


async def _silence(session: AsyncSession, window: timedelta) -> float:
    """Seconds since the last photo arrived, or since the first order after it; 0 while nobody misses one.

    Missed is what is under way, and what ended otherwise of late: a queue whose photos all come too late is as
    silent as one that stands still.
    """
    return max(0.0, float(await session.scalar(_silent(window)) or 0))


@cache
def _silent(window: timedelta) -> Select[Any]:
    newest = select(Photo.delivered_at).where(Photo.delivered_at.is_not(None))
    latest = newest.order_by(Photo.delivered_at.desc()).limit(1).scalar_subquery()
    due = select(func.min(Photo.queued_at)).where(text("status IN ('queued', 'rendering', 'stored', 'sending')"))
    lost = select(func.min(Photo.queued_at)).where(
        Photo.failed_at > func.greatest(func.now() - window, latest), _is_lost()
    )
    missed = func.least(due.scalar_subquery(), lost.scalar_subquery())
    since = case((missed.is_not(None), func.greatest(missed, latest)))
    return select(func.coalesce(_seconds(since, func.now()), 0))


@cache
def _arrived(window: timedelta) -> Select[Any]:
    lately = Photo.delivered_at > func.now() - window
    midnight = func.date_trunc("day", func.now(), "UTC")
    since = func.least(func.now() - func.greatest(window, HOUR), midnight)
    generation, wait = _seconds(Photo.claimed_at, Photo.delivered_at), _seconds(Photo.queued_at, Photo.claimed_at)
    stages = {name: _seconds(getattr(Photo, begin), getattr(Photo, end)) for name, (begin, end) in STAGES.items()}
    return select(
        percentiles(generation).filter(lately).label("generation"),
        percentiles(wait).filter(lately).label("wait"),
        func.avg(wait).filter(lately).label("wait_mean"),
        func.count().filter(lately).label("lately"),
        func.count().filter(Photo.delivered_at > func.now() - HOUR).label("throughput"),
        func.count().filter(Photo.delivered_at >= midnight).label("today"),
        *(percentiles(seconds).filter(lately).label(name) for name, seconds in _prefixed(stages)),
    ).where(Photo.delivered_at > since)


async def _delivered(session: AsyncSession, window: timedelta) -> tuple[int, dict[str, Values]]:
    """How many arrived of late, and the figures of them."""
    found = (await session.execute(_arrived(window))).one()
    values: dict[str, Values] = {"throughput": {"": found.throughput}, "today": {"": found.today}}
    if found.wait_mean is not None:
        values["wait_mean"] = {"": float(found.wait_mean)}
        values["generation"] = by_quantile(found.generation)
        values["wait"] = by_quantile(found.wait)
        measured = {name: getattr(found, f"stage_{name}") for name in STAGES}
        values["stage"] = {name: float(pair[1]) for name, pair in measured.items() if pair and pair[1] is not None}
    return found.lately, values


#: Photos that were dropped because there was no time or no place for them; others were taken back by somebody.
_OVERLOAD = ("QueueFull", TOO_LATE)
#: The reason of a failure that an operator had tried once more.
TRIED_AGAIN = "tried again"


def _is_lost() -> ColumnElement[bool]:
    """Of what has ended without arriving: what was not taken back by anybody."""
    taken_back = Photo.error.is_not_distinct_from(DROPPED_BY_OPERATOR)
    return ~taken_back & ((Photo.status != PhotoStatus.DROPPED) | reason_of(Photo.error).in_(_OVERLOAD))


@cache
def _ended(window: timedelta) -> Select[Any]:
    # One that is tried again, or arrived at last, failed all the same.
    has_ended = Photo.status.in_((PhotoStatus.FAILED, PhotoStatus.UNCONFIRMED, PhotoStatus.DROPPED))
    reason = case((has_ended, reason_of(Photo.error)), else_=TRIED_AGAIN)
    return (
        select(reason.label("reason"), Photo.status, func.count().label("photos"))
        .where(Photo.failed_at > func.now() - window)
        .group_by(literal_column("1"), Photo.status)
    )


async def _lost(session: AsyncSession, window: timedelta, delivered: int) -> dict[str, Values]:
    rows = (await session.execute(_ended(window))).all()
    reasons: dict[str, float] = {}
    for row in rows:
        reasons[row.reason] = reasons.get(row.reason, 0) + row.photos
    late = [row for row in rows if row.reason in _OVERLOAD]
    on_purpose = {*late, *(row for row in rows if row.reason == DROPPED_BY_OPERATOR)}
    failed = sum(row.photos for row in rows if row.status != PhotoStatus.DROPPED and row not in on_purpose)
    overload = sum(row.photos for row in late)
    return {
        "failed": reasons,
        "error_ratio": {"": _ratio(failed, delivered)},
        "overload_ratio": {"": _ratio(overload, delivered)},
    }


def _ratio(lost: int, delivered: int) -> float:
    """One failure among two photos tells nothing."""
    return lost / (lost + delivered) if lost + delivered >= FEWEST else 0.0


def reason_of(error: object) -> ColumnElement[str]:
    """The kind of an error as rows tell it: the words before the colon, details left out."""
    return func.left(func.split_part(func.coalesce(error, "unknown"), ":", 1), 40)


#: Columns of `RenderWorker` that are figures of each.
_OF_WORKERS = (
    "vram_used", "vram_total", "gpu_load", "gpu_temperature", "disk_free", "photo_cost", "photo_seconds",
)  # fmt: skip


async def _workers(session: AsyncSession, lease: timedelta) -> dict[str, Values]:
    alive = RenderWorker.seen_at > func.clock_timestamp() - lease
    rows = (await session.execute(select(RenderWorker, alive.label("alive")))).all()
    states = {"well": 0, "sick": 0, "silent": 0}
    values: dict[str, dict[str, float]] = {name: {} for name in _OF_WORKERS}
    for worker, is_alive in rows:
        states["silent" if not is_alive else "sick" if worker.problem else "well"] += 1
        for name, found in values.items():
            value = getattr(worker, name)
            if is_alive and value is not None:
                found[worker_registry.place_of(worker.name)] = float(value)
    return {"workers": states, "workers_well": {"": states["well"]}, **values}


@dataclass(frozen=True, slots=True)
class Bucket:
    """A stretch of time in the chart."""

    begin: datetime
    delivered: int
    failed: int
    generation_p50: float | None
    generation_p95: float | None
    wait_p95: float | None
    #: The most photos that waited for a GPU in it.
    waiting: int


#: One pass over what ended since, by the indexes on the two ends, and over what is under way.
_HISTORY = text("""
    WITH span AS (SELECT now() - CAST(:length AS interval) AS origin, CAST(:step AS interval) AS step),
    recent AS MATERIALIZED (
        SELECT id, queued_at, claimed_at, delivered_at, failed_at, status FROM photos, span
        WHERE delivered_at > origin
        UNION
        SELECT id, queued_at, claimed_at, delivered_at, failed_at, status FROM photos, span WHERE failed_at > origin
        UNION
        SELECT id, queued_at, claimed_at, delivered_at, failed_at, status FROM photos
        WHERE status IN ('queued', 'rendering', 'stored', 'sending')
    ),
    steps AS (SELECT generate_series(origin, now() - step, step) AS begin FROM span),
    made AS (
        SELECT date_bin(step, delivered_at, origin) AS begin, count(*) AS delivered,
            percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY extract(epoch FROM delivered_at - claimed_at))
                AS generation,
            percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM claimed_at - queued_at)) AS wait
        FROM recent, span WHERE delivered_at > origin GROUP BY 1
    ),
    lost AS (
        SELECT date_bin(step, failed_at, origin) AS begin, count(*) AS failed
        FROM recent, span WHERE failed_at > origin AND status <> 'dropped' GROUP BY 1
    ),
    -- Each photo comes into the queue and leaves it; one that was put back is in it still.
    moves AS (
        SELECT greatest(queued_at, origin) AS at, 1 AS change FROM recent, span
        UNION ALL
        SELECT greatest(coalesce(claimed_at, failed_at), origin), -1
        FROM recent, span WHERE status <> 'queued' AND coalesce(claimed_at, failed_at) IS NOT NULL
    ),
    depths AS (SELECT at, sum(change) OVER (ORDER BY at, change DESC ROWS UNBOUNDED PRECEDING) AS depth FROM moves),
    peaks AS (
        SELECT DISTINCT ON (begin) begin, max(depth) OVER (PARTITION BY begin) AS peak, depth AS last
        FROM (SELECT date_bin(step, at, origin) AS begin, at, depth FROM depths, span) AS placed
        ORDER BY begin, at DESC, depth
    ),
    -- A step in which nothing moved has as many as the one before it.
    carried AS (
        SELECT steps.begin, peak, last, count(last) OVER (ORDER BY steps.begin) AS run
        FROM steps LEFT JOIN peaks USING (begin)
    )
    SELECT begin, coalesce(delivered, 0) AS delivered, coalesce(failed, 0) AS failed, generation, wait,
        coalesce(peak, max(last) OVER (PARTITION BY run), 0) AS waiting
    FROM carried LEFT JOIN made USING (begin) LEFT JOIN lost USING (begin)
    ORDER BY begin
""")


async def history(
    session: AsyncSession, *, hours: int = 24, step: timedelta = timedelta(minutes=30)
) -> list[Bucket]:
    """The last hours in steps, oldest first, from the same rows."""
    rows = await session.execute(_HISTORY, {"length": timedelta(hours=hours), "step": step})
    return [
        Bucket(row.begin, row.delivered, row.failed, *_pair(row.generation), row.wait, int(row.waiting))
        for row in rows
    ]


def _pair(quantiles: list[float] | None) -> tuple[float | None, float | None]:
    low, high = quantiles or (None, None)
    return low, high


def _seconds(begin: Any, end: Any) -> ColumnElement[Any]:
    return func.extract("epoch", end - begin)


def _prefixed(stages: Mapping[str, ColumnElement[float]]) -> Iterator[tuple[str, ColumnElement[float]]]:
    return ((f"stage_{name}", seconds) for name, seconds in stages.items())
