"""Ordering a photo: the row is written in the caller's unit of work; an arq job announces it after the commit."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Select, cast, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from generation.errors import GenerationError, OneAtATime, QueueFull
from generation.models import DROPPED_BY_OPERATOR, Orientation, Photo, PhotoStatus
from generation.orders import erasure, lifecycle, queue
from generation.runtime import operator_switches
from generation.runtime.database import Lock
from generation.storage import object_key

MAX_PROMPT = 2_000
"""Characters of a prompt; the text encoders cut far earlier (SDXL after 77 tokens a chunk, Z-Image after 512)."""


#: Failed photos of so long ago are tried again together, so many at once.
RETRIED = timedelta(hours=24)
RETRIED_AT_ONCE = 500
#: What a photo that is tried once more forgets; not that it failed, which the figures still count.
CLEARED_ON_RETRY = (
    "error", "told_at", "expires_at",
    "claimed_at", "submitted_at", "rendered_at", "stored_at", "sending_at",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class PhotoWords:
    """What the person may read about the photo, in the person's language; written by whoever orders.

    Nothing is said of a photo that failed without words for it.
    """

    failed: str
    unconfirmed: str
    send_again: str
    send_again_data: str
    caption: str = ""
    #: Said instead of `failed` when the photo was asked for and came too late.
    too_late: str = ""
    #: Said instead of `failed` when every picture showed what nobody should see.
    unfit: str = ""
    #: It was promised, so its end is said even though nobody asked for it.
    owed: bool = False
    #: Rows of buttons under the photo: text, and callback data that the photo's id follows.
    buttons: Sequence[Sequence[tuple[str, str]]] = ()
    #: Shown blurred until the person taps it; delivered without a sound.
    spoiler: bool = False
    silent: bool = False

    @classmethod
    def of(cls, words: Mapping[str, Any]) -> "PhotoWords":
        """From the row; what a newer bot wrote and this worker does not know is left out."""
        known = {name: value for name, value in words.items() if name in cls.__dataclass_fields__}
        rows = known.get("buttons") or ()
        if rows and isinstance(rows[0][0], str):
            # One row, as the bot wrote it before there were several.
            known["buttons"] = [rows]
        return cls(**known)


@dataclass(frozen=True, kw_only=True, slots=True)
class PhotoOrder:
    """All that the pipeline must know to make and deliver one photo.

    `dedup_key` names the cause: a second order with the same key returns the first one's row.
    `inputs` are further named inputs of the workflow (a LoRA, a reference image).
    `expires_in` is in seconds: later than that the scene is over, and the photo is not delivered any more.
    """

    dedup_key: str
    chat_id: int
    owner_id: int
    reply_to_message_id: int | None
    requested: bool
    premium: bool
    rule: str
    reason: str
    workflow: str
    orientation: Orientation
    prompt: str
    negative_prompt: str
    seed: int
    words: PhotoWords
    inputs: Mapping[str, str | float] = field(default_factory=dict)
    #: Nakedness may be seen; a face must be.
    explicit: bool = False
    face_due: bool = False
    expires_in: float | None = None
    #: The topic of the chat that it goes into.
    thread_id: int | None = None
    #: What the logs call everything that came of the same update.
    trace_id: str | None = None


async def place(
    session: AsyncSession,
    order: PhotoOrder,
    *,
    queue_limit: int,
    premium_head_start: float,
    lease: float,
    hold: float = 0,
) -> Photo:
    """Write the order down and return its row (the existing one for a known `dedup_key`).

    For `hold` seconds no worker takes it, unless `release` ends that earlier. Its place in the queue is kept.
    An automatic photo that finds the queue full, or another automatic one of this person on its way, is written
    down as dropped and nothing comes of it; for one that was asked for QueueFull is raised. Orders of other people
    in the same moment are not waited for, so a full queue may be passed by as many as they are.
    The caller commits, then enqueues a job.
    """
    # Held until the commit, so that one cause never orders twice, nor one person two automatic photos.
    one_person = func.pg_advisory_xact_lock(Lock.ORDERS, func.hashint8(cast(order.owner_id, BigInteger)))
    await session.execute(select(one_person))
    known = await session.scalar(select(Photo).where(Photo.dedup_key == order.dedup_key))
    if known is not None:
        return known
    head_start = timedelta(seconds=premium_head_start if order.premium else 0)
    now = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    refusal = await _refusal(session, order, now - head_start, queue_limit=queue_limit, lease=lease)
    if refusal and order.requested:
        raise refusal
    values = {name: getattr(order, name) for name in order.__dataclass_fields__ if name != "expires_in"}
    values |= {
        "words": asdict(order.words),
        "inputs": dict(order.inputs),
        "prompt": order.prompt[:MAX_PROMPT],
        "negative_prompt": order.negative_prompt[:MAX_PROMPT],
        "rank_at": now - head_start,
        "queued_at": now,
        "not_before": now + timedelta(seconds=hold),
        "expires_at": None if order.expires_in is None else now + timedelta(seconds=order.expires_in),
    }
    refused = f"{type(refusal).__name__}: {refusal}" if refusal else None
    return await lifecycle.begin(session, values, refused=refused)


async def cancel(session: AsyncSession, photo_id: int, *, owner_id: int) -> bool:
    """Drop a photo that its owner no longer wants; False once a GPU has begun with it, or for somebody else's."""
    return bool(
        await lifecycle.drop_waiting(session, owner_id, Photo.id == photo_id, why="the person cancelled it")
    )


async def _refusal(
    session: AsyncSession, order: PhotoOrder, rank_at: datetime, *, queue_limit: int, lease: float
) -> GenerationError | None:
    if not order.requested and await _automatic_on_the_way(session, order.owner_id):
        return OneAtATime("another automatic photo of this person is on its way")
    if await operator_switches.is_on(session, operator_switches.QUEUE_DRAINING):
        return QueueFull(await queue.waiting_count(session), None)
    # Those behind it do not count: free photos never close the door to premium ones.
    waiting = await queue.waiting_count(session, before=rank_at)
    wait = await queue.expected_wait(session, lease=lease, before=rank_at)
    too_long = order.expires_in is not None and wait is not None and wait > order.expires_in
    return QueueFull(waiting, wait) if waiting >= queue_limit or too_long else None


async def _automatic_on_the_way(session: AsyncSession, owner_id: int) -> bool:
    found = await session.scalar(
        select(Photo.id)
        .where(Photo.owner_id == owner_id, Photo.requested.is_(False))
        # Spelled as text so that the planner sees the constants of the partial index.
        .where(text("status IN ('queued', 'rendering', 'stored', 'sending')"))
        .limit(1)
    )
    return found is not None


async def retry(session: AsyncSession, photo: Photo) -> bool:
    """Let a failed photo be tried once more, from the beginning; False for one that did not fail or was erased."""
    if photo.status is not PhotoStatus.FAILED or not photo.prompt:
        return False
    # As if it were ordered now: figures must not take the time until an operator came for a stage.
    now = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    values: dict[str, Any] = dict.fromkeys(("rank_at", "not_before", "queued_at"), now)
    values |= {"failures": 0, "alone": True} | dict.fromkeys(CLEARED_ON_RETRY)
    if photo.object_key and photo.object_key != object_key(photo.key, now):
        # The new original gets another name; nobody would know of the old one.
        await erasure.discard_object(session, photo.object_key)
        values["object_key"] = None
    return await lifecycle.move(session, photo, PhotoStatus.QUEUED, **values)


async def retry_failed(session: AsyncSession, *, not_of: Select[int]) -> list[Photo]:
    """The same for all that failed lately and whose person is none of `not_of`, a statement about people."""
    failed = await session.scalars(
        select(Photo)
        .where(
            Photo.status == PhotoStatus.FAILED,
            Photo.failed_at > func.now() - RETRIED,
            Photo.prompt != "",
            Photo.error != DROPPED_BY_OPERATOR,
            Photo.owner_id.not_in(not_of),
        )
        .order_by(Photo.id)
        .limit(RETRIED_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    return [photo for photo in failed.all() if await retry(session, photo)]


async def expire_waiting(session: AsyncSession) -> int:
    """End all photos that wait for a GPU: the recovery tells those who asked for one. How many there were."""
    expired = await session.scalars(
        update(Photo)
        .where(text("status = 'queued'"), Photo.error.is_distinct_from(DROPPED_BY_OPERATOR))
        .values(expires_at=func.clock_timestamp(), error=DROPPED_BY_OPERATOR)
        .returning(Photo.id)
    )
    return len(expired.all())


async def head(session: AsyncSession) -> Photo | None:
    """The photo whose turn it is."""
    return await session.scalar(
        select(Photo).where(text("status = 'queued'")).order_by(Photo.rank_at, Photo.id).limit(1)
    )


async def release(session: AsyncSession, photo_id: int) -> None:
    """End the hold of an order that was placed with one."""
    await session.execute(
        update(Photo)
        .where(Photo.id == photo_id, Photo.status == PhotoStatus.QUEUED, Photo.attempt == 0)
        .values(not_before=func.now())
    )
