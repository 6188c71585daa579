"""What lives as long as a worker process: the composition root of `generation`, and the order in which it ends."""

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import structlog
from aiogram import Bot
from aiogram.exceptions import ClientDecodeError, TelegramAPIError, TelegramNotFound, TelegramUnauthorizedError
from arq import ArqRedis, Worker, cron
from redis.exceptions import RedisError

from generation import figures, storage, worker_registry
from generation.backends.base import Backend
from generation.backends.comfyui import ComfyUI
from generation.backends.runpod import RunPod
from generation.backends.watchdog import Watchdog
from generation.figures import FIGURES
from generation.orders import erasure, jobs
from generation.runtime import logs, operator_switches, telegram
from generation.runtime.database import CONNECTION_ERRORS, Database
from generation.runtime.monitoring import http_server
from generation.runtime.monitoring.figures import Snapshot
from generation.runtime.settings import WrongSettings
from generation.settings import Settings
from generation.storage import Storage
from generation.worker.heartbeat import Heartbeat
from generation.worker.jobs import deliver_photo, sweep
from generation.worker.pipeline import Pipeline
from generation.worker.recovery import Recovery
from generation.worker.renderer import Renderer
from generation.worker.warm_up import WarmUp
from generation.workflows import workflow
from generation.workflows.workflow import Workflow

log = structlog.get_logger(__name__)

#: PostgreSQL counts attempts; arq must never give up a job by itself.
NO_LIMIT = 1_000_000
#: Where `/metrics` is when METRICS_PORT says nothing; the bot has 9101.
METRICS_PORT = 9102


class Process:
    """Clients, pipeline and background tasks of one worker.

    With `signals`, SIGTERM and SIGINT stop it in order before arq ends. arq's own way cancels jobs wherever they
    are, and skips the shutdown hook when that is inside its bookkeeping or Redis does not answer.
    """

    def __init__(self, settings: Settings, *, signals: bool = False) -> None:
        self._settings = settings
        self._signals = signals
        self._name = worker_registry.name_of(f"{socket.gethostname()}/{urlsplit(settings.comfyui_url).netloc}")
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
        workflows = workflow.load_or_stop(settings.workflows_folder, own_nodes=settings.has_own_nodes)
        self._database = Database(settings.database_url)
        self._stack.push_async_callback(self._database.close)
        self._backend = _backend(settings, await self._stack.enter_async_context(aiohttp.ClientSession()))
        bot = telegram.connect(settings)
        self._stack.push_async_callback(bot.session.close)
        await _check_token(bot)
        opened = await self._stack.enter_async_context(storage.opened(settings))
        self._build(redis, bot, opened, workflows)
        # Beside the sweeper: an S3 that hangs must not keep photos waiting.
        delete_originals = partial(erasure.keep_sweeping, self._database, opened, every=settings.sweep_every)
        warm = WarmUp(self._backend, lambda: self.renderer.workflows, settings.warm_up, self.watchdog)
        self.renderer.warm = warm.done
        for work in (
            self._backend.listen,
            self.watchdog.watch,
            self.heartbeat.give,
            delete_originals,
            warm.keep,
        ):
            self._living.append(asyncio.create_task(_kept_up(work)))
        self.endpoint_port = await self._stack.enter_async_context(
            http_server.serving(
                settings.metrics_host,
                METRICS_PORT if settings.metrics_port is None else settings.metrics_port,
                snapshot=self._snapshot,
                figures=FIGURES,
                ready=self._ready,
            )
        )
        for work in (self._chores, lambda: self._without_redis(redis)):
            self._taking.append(asyncio.create_task(_kept_up(work)))
        if self._signals:
            self._handle_signals()
        log.info("worker.started", worker=self._name, backend=self._backend.name, queue=settings.arq_queue)

    def _build(self, redis: ArqRedis, bot: Bot, opened: Storage, workflows: dict[str, Workflow]) -> None:
        settings = self._settings
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
        self.heartbeat = Heartbeat(
            settings=settings,
            worker=self._name,
            database=self._database,
            backend=self._backend,
            watchdog=self.watchdog,
            pipeline=self.pipeline,
            renderer=self.renderer,
        )
        self.sweeper = Recovery(settings, self._database, redis, bot)

    def _handle_signals(self) -> None:
        arq, loop = asyncio.current_task(), asyncio.get_running_loop()

        async def stop() -> None:
            try:
                await self.stop({})
            finally:
                if arq:
                    arq.cancel()

        def handle() -> None:
            if self.stopping and arq:
                # Asked twice: at once, then; the leases do the rest.
                arq.cancel()
            else:
                self._stop_task = loop.create_task(stop())

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, handle)

    async def stop(self, _ctx: dict[str, Any]) -> None:
        """Let photos that are with the GPU or behind it reach their chats, then close everything."""
        if self.stopping:
            await self.stopped.wait()
            return
        self.stopping = True
        try:
            # First nothing new: while Redis is away a worker looks for work by itself.
            await _ended(self._taking)
            if hasattr(self, "renderer"):
                await self._finish_photos()
            await _ended(self._living)
            await self._stack.aclose()
        finally:
            self.stopped.set()
        log.info("worker.stopped")

    async def _finish_photos(self) -> None:
        self.watchdog.give_up()
        self.heartbeat.stop()
        self.renderer.warm.set()
        await self.renderer.stop()
        await self.pipeline.finish(self._settings.shutdown_wait)
        await self.renderer.abort()
        await self._backend.close()
        with suppress(*CONNECTION_ERRORS):
            async with self._database.unit() as session:
                await worker_registry.deregister(session, self._name)

    def _take_back(self, why: str) -> None:
        self.renderer.take_back(why)

    async def _controls(self) -> operator_switches.OperatorSwitches:
        async with self._database.unit() as session:
            return await operator_switches.read(session)

    async def _snapshot(self) -> Snapshot:
        async with self._database.unit() as session:
            return await figures.read(session, window=self.heartbeat.rules.window, lease=self._settings.lease)

    async def _ready(self) -> dict[str, str]:
        """What keeps this worker from making photos."""
        problems = {"worker": self.watchdog.problem} if self.watchdog.problem else {}
        try:
            await self._controls()
        except CONNECTION_ERRORS as error:
            problems["postgresql"] = type(error).__name__
        return problems

    async def _chores(self) -> None:
        """arq's cron and deliveries on a queue of their own: on the photos' they would wait for an idle GPU."""
        seconds = set(range(0, 60, self._settings.sweep_every))
        queue = jobs.chores(self._settings.arq_queue)
        while True:
            redis = jobs.connect(self._settings.redis_url, queue=queue, retries=3)
            worker = Worker(
                functions=[deliver_photo],
                cron_jobs=[cron(sweep, name=f"{queue}:sweep", second=seconds, timeout=30, keep_result=0)],
                queue_name=queue,
                redis_pool=redis,
                handle_signals=False,
                job_timeout=60,
                keep_result=0,
                max_tries=NO_LIMIT,
                job_serializer=jobs.serialize,
                job_deserializer=jobs.deserialize,
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
            if await jobs.is_writable(redis):
                continue
            await self.sweeper.sweep_without_redis(self.pipeline.deliver_stored)
            # Not waited for: while it serves, sweeps go on.
            self._serving = asyncio.create_task(self.renderer.serve())


async def _kept_up(work: Callable[[], Awaitable[None]]) -> None:
    """Run background work for ever: whatever breaks it is logged, and it begins again."""
    while True:
        try:
            await work()
        except (RedisError, *CONNECTION_ERRORS) as error:
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
