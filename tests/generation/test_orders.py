"""An order is one row: placed once for its cause, and refused when the queue is full."""

import asyncio
from contextlib import suppress

import pytest
from sqlalchemy import func, select

from generation import orders
from generation.database import Database
from generation.errors import QueueFull
from generation.models import Photo
from tests.generation.conftest import an_order


async def test_the_same_cause_orders_once(database: Database) -> None:
    ids = set()
    for _ in range(3):
        async with database.unit() as session:
            photo = await orders.place(session, an_order(dedup_key="turn:1"), queue_limit=10, premium_head_start=0)
            ids.add(photo.id)
    assert len(ids) == 1


async def test_the_queue_limit_holds_when_many_order_at_once(database: Database) -> None:
    async def place() -> bool:
        with suppress(QueueFull):
            async with database.unit() as session:
                await orders.place(session, an_order(), queue_limit=5, premium_head_start=0)
            return True
        return False

    placed = await asyncio.gather(*(place() for _ in range(12)))
    assert sum(placed) == 5
    async with database.unit() as session:
        assert await session.scalar(select(func.count()).select_from(Photo)) == 5


async def test_an_order_that_is_rolled_back_leaves_nothing(database: Database) -> None:
    async def broken() -> None:
        async with database.unit() as session:
            await orders.place(session, an_order(), queue_limit=5, premium_head_start=0)
            raise RuntimeError("after the order")

    with pytest.raises(RuntimeError, match="after the order"):
        await broken()
    async with database.unit() as session:
        assert await orders.waiting_count(session) == 0


async def test_a_prompt_is_cut_at_its_bound(database: Database) -> None:
    async with database.unit() as session:
        photo = await orders.place(session, an_order(prompt="x" * 100_000), queue_limit=5, premium_head_start=0)
        assert len(photo.prompt) == orders.MAX_PROMPT
