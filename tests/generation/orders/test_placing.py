"""An order is one row: placed once for its cause, and refused when the queue is full."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from generation import worker_registry
from generation.errors import QueueFull
from generation.models import Photo, PhotoStatus, RenderWorker
from generation.orders import lifecycle, placing, queue
from generation.runtime.database import Database
from tests.generation.conftest import an_order

LIMITS: dict[str, Any] = {"queue_limit": 5, "premium_head_start": 0, "lease": 10}


async def test_the_same_cause_orders_once(database: Database) -> None:
    ids = set()
    for _ in range(3):
        async with database.unit() as session:
            photo = await placing.place(session, an_order(dedup_key="turn:1"), **LIMITS)
            ids.add(photo.id)
    assert len(ids) == 1


async def test_the_queue_limit_holds_when_one_person_orders_many_at_once(database: Database) -> None:
    async def place() -> bool:
        with suppress(QueueFull):
            async with database.unit() as session:
                await placing.place(session, an_order(), **LIMITS)
            return True
        return False

    placed = await asyncio.gather(*(place() for _ in range(12)))
    assert sum(placed) == 5
    async with database.unit() as session:
        assert await session.scalar(select(func.count()).select_from(Photo)) == 5


async def test_an_order_waits_for_nobody_elses(database: Database) -> None:
    async with database.unit() as slow:
        await placing.place(slow, an_order(owner_id=1), **LIMITS)
        # Not committed yet, and the next person orders all the same.
        async with asyncio.timeout(10), database.unit() as session:
            other = await placing.place(session, an_order(owner_id=2), **LIMITS)
    assert other.status is PhotoStatus.QUEUED


async def test_one_cause_that_comes_twice_at_once_orders_once(database: Database) -> None:
    async def place() -> int:
        async with database.unit() as session:
            return (await placing.place(session, an_order(dedup_key="turn:1"), **LIMITS)).id

    assert len(set(await asyncio.gather(*(place() for _ in range(8))))) == 1


async def test_an_order_that_is_rolled_back_leaves_nothing(database: Database) -> None:
    async def broken() -> None:
        async with database.unit() as session:
            await placing.place(session, an_order(), **LIMITS)
            raise RuntimeError("after the order")

    with pytest.raises(RuntimeError, match="after the order"):
        await broken()
    async with database.unit() as session:
        assert await queue.waiting_count(session) == 0


async def test_a_prompt_is_cut_at_its_bound(database: Database) -> None:
    async with database.unit() as session:
        photo = await placing.place(session, an_order(prompt="x" * 100_000), **LIMITS)
        assert len(photo.prompt) == placing.MAX_PROMPT


async def test_an_automatic_photo_that_finds_the_queue_full_is_dropped_and_counted(database: Database) -> None:
    async with database.unit() as session:
        for owner in range(5):
            await placing.place(session, an_order(owner_id=owner), **LIMITS)
        photo = await placing.place(session, an_order(requested=False, owner_id=7), **LIMITS)
        assert photo.status is PhotoStatus.DROPPED
        assert photo.error == "QueueFull: 5 photos are waiting"
        assert await queue.waiting_count(session) == 5


async def test_a_person_has_one_automatic_photo_on_the_way_and_may_ask_for_more(database: Database) -> None:
    async with database.unit() as session:
        first = await placing.place(session, an_order(requested=False), **LIMITS)
        second = await placing.place(session, an_order(requested=False), **LIMITS)
        wish = await placing.place(session, an_order(requested=True), **LIMITS)
        other = await placing.place(session, an_order(requested=False, owner_id=5), **LIMITS)
    assert [photo.status for photo in (first, second, wish, other)] == [
        PhotoStatus.QUEUED, PhotoStatus.DROPPED, PhotoStatus.QUEUED, PhotoStatus.QUEUED,
    ]  # fmt: skip


async def worker(session: AsyncSession, name: str, **changes: Any) -> None:
    state = {"backend": "comfyui", "problem": None, "model": None, "photo_seconds": 8.0, "in_hand": 0}
    await worker_registry.heartbeat(session, name, lease=10, **{**state, **changes})


async def test_the_expected_wait_is_the_work_ahead_over_the_speed_of_the_workers_that_live(
    database: Database,
) -> None:
    async with database.unit() as session:
        assert await queue.expected_wait(session, lease=10) is None
        await worker(session, "one")
        await worker(session, "two")
        await worker(session, "sick", problem="ComfyUI is away")
        await worker(session, "overflow", backend="runpod")
        await worker(session, "silent")
        await session.execute(
            update(RenderWorker)
            .where(RenderWorker.name == "silent")
            .values(seen_at=func.now() - timedelta(seconds=60))
        )
        for owner in range(4):
            await placing.place(session, an_order(owner_id=owner), **LIMITS)
        premium = await placing.place(session, an_order(premium=True), **LIMITS | {"premium_head_start": 60})
        # Five ahead for two workers of 8 s a photo, and its own render.
        assert await queue.expected_wait(session, lease=10) == pytest.approx(5 * 8 / 2 + 8)
        assert await queue.expected_wait(session, lease=10, before=premium.rank_at) == pytest.approx(8)
        waiting = await queue.candidates(session, queue.Chooser(worker="one", workflows=None, lease=10))
        await lifecycle.claim(session, [row.id for row in waiting], at_most=1, worker="one", lease=10)
        # What renders is half done on average, and the other GPU is free already.
        assert await queue.expected_wait(session, lease=10) == pytest.approx(4 * 8 / 2 + 8)


async def test_a_photo_that_could_not_begin_before_its_scene_is_over_is_not_queued(database: Database) -> None:
    async with database.unit() as session:
        await worker(session, "one", photo_seconds=30.0)
        for owner in range(3):
            await placing.place(session, an_order(owner_id=owner), **LIMITS)
        dropped = await placing.place(session, an_order(requested=False, owner_id=9, expires_in=60), **LIMITS)
        assert dropped.status is PhotoStatus.DROPPED
        with pytest.raises(QueueFull) as full:
            await placing.place(session, an_order(expires_in=60), **LIMITS)
        assert full.value.wait == pytest.approx(120)


async def test_a_worker_that_stops_is_no_longer_counted(database: Database) -> None:
    async with database.unit() as session:
        await worker(session, "one")
        await worker_registry.deregister(session, "one")
        assert await queue.expected_wait(session, lease=10) is None
