"""The photos table, one row for each photo from order to delivery, and the workers that make them."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Enum,
    Float,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from generation.runtime.database import Base
from generation.runtime.models import Timestamp

#: The error of a photo whose scene was over before it could be shown.
TOO_LATE = "its scene is over"
#: The same for one that an operator took out of the queue.
DROPPED_BY_OPERATOR = "an operator dropped it"


class PhotoStatus(StrEnum):
    """Where a photo is on its way; `generation.orders.lifecycle` says what may follow."""

    QUEUED = "queued"
    RENDERING = "rendering"
    STORED = "stored"
    SENDING = "sending"
    DELIVERED = "delivered"
    UNCONFIRMED = "unconfirmed"
    FAILED = "failed"
    DROPPED = "dropped"


class Orientation(StrEnum):
    """Which side of the picture is longer."""

    PORTRAIT = "portrait"
    LANDSCAPE = "landscape"


class Photo(Base):
    """A photo's whole life. Only `generation.orders.lifecycle` changes `status`.

    `attempt` is a fence: it grows with every claim, and a worker whose attempt is no longer the row's
    has lost it. `failures` counts the attempts that count against the photo. `failed` ends with words for the
    person, `dropped` without any (nobody asked for it, and its moment has passed).
    """

    __tablename__ = "photos"
    __table_args__ = (
        CheckConstraint("failures >= 0 AND attempt >= 0", name="counters"),
        CheckConstraint("status <> 'delivered' OR telegram_message_id IS NOT NULL", name="delivered_has_message"),
        # The claim walks this index in order; delivered photos are not in it, however many there are.
        Index("ix_photos_queued", "rank_at", "id", postgresql_where=text("status = 'queued'")),
        Index(
            "ix_photos_held",
            "lease_until",
            postgresql_where=text("status IN ('rendering', 'stored', 'sending')"),
        ),
        Index(
            "ix_photos_untold",
            "id",
            postgresql_where=text("status IN ('failed', 'unconfirmed') AND told_at IS NULL"),
        ),
        Index("ix_photos_owner_id_id", "owner_id", "id"),
        # A person's last day.
        Index("ix_photos_owner_id_queued_at", "owner_id", "queued_at"),
        Index(
            "ix_photos_on_the_way",
            "owner_id",
            postgresql_where=text("status IN ('queued', 'rendering', 'stored', 'sending')"),
        ),
        # What the figures of the last hours are read from.
        Index("ix_photos_delivered_at", "delivered_at", postgresql_where=text("delivered_at IS NOT NULL")),
        Index("ix_photos_failed_at", "failed_at", postgresql_where=text("failed_at IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    # Names the object in S3 and the prompt in ComfyUI: says nothing about the person.
    key: Mapped[uuid.UUID] = mapped_column(unique=True, server_default=func.gen_random_uuid())
    # The cause of the order; the same cause never orders twice.
    dedup_key: Mapped[str] = mapped_column(Text, unique=True)

    chat_id: Mapped[int] = mapped_column(BigInteger)
    owner_id: Mapped[int] = mapped_column(BigInteger)
    reply_to_message_id: Mapped[int | None] = mapped_column(BigInteger)
    # The topic of the chat that it goes into (`message_thread_id`).
    thread_id: Mapped[int | None] = mapped_column(BigInteger)
    requested: Mapped[bool]
    premium: Mapped[bool]
    rule: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    words: Mapped[dict[str, Any]] = mapped_column(JSONB)

    workflow: Mapped[str] = mapped_column(Text)
    orientation: Mapped[Orientation] = mapped_column(
        Enum(Orientation, native_enum=False, create_constraint=True, name="orientation", length=16,
             values_callable=lambda kind: [member.value for member in kind])
    )  # fmt: skip
    prompt: Mapped[str] = mapped_column(Text)
    negative_prompt: Mapped[str] = mapped_column(Text)
    seed: Mapped[int] = mapped_column(BigInteger)
    # Further named inputs of the workflow: a LoRA, a reference image.
    inputs: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    # Nakedness may be seen; a face must be; and the prompt says once more what must not, after it was seen.
    explicit: Mapped[bool] = mapped_column(server_default=text("false"))
    face_due: Mapped[bool] = mapped_column(server_default=text("false"))
    stricter: Mapped[bool] = mapped_column(server_default=text("false"))
    # What the logs of all processes call everything that came of one update.
    trace_id: Mapped[str | None] = mapped_column(Text)

    status: Mapped[PhotoStatus] = mapped_column(
        Enum(PhotoStatus, native_enum=False, create_constraint=True, name="status", length=16,
             values_callable=lambda kind: [member.value for member in kind]),
        server_default=PhotoStatus.QUEUED.value,
    )  # fmt: skip
    attempt: Mapped[int] = mapped_column(Integer, server_default="0")
    failures: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    # Place in the queue: the time of the order, moved earlier for premium.
    rank_at: Mapped[datetime] = mapped_column(Timestamp)
    not_before: Mapped[datetime] = mapped_column(Timestamp, server_default=func.now())
    # When its scene is too old to be shown; no limit where there is none.
    expires_at: Mapped[datetime | None] = mapped_column(Timestamp)
    # It was part of a batch that failed: the next attempt shows whose fault that was.
    alone: Mapped[bool] = mapped_column(server_default=text("false"))
    lease_until: Mapped[datetime | None] = mapped_column(Timestamp)
    worker: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)

    # Of the graph that rendered it: photos in it, and seconds it took on the GPU by ComfyUI's clock.
    batch_size: Mapped[int | None] = mapped_column(SmallInteger)
    render_seconds: Mapped[float | None] = mapped_column(Float)

    # Cosine of its face and those of its reference pictures, where somebody compared.
    face_likeness: Mapped[float | None] = mapped_column(Float)
    object_key: Mapped[str | None] = mapped_column(Text)
    file_id: Mapped[str | None] = mapped_column(Text)
    telegram_message_id: Mapped[int | None] = mapped_column(BigInteger)

    queued_at: Mapped[datetime] = mapped_column(Timestamp, server_default=func.now())
    claimed_at: Mapped[datetime | None] = mapped_column(Timestamp)
    submitted_at: Mapped[datetime | None] = mapped_column(Timestamp)
    rendered_at: Mapped[datetime | None] = mapped_column(Timestamp)
    stored_at: Mapped[datetime | None] = mapped_column(Timestamp)
    sending_at: Mapped[datetime | None] = mapped_column(Timestamp)
    delivered_at: Mapped[datetime | None] = mapped_column(Timestamp)
    failed_at: Mapped[datetime | None] = mapped_column(Timestamp)
    # When the person was told that it takes longer, and of a failure or of a doubtful delivery.
    wait_told_at: Mapped[datetime | None] = mapped_column(Timestamp)
    told_at: Mapped[datetime | None] = mapped_column(Timestamp)


class RenderWorker(Base):
    """A worker process, as it last said of itself; one that is silent for a lease's time is not there."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    backend: Mapped[str] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(Timestamp, server_default=func.now())
    seen_at: Mapped[datetime] = mapped_column(Timestamp, server_default=func.now())
    # Why it takes no photos; nothing when all is well.
    problem: Mapped[str | None] = mapped_column(Text)
    model: Mapped[str | None] = mapped_column(Text)
    # GPU seconds for one photo, as measured lately, and photos between claim and chat.
    photo_seconds: Mapped[float | None] = mapped_column(Float)
    in_hand: Mapped[int] = mapped_column(Integer, server_default="0")
    # What those seconds cost, where GPU_SECOND_PRICE says so.
    photo_cost: Mapped[float | None] = mapped_column(Float)
    # Names of the workflows that it has shown to render (none before it has), and why not the others.
    workflows: Mapped[list[str] | None] = mapped_column(JSONB)
    lacks: Mapped[dict[str, str]] = mapped_column(JSONB, server_default=text("'{}'"))
    # Graphs in its ComfyUI that are not of this worker; and what an operator should know though all works.
    foreign_graphs: Mapped[int] = mapped_column(Integer, server_default="0")
    warning: Mapped[str | None] = mapped_column(Text)
    # Photos in its last graph.
    batch_size: Mapped[int | None] = mapped_column(SmallInteger)

    # The card: bytes, a ratio, degrees Celsius; and the free share of the worker's disk.
    gpu_name: Mapped[str | None] = mapped_column(Text)
    vram_used: Mapped[int | None] = mapped_column(BigInteger)
    vram_total: Mapped[int | None] = mapped_column(BigInteger)
    gpu_load: Mapped[float | None] = mapped_column(Float)
    gpu_temperature: Mapped[float | None] = mapped_column(Float)
    disk_free: Mapped[float | None] = mapped_column(Float)
    # It makes pauses between its graphs to cool down.
    throttled: Mapped[bool] = mapped_column(server_default=text("false"))
    last_error: Mapped[str | None] = mapped_column(Text)
    last_error_at: Mapped[datetime | None] = mapped_column(Timestamp)
    # What an operator wants of it, until it has done so, and what came of that.
    command: Mapped[str | None] = mapped_column(Text)
    command_result: Mapped[str | None] = mapped_column(Text)


class DiscardedObject(Base):
    """An original in S3 that nobody may see any more; the workers delete it.

    Until `until` it is deleted again and again: a worker may have been storing it just then.
    """

    __tablename__ = "discarded_objects"

    object_key: Mapped[str] = mapped_column(Text, primary_key=True)
    until: Mapped[datetime] = mapped_column(Timestamp, server_default=func.now())
