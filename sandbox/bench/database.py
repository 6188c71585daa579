"""What PostgreSQL does for the queue: with a million delivered photos behind it, and how many claims it carries."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncSession

from generation.orders import jobs, lifecycle, queue
from generation.runtime import telegram
from generation.runtime.database import Database
from generation.worker.recovery import Recovery
from generation.worker.timings import Timings
from sandbox.bench.figures import Figure, product
from sandbox.bench.product import Product, services
from sandbox.cluster import Servers
from sandbox.simulation import Arrival

DELIVERED = 1_000_000


async def measure(servers: Servers) -> AsyncIterator[Figure]:
    async with services([[1.0]], swap=0) as addresses, product(servers, addresses, []) as ours:
        claims = await _claims(ours)
        enqueues = await _enqueues(ours)
        await _fill(ours.database)
        for number in range(10_000, 10_200):
            await ours.order(number, Arrival(0), announce=False)
        swept, plans = await _sweep(ours)
    is_index = not any("Seq Scan" in plan for plan in plans)
    yield Figure(
        name="sweep beside 1,000,000 delivered photos and 200 waiting: all its queries",
        value=swept,
        unit="ms",
        target="<= 20",
        met=swept <= 20,
        note=f"{len(plans)} statements, by EXPLAIN ANALYZE",
    )
    yield Figure(
        name="sweep: statements that read the table from end to end",
        value=sum("Seq Scan" in plan for plan in plans),
        unit="",
        target="0",
        met=is_index,
    )
    yield Figure(name="PostgreSQL: claims a second, 8 workers asking at once", value=claims, unit="1/s")
    yield Figure(name="Valkey: jobs enqueued a second, 8 at once", value=enqueues, unit="1/s")


async def _fill(database: Database) -> None:
    """Photos as they are after their delivery, spread over people and a year."""
    columns = (
        "dedup_key, chat_id, owner_id, requested, premium, rule, reason, words, workflow, orientation, prompt, "
        "negative_prompt, seed, status, rank_at, queued_at, delivered_at, telegram_message_id, object_key"
    )
    for part in range(20):
        async with database.unit() as session:
            await session.execute(
                text(
                    f"INSERT INTO photos ({columns}) "  # noqa: S608 - our own columns
                    "SELECT 'old:' || n, n % 50000, n % 50000, n % 3 = 0, n % 4 = 0, 'cadence', '', '{}', "
                    "'one-pass', 'portrait', repeat('soft light ', 20), '', n, 'delivered', "
                    "now() - interval '1 year' + n * interval '30 s', now(), now(), n, 'photos/' || n "
                    "FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n"
                ),
                {"first": part * DELIVERED // 20, "last": (part + 1) * DELIVERED // 20 - 1},
            )
    async with database.unit() as session:
        await session.execute(text("ANALYZE photos"))


async def _sweep(ours: Product) -> tuple[float, list[str]]:
    """Milliseconds of the recovery's statements as PostgreSQL counts them, and their plans."""
    statements: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "photos" in statement:
            statements.append((statement, parameters))

    redis = jobs.connect(ours.settings.redis_url, queue=ours.settings.arq_queue, retries=1)
    bot = telegram.connect(ours.settings)
    engine = ours.database._engine.sync_engine
    every = Timings().sweep_every
    recovery = Recovery(ours.settings, ours.database, redis, bot, every=every, judges_until=lambda now: now)
    event.listen(engine, "before_cursor_execute", note)
    await recovery.sweep()
    event.remove(engine, "before_cursor_execute", note)
    await bot.session.close()
    await redis.aclose()
    plans, total = [], 0.0
    for statement, parameters in statements:
        async with ours.database.unit() as session:
            plan = await _explain(session, statement, parameters)
        plans.append(json.dumps(plan))
        total += plan["Execution Time"] + plan["Planning Time"]
    return total, plans


async def _explain(session: AsyncSession, statement: str, parameters: Any) -> dict[str, Any]:
    connection = await session.connection()
    answer = await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
    plan = answer.scalar_one()
    found: dict[str, Any] = (json.loads(plan) if isinstance(plan, str) else plan)[0]
    return found


async def _claims(ours: Product) -> float:
    for number in range(1_000):
        await ours.order(number, Arrival(0), announce=False)
    claimed = 0

    async def worker(name: str) -> None:
        nonlocal claimed
        while True:
            async with ours.database.autocommit() as session:
                rows = await queue.candidates(session, queue.Chooser(worker=name, workflows=None, lease=60))
                taken = await lifecycle.claim(session, [row.id for row in rows], at_most=1, worker=name, lease=60)
            if not taken:
                return
            claimed += 1

    began = time.monotonic()
    await asyncio.gather(*(worker(str(number)) for number in range(8)))
    return claimed / (time.monotonic() - began)


async def _enqueues(ours: Product) -> float:
    async with ours.database.unit() as session:
        photo_ids = list(await session.scalars(text("SELECT id FROM photos LIMIT 1000")))
    redis = jobs.connect(ours.settings.redis_url, queue=f"{ours.settings.arq_queue}:enqueues", retries=1)
    began = time.monotonic()

    async def enqueue(some: list[int]) -> None:
        for photo_id in some:
            await redis.enqueue_job(jobs.RENDER, photo_id, _job_id=f"bench:{ours.settings.arq_queue}:{photo_id}")

    await asyncio.gather(*(enqueue(photo_ids[start::8]) for start in range(8)))
    rate = len(photo_ids) / (time.monotonic() - began)
    await redis.aclose()
    return rate
