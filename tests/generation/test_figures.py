"""Figures from rows whose times are known."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from generation import figures, worker_registry
from generation.models import Photo, PhotoStatus, RenderWorker
from generation.orders import lifecycle, placing
from generation.runtime import operator_switches
from generation.runtime.database import Database
from generation.runtime.monitoring.figures import Snapshot

NAMES = {
    "chat_id": 1, "owner_id": 1, "requested": True, "rule": "r", "reason": "r", "words": {}, "workflow": "w",
    "orientation": "portrait", "prompt": "p", "negative_prompt": "", "seed": 1,
}  # fmt: skip


async def photos(database: Database, *rows: dict[str, Any]) -> None:
    async with database.unit() as session:
        for number, row in enumerate(rows):
            values = NAMES | {"dedup_key": str(number), "premium": False, "rank_at": row["queued_at"]} | row
            await session.execute(insert(Photo).values(**values))


def made(ago: float, *, wait: float, render: float) -> dict[str, Any]:
    """Delivered so many seconds ago: a second each for hand-over, storing and sending."""
    delivered = datetime.now(UTC) - timedelta(seconds=ago)
    moments = {"delivered_at": 0, "stored_at": 1, "rendered_at": 2, "submitted_at": 2 + render}
    moments |= {"claimed_at": 3 + render, "queued_at": 3 + render + wait}
    row: dict[str, Any] = {name: delivered - timedelta(seconds=before) for name, before in moments.items()}
    return row | {"status": PhotoStatus.DELIVERED, "telegram_message_id": 1}


def waiting(ago: float, *, premium: bool = False) -> dict[str, Any]:
    return {"queued_at": datetime.now(UTC) - timedelta(seconds=ago), "premium": premium}


async def read(database: Database) -> Snapshot:
    async with database.unit() as session:
        return await figures.read(session, window=900, lease=8)


async def test_an_empty_house_has_figures_and_no_percentiles(database: Database) -> None:
    now = await read(database)
    assert now.total("queue_depth") == 0
    assert (now.of("throughput"), now.of("silence"), now.of("error_ratio")) == (0, 0, 0)
    assert now.of("generation", "0.95") is None


async def test_times_come_from_the_stamps_of_real_photos(database: Database) -> None:
    await photos(
        database, *(made(60, wait=wait, render=8) for wait in (0, 10, 20)), made(1200, wait=500, render=99)
    )
    now = await read(database)
    assert now.of("generation", "0.5") == pytest.approx(11)
    assert now.of("wait", "0.5") == pytest.approx(10)
    assert now.of("wait_mean") == pytest.approx(10)
    assert now.of("wait", "0.95") == pytest.approx(19)
    assert now.of("stage", "render") == pytest.approx(8)
    assert now.of("stage", "store") == pytest.approx(1)
    # The old one is out of the window and within the hour.
    assert now.of("throughput") == 4


async def test_the_queue_by_priority_and_how_long_nothing_has_arrived(database: Database) -> None:
    await photos(database, made(40, wait=1, render=1), waiting(100), waiting(5, premium=True))
    now = await read(database)
    assert now.values["queue_depth"] == {"premium": 1, "free": 1}
    assert now.of("oldest_wait") == pytest.approx(100, abs=5)
    # Since the later of the last delivery and the oldest order that is due.
    assert now.of("silence") == pytest.approx(40, abs=5)
    async with database.unit() as session:
        await operator_switches.switch(session, operator_switches.QUEUE_PAUSED, on=True)
    assert (await read(database)).of("silence") == 0


async def test_photos_that_all_come_too_late_are_silence_and_overload(database: Database) -> None:
    now = datetime.now(UTC)
    late = {"queued_at": now - timedelta(seconds=400), "failed_at": now - timedelta(seconds=200),
            "status": PhotoStatus.DROPPED, "error": "its scene is over"}  # fmt: skip
    cancelled = late | {"queued_at": now - timedelta(seconds=900), "error": "the person cancelled it"}
    await photos(database, late, late, late, late, late, cancelled)
    snapshot = await read(database)
    assert snapshot.of("silence") == pytest.approx(400, abs=5)
    assert (snapshot.of("overload_ratio"), snapshot.of("error_ratio")) == (1, 0)


async def test_photos_of_which_nobody_knows_are_lost_until_somebody_does(database: Database) -> None:
    now = datetime.now(UTC)
    await photos(database, *({"queued_at": now, "status": PhotoStatus.SENDING} for _ in range(5)))
    async with database.unit() as session:
        for photo in await session.scalars(select(Photo)):
            assert await lifecycle.move(session, photo, PhotoStatus.UNCONFIRMED)
    assert (await read(database)).of("error_ratio") == 1
    async with database.unit() as session:
        for photo in await session.scalars(select(Photo)):
            assert await lifecycle.move(session, photo, PhotoStatus.DELIVERED, telegram_message_id=1)
    assert (await read(database)).of("error_ratio") == 0


async def test_a_photo_that_is_tried_again_hours_later_does_not_look_slow(database: Database) -> None:
    failed = made(36_000, wait=1, render=1)
    failed |= {"failed_at": failed.pop("delivered_at"), "status": PhotoStatus.FAILED, "telegram_message_id": None}
    await photos(database, failed)
    async with database.unit() as session:
        (photo,) = await session.scalars(select(Photo))
        assert await placing.retry(session, photo)
    assert (await read(database)).of("oldest_wait") == pytest.approx(0, abs=5)
    async with database.unit() as session:
        (photo,) = await session.scalars(select(Photo))
    assert (photo.claimed_at, photo.stored_at) == (None, None)


async def test_a_worker_that_was_killed_is_replaced_by_the_next_one_at_its_place(database: Database) -> None:
    killed, other, new = (worker_registry.name_of(place) for place in ("host/a:8188", "host/b:8188", "host/a:8188"))
    async with database.unit() as session:
        for name in (killed, other):
            await worker_registry.heartbeat(session, name, lease=8, backend="comfyui")
        await session.execute(update(RenderWorker).values(seen_at=datetime.now(UTC) - timedelta(minutes=1)))
        await worker_registry.heartbeat(session, new, lease=8, backend="comfyui", gpu_temperature=50.0)
    snapshot = await read(database)
    assert snapshot.values["workers"] == {"well": 1, "sick": 0, "silent": 1}
    # The same series whoever works there.
    assert snapshot.values["gpu_temperature"] == {"host/a:8188": 50}


async def test_failures_by_reason_and_their_share(database: Database) -> None:
    now = datetime.now(UTC)
    failed = {
        "queued_at": now,
        "failed_at": now,
        "status": PhotoStatus.FAILED,
        "error": "RenderFailed: node 3: boom",
    }
    dropped = failed | {"status": PhotoStatus.DROPPED, "error": "its scene is over"}
    await photos(database, failed, failed, dropped, *(made(60, wait=1, render=1) for _ in range(6)))
    snapshot = await read(database)
    assert snapshot.values["failed"] == {"RenderFailed": 2, "its scene is over": 1}
    assert snapshot.of("error_ratio") == pytest.approx(0.25)
    assert snapshot.of("overload_ratio") == pytest.approx(1 / 7)


async def test_workers_by_how_they_are(database: Database) -> None:
    now = datetime.now(UTC)
    async with database.unit() as session:
        session.add_all(
            [
                RenderWorker(name="a", backend="comfyui", seen_at=now, gpu_temperature=70.5, vram_used=1),
                RenderWorker(name="b", backend="comfyui", seen_at=now, problem="away"),
                RenderWorker(name="c", backend="comfyui", seen_at=now - timedelta(minutes=1), gpu_temperature=99),
            ]
        )
    snapshot = await read(database)
    assert snapshot.values["workers"] == {"well": 1, "sick": 1, "silent": 1}
    assert snapshot.values["gpu_temperature"] == {"a": 70.5}


async def test_the_chart_has_the_same_numbers_in_steps(database: Database) -> None:
    await photos(database, *(made(60, wait=wait, render=8) for wait in (0, 10, 20)), waiting(3))
    async with database.unit() as session:
        buckets = await figures.history(session, hours=2)
    assert [bucket.delivered for bucket in buckets] == [0, 0, 0, 3]
    last = buckets[-1]
    assert last.generation_p50 == pytest.approx(11)
    assert last.wait_p95 == pytest.approx(19)
    # Three of them at once, and the one that waits now.
    assert last.waiting == 3
    assert buckets[0].generation_p95 is None
