"""The worker process, one per GPU: `arq generation.worker.WorkerSettings`. Builds everything it uses.

`WorkerSettings` is made when arq asks for it, so that importing this module reads no settings and opens
nothing. arq reads a settings class by its own `__dict__`, so it is given a plain class without bases.
"""

import asyncio
import os
import secrets
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import Any

import aiohttp
import structlog
from aiogram import Bot
from aiogram.exceptions import ClientDecodeError, TelegramAPIError, TelegramNotFound, TelegramUnauthorizedError
from arq import ArqRedis, Worker, cron
from arq.connections import RedisSettings
from redis.exceptions import RedisError

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

    A worker runs one such job at a time, so tokens go to workers that have nothing to do. One that falls sick, or
    stops, gives its token on and keeps its only place taken, so that it gets no other.
    """
    process: Process = ctx["process"]
    while not process.stopping:
        if await process.renderer.serve():
            return
        await doorbell.pass_on(ctx["redis"])
        await process.watchdog.healthy()
    await doorbell.pass_on(ctx["redis"])
    await process.stopped.wait()


async def deliver_photo(ctx: dict[str, Any], photo_id: int) -> None:
    """Deliver a stored photo that its worker left behind."""
    process: Process = ctx["process"]
    await process.pipeline.deliver_stored(photo_id)


async def sweep(ctx: dict[str, Any]) -> None:
    """The arq cron job; arq lets one worker of the queue run each tick."""
    process: Process = ctx["process"]
    await process.sweeper.sweep()


class Process:
    """What lives as long as a worker process: clients, pipeline and background tasks.

    With `signals`, SIGTERM and SIGINT stop it in order before arq ends. arq's own way cancels jobs wherever they
    are, and skips the shutdown hook when that is inside its bookkeeping or Redis does not answer.
    """

    def __init__(self, settings: Settings, *, signals: bool = False) -> None:
        self._settings = settings
        self._signals = signals
        self._name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(2)}"
        self._stack = AsyncExitStack()
        self._living: list[asyncio.Task[None]] = []
        self._taking: list[asyncio.Task[None]] = []
        self.stopping = False
        self.stopped = asyncio.Event()

    async def start(self, ctx: dict[str, Any]) -> None:
        """Build everything and put what jobs need into arq's context."""
        settings, redis = self._settings, ctx["redis"]
        ctx["process"] = self
        logs.quiet_libraries()
        workflows = workflow.load_all(settings.workflows_folder)
        self._database = Database(settings.database_url)
        self._stack.push_async_callback(self._database.close)
        self._backend = _backend(settings, await self._stack.enter_async_context(aiohttp.ClientSession()))
        bot = telegram.connect(settings)
        self._stack.push_async_callback(bot.session.close)
        await _check_token(bot)
        opened = await self._stack.enter_async_context(storage.opened(settings))
        self.watchdog = Watchdog(
            self._backend,
            opened,
            every=settings.watch_every,
            sick_after=settings.sick_after,
            restart_command=settings.comfyui_restart_command,
            on_sick=self._take_back,
        )
        self.pipeline = Pipeline(
            settings=settings,
            worker=self._name,
            database=self._database,
            redis=redis,
            backend=self._backend,
            storage=opened,
            bot=bot,
            watchdog=self.watchdog,
        )
        self.renderer = Renderer(
            settings=settings,
            worker=self._name,
            database=self._database,
            backend=self._backend,
            workflows=workflows,
            watchdog=self.watchdog,
            pipeline=self.pipeline,
        )
        self.sweeper = Sweeper(settings, self._database, redis, bot)
        for work in (self._backend.listen, self.watchdog.watch, self._say_alive):
            self._living.append(asyncio.create_task(_kept_up(work)))
        for work in (self._chores, lambda: self._without_redis(redis)):
            self._taking.append(asyncio.create_task(_kept_up(work)))
        if self._signals:
            self._handle_signals()
        log.info("worker.started", worker=self._name, backend=self._backend.name, queue=settings.arq_queue)

    def _handle_signals(self) -> None:
        arq = asyncio.current_task()
        loop = asyncio.get_running_loop()
        stops: list[asyncio.Task[None]] = []

        async def stop() -> None:
            await self.stop({})
            if arq:
                arq.cancel()

        def handle() -> None:
            if not stops:
                stops.append(loop.create_task(stop()))

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, handle)

    async def stop(self, _ctx: dict[str, Any]) -> None:
        """Let photos that are with the GPU or behind it reach their chats, then close everything."""
        if self.stopping:
            await self.stopped.wait()
            return
        self.stopping = True
        # First nothing new: while Redis is away a worker looks for work by itself.
        await _ended(self._taking)
        if hasattr(self, "renderer"):
            self.watchdog.give_up()
            await self.renderer.stop()
            await self.pipeline.finish(self._settings.shutdown_wait)
            await self.renderer.abort()
            await self._backend.close()
            with suppress(*AWAY):
                async with self._database.unit() as session:
                    await fleet.leave(session, self._name)
        await _ended(self._living)
        await self._stack.aclose()
        self.stopped.set()
        log.info("worker.stopped")

    def _take_back(self, why: str) -> None:
        self.renderer.take_back(why)

    async def _say_alive(self) -> None:
        """Renew the leases of the photos in hand, and the worker's own sign of life."""
        while True:
            try:
                async with self._database.unit() as session:
                    if self.pipeline.held:
                        await status.keep_alive(session, self.pipeline.held, lease=self._settings.lease)
                    await fleet.say_alive(
                        session,
                        self._name,
                        backend=self._backend.name,
                        problem=self.watchdog.problem,
                        model=self.renderer.model,
                        photo_seconds=self.renderer.photo_seconds,
                        in_hand=len(self.pipeline.held),
                    )
            except AWAY as error:  # a lease that runs out is legal
                log.warning("worker.leases_not_renewed", error=type(error).__name__)
            await asyncio.sleep(self._settings.lease / 3)

    async def _chores(self) -> None:
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
                ctx={"process": self},
            )
            try:
                await worker.async_run()
            finally:
                # Ends a sweep that still runs, and the pool with it; Redis may be away for that as well.
                with suppress(RedisError, OSError):
                    await worker.close()

    async def _without_redis(self, redis: ArqRedis) -> None:
        """While nobody can ring, look for work every few seconds: a Redis that is away must cost no photo."""
        while True:
            await asyncio.sleep(self._settings.sweep_every)
            if await doorbell.is_heard(redis):
                continue
            await self.sweeper.sweep_without_redis(self.pipeline.deliver_stored)
            # Not waited for: while it serves, sweeps go on.
            self._serving = asyncio.create_task(self.renderer.serve())


async def _kept_up(work: Callable[[], Awaitable[None]]) -> None:
    """Run background work for ever: whatever breaks it is logged, and it begins again."""
    while True:
        try:
            await work()
        except (RedisError, *AWAY) as error:
            log.warning("worker.service_away", work=getattr(work, "__qualname__", ""), error=type(error).__name__)
        except Exception:
            log.exception("worker.background_work_broke")
        else:
            break
        await asyncio.sleep(1)


async def _ended(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


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


def worker_options(settings: Settings, *, signals: bool = False) -> dict[str, Any]:
    """Arguments of arq's Worker for these settings."""
    process = Process(settings, signals=signals)
    # Overflow workers have a queue of their own: a token that one of them took would be missed by an idle GPU.
    queue = f"{settings.arq_queue}:overflow" if settings.render_backend == "runpod" else settings.arq_queue
    return {
        "functions": [render_photo],
        "queue_name": queue,
        # Survives a Redis that is away for as long as it likes.
        "redis_pool": doorbell.connect(settings.redis_url, queue=settings.arq_queue, retries=-1),
        "on_startup": process.start,
        "on_shutdown": process.stop,
        # A job keeps the GPU busy by itself; a second one would only hide its token from an idle worker.
        "max_jobs": 1,
        "poll_delay": settings.arq_poll_delay,
        # Running jobs of all workers stay in the sorted set and are read along with the waiting ones.
        "queue_read_limit": 1000,
        "job_timeout": LONGEST_SESSION,
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
        return type("WorkerSettings", (), worker_options(settings, signals=True))
    raise AttributeError(name)
