"""What the product costs while nobody writes: two bots behind a webhook and two workers."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import asyncpg
import psutil
from pydantic import SecretStr
from redis.asyncio import Redis

from sandbox.bench.figures import Figure, product
from sandbox.bench.product import services
from sandbox.cluster import ROOT, Servers
from sandbox.forked import Forked, environment, python_m
from sandbox.sockets import HOST, free_port

#: Seconds until everything has come up and settled, and seconds that are measured.
SETTLE, MEASURED = 20, 60
#: A quarter of what the same four processes cost on 2026-11-20.
STATEMENTS, COMMANDS, WORKER_CPU, BOT_CPU = 670, 1500, 27, 11


@dataclass(frozen=True, slots=True)
class _Reading:
    statements: int
    commands: int
    worker_cpu: float
    bot_cpu: float


async def measure(servers: Servers) -> AsyncIterator[Figure]:
    """Counts of a minute; CPU seconds of an hour and process, its children included."""
    await asyncio.to_thread(servers.postgres.count_statements)
    async with AsyncExitStack() as stack:
        addresses = await stack.enter_async_context(services([[1.0], [1.0]], swap=0))
        ours = await stack.enter_async_context(product(servers, addresses, addresses["gpus"]))
        database = await asyncpg.connect(_libpq(servers.postgres.url()))
        stack.push_async_callback(database.close)
        redis = Redis.from_url(servers.valkey.url)
        stack.push_async_callback(redis.aclose)
        bots = []
        for _ in range(2):
            port = free_port()
            changes = {
                "webhook_url": f"http://{HOST}:{port}",
                "webhook_port": port,
                "webhook_secret": SecretStr("idle"),
                "metrics_port": 0,
                "workflows_folder": ROOT / "generation" / "workflows" / "graphs",
            }
            settings = ours.settings.model_copy(update=changes)
            bots.append(await python_m("bot", environment=environment(settings)))
            stack.callback(bots[-1].kill)
        await asyncio.sleep(SETTLE)
        before = await _read(database, redis, ours.workers, bots)
        await asyncio.sleep(MEASURED)
        after = await _read(database, redis, ours.workers, bots)
    minute, hour = 60 / MEASURED, 3600 / MEASURED
    yield _figure("statements a minute", (after.statements - before.statements) * minute, "1/min", STATEMENTS)
    yield _figure("Redis commands a minute", (after.commands - before.commands) * minute, "1/min", COMMANDS)
    yield _figure("CPU of a worker an hour", (after.worker_cpu - before.worker_cpu) * hour / 2, "s", WORKER_CPU)
    yield _figure("CPU of a bot an hour", (after.bot_cpu - before.bot_cpu) * hour / 2, "s", BOT_CPU)


def _figure(what: str, value: float, unit: str, target: float) -> Figure:
    name = f"idle, two bots and two workers: {what}"
    return Figure(name=name, value=value, unit=unit, target=f"<= {target}", met=value <= target)


async def _read(
    database: asyncpg.Connection, redis: Redis, workers: Sequence[Forked], bots: Sequence[Forked]
) -> _Reading:
    # BEGIN and COMMIT are round trips as well.
    statements = await database.fetchval("SELECT sum(calls) FROM pg_stat_statements")
    commands = (await redis.info("stats"))["total_commands_processed"]
    return _Reading(int(statements), commands, sum(map(_cpu, workers)), sum(map(_cpu, bots)))


def _cpu(process: Forked) -> float:
    tree = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    return sum(times.user + times.system for times in (each.cpu_times() for each in tree))


def _libpq(url: str) -> str:
    return url.replace("+asyncpg", "")
