"""Jobs in Redis: premium earlier, never a lost order, never a hanging caller."""

import asyncio
import signal
import time
from pathlib import Path

from arq import ArqRedis

from generation.orders import jobs
from sandbox.servers import Valkey, remove, short_folder
from sandbox.settings import ProductSettings
from tests.generation.conftest import PlaceOrder


async def test_premium_jobs_get_an_earlier_score(
    settings: ProductSettings, redis: ArqRedis, place: PlaceOrder
) -> None:
    free, premium = await place(), await place(premium=True)
    for photo in (free, premium):
        assert await jobs.enqueue_render(redis, photo, premium_head_start=settings.premium_head_start)
    order = await redis.zrange(settings.arq_queue, 0, -1)
    assert [name.decode() for name in order] == [
        f"{settings.arq_queue}:render_photo:{premium.id}:0",
        f"{settings.arq_queue}:render_photo:{free.id}:0",
    ]


async def test_ringing_twice_leaves_one_job(settings: ProductSettings, redis: ArqRedis, place: PlaceOrder) -> None:
    photo = await place()
    for _ in range(2):
        await jobs.enqueue_render(redis, photo, premium_head_start=0)
    assert await redis.zcard(settings.arq_queue) == 1


async def test_a_job_carries_the_row_id_as_json_and_nothing_else(
    settings: ProductSettings, redis: ArqRedis, place: PlaceOrder
) -> None:
    photo = await place(prompt="nobody should read this in Redis")
    await jobs.enqueue_render(redis, photo, premium_head_start=0)
    body = await redis.get(f"arq:job:{settings.arq_queue}:render_photo:{photo.id}:0")
    assert body is not None
    assert jobs.deserialize(body)["a"] == [photo.id]
    assert b"nobody" not in body


async def test_a_redis_that_is_gone_or_hangs_costs_a_bounded_time_and_no_error(place: PlaceOrder) -> None:
    photo = await place()
    folder = short_folder()
    server = await Valkey(folder / "valkey").start()
    redis = jobs.connect(server.url, queue="q", retries=1)
    try:
        assert await jobs.enqueue_render(redis, photo, premium_head_start=0)
        server.process.send(signal.SIGSTOP)
        started = time.monotonic()
        assert not await jobs.enqueue_render(redis, photo, premium_head_start=0)
        server.process.send(signal.SIGCONT)
        assert time.monotonic() - started < 5
        await asyncio.to_thread(server.process.stop, kill=True)
        assert not await jobs.enqueue_render(redis, photo, premium_head_start=0)
    finally:
        server.process.send(signal.SIGCONT)
        await redis.aclose()
        server.process.stop()
        remove(folder)


async def test_a_full_redis_is_no_reason_to_end_a_worker(tmp_path: Path) -> None:
    """arq records its health every few seconds, and lets the error end the process."""
    async with Valkey(tmp_path / "valkey") as valkey:
        redis = jobs.connect(valkey.url, queue="q", retries=1)
        await redis.config_set("maxmemory", "1")
        await redis.psetex("health", 1000, b"well")
        assert not await jobs.is_writable(redis)
        await redis.config_set("maxmemory", "0")
        assert await jobs.is_writable(redis)
        await redis.aclose()
