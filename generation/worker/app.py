"""What lives as long as a worker process: the composition root of `generation`, and the order in which it ends."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

import aiohttp
import structlog
from aiogram import Bot
from aiogram.exceptions import ClientDecodeError, TelegramAPIError
from arq import ArqRedis

from generation import figures, storage, worker_registry
from generation.backends.base import Backend
from generation.backends.building import backend_of, routes_of
from generation.backends.watchdog import Watchdog
from generation.delivery.picture_check import PictureCheck
from generation.orders import erasure, jobs
from generation.runtime import background, operator_switches, telegram
from generation.runtime.background import kept_up, periodically
from generation.runtime.database import CONNECTION_ERRORS, Database
from generation.runtime.monitoring import http_server
from generation.runtime.monitoring.build import version
from generation.runtime.monitoring.figures import Snapshot
from generation.runtime.settings import WrongSettings
from generation.settings import Settings
from generation.worker.contact import Contact
from generation.worker.heartbeat import Heartbeat
from generation.worker.pipeline import Pipeline
from generation.worker.recovery import Recovery
from generation.worker.rendering.picking import BatchPicker
from generation.worker.rendering.proving import LOOK_AGAIN_EVERY, Prover
from generation.worker.rendering.references import References
from generation.worker.rendering.renderer import Renderer
from generation.worker.rendering.warm_up import WarmUp
from generation.worker.state import WorkerState
from generation.worker.timings import Timings
from generation.workflows import workflow

log = structlog.get_logger(__name__)

#: Where `/metrics` is when METRICS_PORT says nothing; the bot has 9101.
METRICS_PORT = 9102


@dataclass(slots=True)
class GpuWorker:
    """The parts of one worker, built whole by `running`."""

    settings: Settings
    name: str
    database: Database
    backend: Backend
    watchdog: Watchdog
    pipeline: Pipeline
    renderer: Renderer
    heartbeat: Heartbeat
    recovery: Recovery
    state: WorkerState
    #: Where `/metrics` is served.
    endpoint_port: int = 0
    stopping: bool = False
    #: Everything is closed.
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    async def finish_photos(self) -> None:
        """Let photos that are with the GPU or behind it reach their chats, SHUTDOWN_WAIT seconds at most."""
        self.watchdog.give_up()
        self.heartbeat.stop()
        self.state.warm.set()
        await self.renderer.stop()
        await self.pipeline.finish(self.settings.shutdown_wait)
        await self.renderer.abort()
        await self.backend.close()
        with suppress(*CONNECTION_ERRORS):
            async with self.database.unit() as session:
                await worker_registry.deregister(session, self.name)

    async def snapshot(self) -> Snapshot:
        """The pipeline's figures, for `/metrics`."""
        async with self.database.unit() as session:
            return await figures.read(session, window=self.heartbeat.rules.window, lease=self.settings.lease)

    async def ready(self) -> dict[str, str]:
        """What keeps this worker from making photos."""
        problems = {"worker": self.watchdog.problem} if self.watchdog.problem else {}
        try:
            async with self.database.unit() as session:
                await operator_switches.read(session)
        except CONNECTION_ERRORS as error:
            problems["postgresql"] = type(error).__name__
        return problems


@asynccontextmanager
async def running(
    settings: Settings, redis: ArqRedis, timings: Timings, *, picture_check: PictureCheck | None = None
) -> AsyncIterator[GpuWorker]:
    """Build a worker, keep it up while the block runs, and end it in order; a `picture_check` given is left open.

    It takes no work by itself: whoever calls `renderer.serve` and `recovery.sweep` (arq's jobs) must have stopped
    doing so when the block is left.
    """
    async with AsyncExitStack() as stack:
        database = Database(settings.database, pool_size=settings.database_connections)
        stack.push_async_callback(database.close)
        backend = backend_of(settings, await stack.enter_async_context(aiohttp.ClientSession()), database)
        bot = telegram.connect(settings)
        stack.push_async_callback(bot.session.close)
        await _check_token(bot)
        await jobs.refuse_cluster(redis)
        opened = await stack.enter_async_context(storage.opened(settings))
        if picture_check is None:
            picture_check = PictureCheck(settings)
            stack.push_async_callback(picture_check.close)
        await picture_check.open()
        worker, warm_up, prover = _built(settings, timings, database, redis, backend, opened, bot, picture_check)
        # Before the heartbeat: a port that is taken ends a worker that nobody has heard of.
        worker.endpoint_port = await stack.enter_async_context(
            http_server.serving(
                settings.metrics_host,
                settings.metrics_port,
                usual=METRICS_PORT,
                snapshot=worker.snapshot,
                figures=figures.FIGURES,
                ready=worker.ready,
                routes=routes_of(backend),
            )
        )
        await stack.enter_async_context(
            background.running(
                kept_up(backend.listen, name="backend"),
                periodically(timings.watch_every, worker.watchdog.look, name="watchdog", at_once=True),
                periodically(settings.lease / 3, worker.heartbeat.beat, name="heartbeat", at_once=True),
                # Beside the recovery: an S3 that hangs must not keep photos waiting.
                periodically(
                    timings.sweep_every, partial(erasure.sweep, database, opened), name="erasure", at_once=True
                ),
                kept_up(warm_up.keep, name="warm_up"),
                periodically(LOOK_AGAIN_EVERY, prover.look_again, name="prover"),
            )
        )
        stack.push_async_callback(worker.finish_photos)
        log.info(
            "worker.started",
            worker=worker.name,
            backend=backend.name,
            queue=settings.arq_queue,
            version=version(),
        )
        yield worker
    log.info("worker.stopped")


def _built(
    settings: Settings,
    timings: Timings,
    database: Database,
    redis: ArqRedis,
    backend: Backend,
    opened: storage.Storage,
    bot: Bot,
    picture_check: PictureCheck,
) -> tuple[GpuWorker, WarmUp, Prover]:
    name = worker_registry.name_of(f"{socket.gethostname()}/{urlsplit(settings.render_url).netloc}")
    state = WorkerState()
    workflows = workflow.load_or_stop(settings.workflows_folder, own_nodes=settings.has_own_nodes)
    picker = BatchPicker(
        settings=settings, worker=name, database=database, backend=backend, workflows=workflows, state=state
    )
    prover = Prover(backend, lambda: picker.workflows, state, renders=settings.probe_workflows, use=picker.use)
    watchdog = Watchdog(
        backend,
        opened,
        sick_after=timings.sick_after,
        restart_command=settings.comfyui_restart_command,
        on_sick=lambda why: renderer.take_back(why),  # noqa: PLW0108 - the renderer is built after it
        prove=prover.prove,
    )
    pipeline = Pipeline(
        settings=settings,
        worker=name,
        state=state,
        database=database,
        redis=redis,
        backend=backend,
        storage=opened,
        bot=bot,
        picture_check=picture_check,
        watchdog=watchdog,
    )
    renderer = Renderer(
        settings=settings,
        hand_over_lead=timings.hand_over_lead,
        state=state,
        backend=backend,
        picker=picker,
        watchdog=watchdog,
        pipeline=pipeline,
        references=References(opened),
    )
    contact = Contact(settings.lease)
    heartbeat = Heartbeat(
        settings=settings,
        worker=name,
        state=state,
        database=database,
        backend=backend,
        watchdog=watchdog,
        pipeline=pipeline,
        picker=picker,
        contact=contact,
    )
    recovery = Recovery(
        settings, database, redis, bot, every=timings.sweep_every, judges_until=contact.judges_until
    )
    worker = GpuWorker(settings, name, database, backend, watchdog, pipeline, renderer, heartbeat, recovery, state)
    warm_up = WarmUp(
        backend, lambda: picker.workflows, settings.warm_up, watchdog, state, learn=picker.costs.measured
    )
    return worker, warm_up, prover


async def _check_token(bot: Bot) -> None:
    """A wrong token stops the start; a Telegram that is away does not."""
    try:
        await bot.get_me(request_timeout=5)
    except telegram.WRONG_TOKEN:
        raise WrongSettings(telegram.WRONG_TOKEN_WORDS) from None
    except (TelegramAPIError, ClientDecodeError) as error:
        log.warning("telegram.away", error=type(error).__name__)
