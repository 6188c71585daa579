"""The worker process, one per GPU: `arq generation.worker.WorkerSettings`. Builds everything it uses.

`WorkerSettings` is made when arq asks for it, so that importing this module reads no settings and opens
nothing. arq reads a settings class by its own `__dict__`, so it is given a plain class without bases.
"""

import asyncio
import os
import socket
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import structlog
from aiogram import Bot
from aiogram.exceptions import ClientDecodeError, TelegramAPIError, TelegramNotFound, TelegramUnauthorizedError
from arq import Retry, Worker, cron
from arq.connections import RedisSettings

from generation import doorbell, logs, storage, telegram, workflow
from generation.comfyui import ComfyUI
from generation.database import Database
from generation.errors import GenerationError
from generation.pipeline import Pipeline
from generation.settings import Settings, WrongSettings, load
from generation.sweeper import Sweeper

log = structlog.get_logger(__name__)

#: One graph renders and one is handed over behind it, so that the GPU never waits for the next job.
RENDERS_AT_ONCE = 2
#: PostgreSQL counts attempts; arq must never give up a job by itself.
NO_LIMIT = 1_000_000
#: Seconds until a job of a worker whose ComfyUI is away looks again.
SICK_PAUSE = 2


async def render_photo(ctx: dict[str, Any], _photo_id: int) -> None:
    """Render the photo whose turn it is, which need not be the one that rang."""
    pipeline: Pipeline = ctx["pipeline"]
    try:
        await pipeline.ready()
    except GenerationError as error:
        log.warning("worker.sick", error=str(error))
        raise Retry(defer=SICK_PAUSE) from None
    await pipeline.render_next()


async def deliver_photo(ctx: dict[str, Any], photo_id: int) -> None:
    """Deliver a stored photo that its worker left behind."""
    pipeline: Pipeline = ctx["pipeline"]
    await pipeline.deliver_stored(photo_id)


async def sweep(ctx: dict[str, Any]) -> None:
    """The arq cron job; arq lets one worker of the queue run each tick."""
    sweeper: Sweeper = ctx["sweeper"]
    await sweeper.sweep()


class Process:
    """What lives as long as a worker process: clients, pipeline and background tasks."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self._pipeline: Pipeline | None = None

    async def start(self, ctx: dict[str, Any]) -> None:
        """Build everything and put what jobs need into arq's context."""
        settings, redis = self._settings, ctx["redis"]
        logs.quiet_libraries()
        name = f"{socket.gethostname()}:{os.getpid()}"
        database = Database(settings.database_url)
        self._stack.push_async_callback(database.close)
        comfyui = ComfyUI(await self._stack.enter_async_context(aiohttp.ClientSession()), settings.comfyui_url)
        bot = telegram.connect(settings)
        self._stack.push_async_callback(bot.session.close)
        await _check_token(bot)
        ctx["sweeper"] = Sweeper(settings, database, redis, bot)
        pipeline = self._pipeline = ctx["pipeline"] = Pipeline(
            settings=settings,
            worker=name,
            database=database,
            redis=redis,
            comfyui=comfyui,
            storage=await self._stack.enter_async_context(storage.opened(settings)),
            bot=bot,
            workflows=workflow.load_all(),
        )
        self._begin(comfyui.listen())
        self._begin(pipeline.keep_alive())
        self._begin(self._sweep(ctx))
        log.info("worker.started", worker=name, comfyui=settings.comfyui_url, queue=settings.arq_queue)

    async def stop(self, _ctx: dict[str, Any]) -> None:
        """Let photos that left the GPU reach their chats, then close everything in reverse order."""
        if self._pipeline is not None:
            await self._pipeline.finish(self._settings.shutdown_wait)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()
        log.info("worker.stopped")

    async def _sweep(self, ctx: dict[str, Any]) -> None:
        """arq's cron on a queue of its own: on the photos' queue it would wait behind every photo."""
        seconds = set(range(0, 60, self._settings.sweep_every))
        queue = f"{self._settings.arq_queue}:sweep"
        while True:
            redis = doorbell.connect(self._settings.redis_url, queue=queue, retries=3)
            worker = Worker(
                cron_jobs=[cron(sweep, name=queue, second=seconds, timeout=30, keep_result=0)],
                queue_name=queue,
                redis_pool=redis,
                handle_signals=False,
                max_jobs=1,
                keep_result=0,
                job_serializer=doorbell.serialize,
                job_deserializer=doorbell.deserialize,
                ctx={"sweeper": ctx["sweeper"]},
            )
            try:
                await worker.async_run()
            except Exception as error:  # Redis stayed away for longer than the retries last
                log.warning("worker.redis_away", error=type(error).__name__)
            finally:
                # Ends a sweep that still runs, and the pool with it.
                await worker.close()
            await asyncio.sleep(1)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work))


async def _check_token(bot: Bot) -> None:
    """A wrong token stops the start; a Telegram that is away does not."""
    try:
        await bot.get_me(request_timeout=5)
    except (TelegramUnauthorizedError, TelegramNotFound):
        raise WrongSettings("BOT_TOKEN is wrong: Telegram does not know this bot.") from None
    except (TelegramAPIError, ClientDecodeError) as error:
        log.warning("telegram.away", error=type(error).__name__)


def worker_options(settings: Settings) -> dict[str, Any]:
    """Arguments of arq's Worker for these settings."""
    process = Process(settings)
    return {
        "functions": [render_photo, deliver_photo],
        "queue_name": settings.arq_queue,
        # Survives a Redis that is away for minutes; after that the process ends and is started again.
        "redis_pool": doorbell.connect(settings.redis_url, queue=settings.arq_queue, retries=150),
        "on_startup": process.start,
        "on_shutdown": process.stop,
        "max_jobs": RENDERS_AT_ONCE,
        "poll_delay": settings.arq_poll_delay,
        # Running jobs of all workers stay in the sorted set and are read along with the waiting ones.
        "queue_read_limit": 1000,
        # Behind another graph it may take twice as long.
        "job_timeout": 2 * settings.render_timeout + 60,
        "job_completion_wait": settings.shutdown_wait,
        "keep_result": 0,
        "max_tries": NO_LIMIT,
        # What `arq --check` reads; a key for each machine, since arq's own is one for all workers of a queue.
        "redis_settings": RedisSettings.from_dsn(settings.redis_url),
        "health_check_key": f"{settings.arq_queue}:health:{socket.gethostname()}",
        "health_check_interval": 10,
        "job_serializer": doorbell.serialize,
        "job_deserializer": doorbell.deserialize,
    }


def __getattr__(name: str) -> Any:
    if name == "WorkerSettings":
        settings = load(Settings)
        logs.configure(settings.log_format, settings.log_level, process="worker")
        return type("WorkerSettings", (), worker_options(settings))
    raise AttributeError(name)
