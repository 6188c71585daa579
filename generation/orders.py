"""Ordering a photo: the row is written in the caller's unit of work; the doorbell is rung after its commit."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from generation.errors import QueueFull
from generation.models import Orientation, Photo, PhotoStatus

#: Any number that no other advisory lock of this database uses.
_QUEUE_LOCK = 7_041_970

MAX_PROMPT = 2_000
"""Characters of a prompt; the text encoders cut far earlier (SDXL after 77 tokens a chunk, Z-Image after 512)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PhotoWords:
    """What the person may read about the photo, in the person's language; written by whoever orders."""

    failed: str
    unconfirmed: str
    send_again: str
    send_again_data: str
    caption: str = ""

    @classmethod
    def of(cls, words: Mapping[str, str]) -> "PhotoWords":
        return cls(**words)


@dataclass(frozen=True, kw_only=True, slots=True)
class PhotoOrder:
    """All that the pipeline must know to make and deliver one photo.

    `dedup_key` names the cause: a second order with the same key returns the first one's row.
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


async def place(
    session: AsyncSession, order: PhotoOrder, *, queue_limit: int, premium_head_start: float, hold: float = 0
) -> Photo:
    """Write the order down and return its row (the existing one for a known `dedup_key`).

    For `hold` seconds no worker takes it, unless `release` ends that earlier. Its place in the queue is kept.
    Raises QueueFull when `queue_limit` photos wait already. The caller commits, then rings.
    """
    # Held until the commit, so that two orders cannot both take the last place.
    await session.execute(select(func.pg_advisory_xact_lock(_QUEUE_LOCK)))
    known = await session.scalar(select(Photo).where(Photo.dedup_key == order.dedup_key))
    if known is not None:
        return known
    waiting = await waiting_count(session)
    if waiting >= queue_limit:
        raise QueueFull(waiting)
    head_start = timedelta(seconds=premium_head_start if order.premium else 0)
    values = {name: getattr(order, name) for name in order.__dataclass_fields__}
    values |= {
        "words": asdict(order.words),
        "prompt": order.prompt[:MAX_PROMPT],
        "negative_prompt": order.negative_prompt[:MAX_PROMPT],
        "rank_at": func.clock_timestamp() - head_start,
        "queued_at": func.clock_timestamp(),
        "not_before": func.clock_timestamp() + timedelta(seconds=hold),
    }
    placed = await session.execute(insert(Photo).values(**values).returning(Photo))
    return placed.scalar_one()


async def release(session: AsyncSession, photo_id: int) -> None:
    """End the hold of an order that was placed with one."""
    await session.execute(
        update(Photo)
        .where(Photo.id == photo_id, Photo.status == PhotoStatus.QUEUED, Photo.attempt == 0)
        .values(not_before=func.now())
    )


async def waiting_count(session: AsyncSession) -> int:
    """How many photos wait for a GPU."""
    counted = await session.scalar(
        # Spelled as text so that the planner sees the constant of the partial index.
        select(func.count()).select_from(Photo).where(text(f"status = '{PhotoStatus.QUEUED.value}'"))
    )
    return counted or 0
