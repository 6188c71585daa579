"""A worker under arq, one process per GPU: `arq generation.worker.WorkerSettings`.

`WorkerSettings` is made when arq asks for it, so that importing this module reads no settings and opens
nothing. arq reads a settings class by its own `__dict__`, so it is given a plain class without bases.
"""

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Any

from arq import ArqRedis, Worker, cron
from arq.connections import RedisSettings
from redis.exceptions import RedisError

from generation.delivery.picture_check import PictureCheck
from generation.orders import jobs
from generation.runtime import background, logs
from generation.runtime.background import kept_up, periodically
from generation.runtime.settings import load
from generation.settings import Settings
from generation.worker import app
from generation.worker.app import GpuWorker
from generation.worker.arq_jobs import deliver_photo, render_photo, sweep
from generation.worker.timings import Timings

#: Seconds after which arq breaks a job off, whatever it does; what the GPU does is not touched by that.
LONGEST_SESSION = 3600
#: PostgreSQL counts attempts; arq must never give up a job by itself.
NO_LIMIT = 1_000_000


class ArqLife:
    """Starts a worker in arq's start-up hook and ends it in the shut-down hook.

    With `signals`, SIGTERM and SIGINT stop it in order before arq ends. arq's own way cancels jobs wherever they
    are, and skips the shut-down hook when that is inside its bookkeeping or Redis does not answer.
    """

    def __init__(
        self,
        settings: Settings,
        timings: Timings,
        listen: Callable[[], Awaitable[None]],
        *,
        signals: bool,
        picture_check: PictureCheck | None,
    ) -> None:
        self._listen = listen
        self._picture_check = picture_check
        self._settings = settings
        self._timings = timings
        self._signals = signals
        self._stack = AsyncExitStack()
        self._worker: GpuWorker | None = None
        #: Kept from the garbage collector; not waited for, so that sweeps go on while it serves.
        self._serving: asyncio.Task[bool] | None = None
        self._stop_task: asyncio.Task[None] | None = None

    async def start(self, ctx: dict[str, Any]) -> None:
        """Build everything and put what jobs need into arq's context."""
        redis: ArqRedis = ctx["redis"]
        logs.quiet_libraries()
        worker = await self._stack.enter_async_context(
            app.running(self._settings, redis, self._timings, picture_check=self._picture_check)
        )
        self._worker = ctx["worker"] = worker
        await self._stack.enter_async_context(
            background.running(
                kept_up(partial(self._chores, worker), name="chores"),
                kept_up(self._listen, name="bell"),
                periodically(
                    self._timings.sweep_every, partial(self._without_redis, worker, redis), name="without_redis"
                ),
            )
        )
        if self._signals:
            self._handle_signals()

    async def stop(self, _ctx: dict[str, Any]) -> None:
        """First nothing new is taken, then photos reach their chats, then everything is closed."""
        worker = self._worker
        if worker is not None and worker.stopping:
            await worker.stopped.wait()
            return
        if worker is not None:
            worker.stopping = True
        try:
            await self._stack.aclose()
        finally:
            if worker is not None:
                worker.stopped.set()

    def _handle_signals(self) -> None:
        arq, loop = asyncio.current_task(), asyncio.get_running_loop()

        async def stop() -> None:
            try:
                await self.stop({})
            finally:
                if arq:
                    arq.cancel()

        def handle() -> None:
            if self._stop_task and arq:
                # Asked twice: at once, then; the leases do the rest.
                arq.cancel()
            else:
                self._stop_task = loop.create_task(stop())

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, handle)

    async def _chores(self, worker: GpuWorker) -> None:
        """arq's cron and deliveries on a queue of their own: on the photos' they would wait for an idle GPU."""
        queue = jobs.chores(self._settings.arq_queue)
        redis = jobs.connect(self._settings.redis, queue=queue, retries=3)
        seconds = set(range(0, 60, self._timings.sweep_every))
        chores = Worker(
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
            ctx={"worker": worker},
        )
        try:
            await chores.async_run()
        finally:
            # Ends a sweep that still runs, and the pool with it; Redis may be away for that as well.
            with suppress(RedisError, OSError):
                await chores.close()

    async def _without_redis(self, worker: GpuWorker, redis: ArqRedis) -> None:
        """While no job can be announced, look for work: a Redis that is away must cost no photo."""
        if await jobs.is_writable(redis):
            return
        await worker.recovery.sweep_without_redis(worker.pipeline.deliver_stored)
        self._serving = asyncio.create_task(worker.renderer.serve())


def worker_options(
    settings: Settings,
    *,
    timings: Timings | None = None,
    signals: bool = False,
    picture_check: PictureCheck | None = None,
) -> dict[str, Any]:
    """Arguments of arq's Worker for these settings; it opens a check of its own unless it is given one."""
    timings = timings or Timings()
    # Overflow workers have a queue of their own: a job that one of them took would be missed by an idle GPU.
    queue = f"{settings.arq_queue}:overflow" if settings.is_overflow else settings.arq_queue
    redis = jobs.listening(settings.redis, queue=settings.arq_queue)
    life = ArqLife(settings, timings, partial(redis.listen, queue), signals=signals, picture_check=picture_check)
    return {
        "functions": [render_photo],
        "queue_name": queue,
        "redis_pool": redis,
        "on_startup": life.start,
        "on_shutdown": life.stop,
        # A job keeps the GPU busy by itself; a second one would only hide its job from an idle worker.
        "max_jobs": 1,
        "poll_delay": timings.poll_delay,
        # Running jobs of all workers stay in the sorted set and are read along with the waiting ones.
        "queue_read_limit": 1000,
        "job_timeout": LONGEST_SESSION,
        "keep_result": 0,
        "max_tries": NO_LIMIT,
        # What `arq --check` reads; a key for each machine, since arq's own is one for all workers of a queue.
        "redis_settings": RedisSettings.from_dsn(settings.redis),
        "health_check_key": f"{settings.arq_queue}:health:{socket.gethostname()}",
        "health_check_interval": 10,
        "job_serializer": jobs.serialize,
        "job_deserializer": jobs.deserialize,
    }


def __getattr__(name: str) -> Any:
    if name == "WorkerSettings":
        settings = load(Settings)
        logs.configure(settings.log_format, settings.log_level, process="worker", sentry_dsn=settings.sentry_dsn)
        return type("WorkerSettings", (), worker_options(settings, signals=True))
    raise AttributeError(name)
