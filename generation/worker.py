"""The worker process, one per GPU: `arq generation.worker.WorkerSettings`. Builds everything it uses.

`WorkerSettings` is made when arq asks for it, so that importing this module reads no settings and opens
nothing. arq reads a settings class by its own `__dict__`, so it is given a plain class without bases.
"""

import asyncio
import os
import secrets
import socket
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import aiohttp
import structlog
from aiogram import Bot
from aiogram.exceptions import ClientDecodeError, TelegramAPIError, TelegramNotFound, TelegramUnauthorizedError
from arq import ArqRedis, Worker, cron
from arq.connections import RedisSettings

from generation import doorbell, fleet, logs, status, storage, telegram, workflow
from generation.backend import Backend
from generation.comfyui import ComfyUI
from generation.database import AWAY, Database
from generation.health import Watchdog
from generation.pipeline import Pipeline
from generation.renderer import Renderer
from generation.runpod import RunPod
from generation.settings import Settings, WrongSettings, load
from generation.sweeper import Sweeper

log = structlog.get_logger(__name__)

#: PostgreSQL counts attempts; arq must never give up a job by itself.
NO_LIMIT = 1_000_000
#: Seconds after which arq breaks a job off, whatever it does; graphs in the GPU's hands are not touched by that.
LONGEST_SESSION = 3600


async def render_photo(ctx: dict[str, Any], _photo_id: int) -> None:
    """Serve the queue until nothing waits: the photo that rang is only the reason to begin.

    A worker runs one such job at a time, so tokens go to workers that have nothing to do. One that falls sick gives
    its token on and keeps its only place taken until it is well.
    """
    renderer: Renderer = ctx["renderer"]
    watchdog: Watchdog = ctx["watchdog"]
    while not await renderer.serve():
        await doorbell.pass_on(ctx["redis"])
        await watchdog.healthy()


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
        self._name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(2)}"
        self._stack = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, ctx: dict[str, Any]) -> None:
        """Build everything and put what jobs need into arq's context."""
        settings, redis = self._settings, ctx["redis"]
        logs.quiet_libraries()
        workflows = workflow.load_all(
            Path(settings.workflows_folder) if settings.workflows_folder else workflow.FOLDER
        )
        self._database = Database(settings.database_url)
        self._stack.push_async_callback(self._database.close)
        self._backend = _backend(settings, await self._stack.enter_async_context(aiohttp.ClientSession()))
        bot = telegram.connect(settings)
        self._stack.push_async_callback(bot.session.close)
        await _check_token(bot)
        opened = await self._stack.enter_async_context(storage.opened(settings))
        self._watchdog = ctx["watchdog"] = Watchdog(
            self._backend,
            opened,
            every=settings.watch_every,
            sick_after=settings.sick_after,
            restart_command=settings.comfyui_restart_command,
            on_sick=self._take_back,
        )
        self._pipeline = ctx["pipeline"] = Pipeline(
            settings=settings,
            worker=self._name,
            database=self._database,
            redis=redis,
            backend=self._backend,
            storage=opened,
            bot=bot,
            watchdog=self._watchdog,
        )
        self._renderer = ctx["renderer"] = Renderer(
            settings=settings,
            worker=self._name,
            database=self._database,
            backend=self._backend,
            workflows=workflows,
            watchdog=self._watchdog,
            pipeline=self._pipeline,
        )
        self._sweeper = ctx["sweeper"] = Sweeper(settings, self._database, redis, bot)
        for work in (
            self._backend.listen(),
            self._watchdog.watch(),
            self._say_alive(),
            self._chores(ctx),
            self._without_redis(redis),
        ):
            self._tasks.append(asyncio.create_task(work))
        log.info("worker.started", worker=self._name, backend=self._backend.name, queue=settings.arq_queue)

    async def stop(self, _ctx: dict[str, Any]) -> None:
        """Let photos that are with the GPU or behind it reach their chats, then close everything."""
        if hasattr(self, "_renderer"):
            await self._renderer.stop()
            await self._pipeline.finish(self._settings.shutdown_wait)
            await self._renderer.abort()
            await self._backend.close()
            with suppress(*AWAY):
                async with self._database.unit() as session:
                    await fleet.leave(session, self._name)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()
        log.info("worker.stopped")

    def _take_back(self, why: str) -> None:
        self._renderer.take_back(why)

    async def _say_alive(self) -> None:
        """Renew the leases of the photos in hand, and the worker's own sign of life."""
        while True:
            try:
                async with self._database.unit() as session:
                    if self._pipeline.held:
                        await status.keep_alive(session, self._pipeline.held, lease=self._settings.lease)
                    await fleet.say_alive(
                        session,
                        self._name,
                        backend=self._backend.name,
                        problem=self._watchdog.problem,
                        model=self._renderer.model,
                        photo_seconds=self._renderer.photo_seconds,
                        in_hand=len(self._pipeline.held),
                    )
            except AWAY as error:  # a lease that runs out is legal
                log.warning("worker.leases_not_renewed", error=type(error).__name__)
            await asyncio.sleep(self._settings.lease / 3)

    async def _chores(self, ctx: dict[str, Any]) -> None:
        """arq's cron and deliveries on a queue of their own: on the photos' they would wait for an idle GPU."""
        seconds = set(range(0, 60, self._settings.sweep_every))
        queue = doorbell.chores(self._settings.arq_queue)
        while True:
            redis = doorbell.connect(self._settings.redis_url, queue=queue, retries=3)
            worker = Worker(
                functions=[deliver_photo],
                cron_jobs=[cron(sweep, name=f"{queue}:sweep", second=seconds, timeout=30, keep_result=0)],
                queue_name=queue,
                redis_pool=redis,
                handle_signals=False,
                job_timeout=60,
                keep_result=0,
                max_tries=NO_LIMIT,
                job_serializer=doorbell.serialize,
                job_deserializer=doorbell.deserialize,
                ctx={"sweeper": ctx["sweeper"], "pipeline": ctx["pipeline"]},
            )
            try:
                await worker.async_run()
            except Exception as error:  # Redis stayed away for longer than the retries last
                log.warning("worker.redis_away", error=type(error).__name__)
            finally:
                # Ends a sweep that still runs, and the pool with it.
                await worker.close()
            await asyncio.sleep(1)

    async def _without_redis(self, redis: ArqRedis) -> None:
        """While nobody can ring, look for work every few seconds: a Redis that is away must cost no photo."""
        while True:
            await asyncio.sleep(self._settings.sweep_every)
            if await doorbell.is_heard(redis):
                continue
            try:
                await self._sweeper.sweep_without_redis(self._pipeline.deliver_stored)
                await self._renderer.serve()
            except AWAY as error:
                log.warning("worker.database_away", error=type(error).__name__)


def _backend(settings: Settings, session: aiohttp.ClientSession) -> Backend:
    if settings.render_backend == "runpod" and settings.runpod_url and settings.runpod_api_key:
        key = settings.runpod_api_key.get_secret_value()
        return RunPod(session, settings.runpod_url, key, at_once=settings.runpod_at_once)
    return ComfyUI(session, settings.comfyui_url, stall=settings.stall_timeout)


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
    # Overflow workers have a queue of their own: a token that one of them took would be missed by an idle GPU.
    queue = f"{settings.arq_queue}:overflow" if settings.render_backend == "runpod" else settings.arq_queue
    return {
        "functions": [render_photo],
        "queue_name": queue,
        # Survives a Redis that is away for minutes; after that the process ends and is started again.
        "redis_pool": doorbell.connect(settings.redis_url, queue=settings.arq_queue, retries=150),
        "on_startup": process.start,
        "on_shutdown": process.stop,
        # A job keeps the GPU busy by itself; a second one would only hide its token from an idle worker.
        "max_jobs": 1,
        "poll_delay": settings.arq_poll_delay,
        # Running jobs of all workers stay in the sorted set and are read along with the waiting ones.
        "queue_read_limit": 1000,
        "job_timeout": LONGEST_SESSION,
        # At SIGTERM a job that is about to end has a second for it: cancelled in arq's own code, it would take the
        # shutdown down with it. What is with the GPU or behind it has `shutdown_wait` (`stop`).
        "job_completion_wait": 1,
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
