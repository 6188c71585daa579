"""Keeps one GPU busy: chooses, claims and hands over the next graph before the one that renders is done."""

import asyncio
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import structlog

from generation import metrics
from generation.backends.base import Backend
from generation.backends.comfyui_history import Rendered
from generation.backends.watchdog import Watchdog
from generation.errors import ComfyUISick, RenderFailed, WorkerStopped, WorkflowError
from generation.models import Photo
from generation.orders import queue
from generation.runtime.database import CONNECTION_ERRORS, Database
from generation.scheduling import batching
from generation.scheduling.batching import Batch, Limits, Loaded, Wait, Waiting
from generation.scheduling.cost_model import NEWEST, CostModel
from generation.settings import Settings
from generation.worker.graph_run import Render
from generation.worker.pipeline import Pipeline
from generation.workflows.workflow import Filling, Workflow

log = structlog.get_logger(__name__)

#: Seconds between two looks at the queue while the last graph is about to end and nothing waits.
LOOK_AGAIN = 0.1
#: The same where renders are seconds away and nothing is idle.
LOOK_AGAIN_ELSEWHERE = 1.0
#: Shortest pause, in seconds, of a card that is too hot.
COOL_DOWN = 2.0


class Renderer:
    """The GPU side of a worker. One per worker process, built and closed by `generation.worker.app`."""

    def __init__(
        self,
        *,
        settings: Settings,
        worker: str,
        database: Database,
        backend: Backend,
        workflows: dict[str, Workflow],
        watchdog: Watchdog,
        pipeline: Pipeline,
    ) -> None:
        self._settings = settings
        self._worker = worker
        self._database = database
        self._backend = backend
        self.workflows = workflows
        self._watchdog = watchdog
        self._pipeline = pipeline
        self._speeds = CostModel(
            {name: workflow.seconds() for name, workflow in workflows.items()},
            trusted={name for name, workflow in workflows.items() if workflow.is_measured},
        )
        self._renders: list[Render] = []
        self._ended = asyncio.Event()
        self._session: asyncio.Task[bool] | None = None
        self._stopping = False
        #: When the GPU will be done with all graphs in its hands, by `time.monotonic`.
        self._free_at = 0.0
        self._loaded: str | None = None
        self._loaded_at = 0.0
        self._idle_since = time.monotonic()
        self._last_seconds = 0.0
        #: Photos in the last graph.
        self.batch_size: int | None = None
        #: While it is not set, the card warms up and no photo is claimed; set by `generation.worker.app`.
        self.warm = asyncio.Event()
        self.warm.set()
        #: It must make pauses to cool down; set by `generation.worker.app`.
        self.throttled = False
        #: GPU seconds for one photo, swaps of models included, as measured lately.
        self.photo_seconds: float | None = None

    @property
    def model(self) -> str | None:
        """The model that the last graph needs."""
        return self._loaded

    async def serve(self) -> bool:
        """Keep the GPU busy until nothing waits any more. False when it stopped because the worker fell sick.

        Whoever comes while it serves already waits for the same end; a caller that is cancelled does not stop it.
        """
        if self._session is None or self._session.done():
            self._session = asyncio.create_task(self._serve())
        return await asyncio.shield(self._session)

    async def _serve(self) -> bool:
        while not self._stopping:
            if self._watchdog.problem:
                # Before it waits: the job's token belongs to a worker that is well.
                return False
            await self.warm.wait()
            await self._turn()
            await self._pipeline.room()
            if self._watchdog.problem:
                return False
            if self._stopping or not await self._hand_over():
                break
        return True

    def use(self, workflows: dict[str, Workflow]) -> None:
        """Go on with other workflows; what was measured of those that stay is kept."""
        self.workflows = workflows
        self._speeds.use(
            {name: workflow.seconds() for name, workflow in workflows.items()},
            trusted={name for name, workflow in workflows.items() if workflow.is_measured},
        )

    def take_back(self, why: str) -> None:
        """Give all photos in the GPU's hands back to the queue, for another worker."""
        self._loaded = None
        for render in self._renders:
            render.take_back(ComfyUISick(why))

    async def stop(self) -> None:
        """At a shutdown, claim nothing more and take back what does not render; the pipeline waits for the rest."""
        self._stopping = True
        self._ended.set()
        if self._session:
            await asyncio.wait({self._session})
        if self._backend.one_after_another:
            for render in self._renders[1:]:
                render.take_back(WorkerStopped("the worker was stopped"))

    async def abort(self) -> None:
        """Stop what still renders after all patience."""
        tasks = [render.task for render in self._renders if render.task]
        for render in self._renders:
            render.take_back(WorkerStopped("the worker was stopped"))
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- when ------------------------------------------------------------------------------------------

    async def _turn(self) -> None:
        """Return when the next graph should be chosen: shortly before the GPU is free.

        Not earlier: until then photos may come that fill the batch, or a premium one that goes first.
        """
        while self._renders and not self._stopping:
            left = None
            # What nobody has measured ends when it ends: a guess would hand the next one over far too early.
            ahead = len(self._renders) < self._backend.at_once and not self.throttled
            if ahead and self._is_predictable():
                left = self._free_at - time.monotonic() - self._settings.hand_over_lead
                if left <= 0 or not self._backend.one_after_another:
                    return
            await self._graph_ends(left)
        if self.throttled:
            await self._cool_down()

    async def _cool_down(self) -> None:
        """A pause as long as the last graph took: half the load. It ends early when the card is cool enough."""
        began = time.monotonic()
        while self.throttled and not self._stopping:
            await asyncio.sleep(COOL_DOWN / 10)
            if time.monotonic() - began >= max(COOL_DOWN, self._last_seconds):
                break
        metrics.THROTTLE_SECONDS.inc(time.monotonic() - began)

    def _is_predictable(self) -> bool:
        return not self._backend.one_after_another or all(render.is_measured for render in self._renders)

    async def _hand_over(self) -> bool:
        """Claim the next batch and give it to the GPU; False when nothing waits and nothing renders."""
        try:
            claimed = await self._claim()
        except CONNECTION_ERRORS as error:
            log.warning("queue.unreadable", error=type(error).__name__)
            await asyncio.sleep(1)
            return True
        if isinstance(claimed, Wait):
            # A premium photo that comes meanwhile does not wait.
            await asyncio.sleep(min(claimed.seconds, 0.02))
        elif claimed is None:
            if not self._renders:
                return False
            await self._graph_ends(LOOK_AGAIN if self._backend.one_after_another else LOOK_AGAIN_ELSEWHERE)
        return True

    async def _graph_ends(self, timeout: float | None) -> None:
        self._ended.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._ended.wait()

    # -- what ------------------------------------------------------------------------------------------

    async def _claim(self) -> Render | Wait | None:
        async with self._database.unit() as session:
            takes = "everything"
            if not self._backend.one_after_another:
                takes = await queue.overflow(
                    session, depth=self._settings.overflow_depth, lease=self._settings.lease
                )
            if takes == "nothing":
                return None
            choice = self._choose(await queue.candidates(session, free_only=takes == "free"))
            if not isinstance(choice, Batch):
                return choice
            photos = await queue.claim(
                session,
                [photo.id for photo in choice.photos],
                worker=self._worker,
                lease=self._settings.lease,
            )
        return self._begin(photos, choice)

    def _choose(self, rows: Sequence[Any]) -> Batch | Wait | None:
        if not rows:
            return None
        now = time.monotonic()
        waiting = [self._waiting(row) for row in rows]
        loaded = Loaded(self._loaded, max(now, self._free_at) - self._loaded_at)
        limits = Limits(
            costs={photo.workflow: self._costs(photo.workflow) for photo in waiting},
            model_slice=self._settings.model_slice,
            window=self._settings.batch_window,
            load=self._speeds.load(now),
        )
        return batching.choose(waiting, float(rows[0].now), loaded, limits, idle=not self._renders)

    def _waiting(self, row: Any) -> Waiting:
        workflow = self.workflows.get(row.workflow)
        return Waiting(
            id=row.id,
            workflow=row.workflow,
            model=workflow.model if workflow else "",
            shape=workflow.shape(row.orientation, row.inputs) if workflow else "",
            premium=row.premium,
            rank=float(row.rank),
            since=float(row.since),
            alone=row.alone,
        )

    def _costs(self, name: str) -> list[float]:
        """A workflow that is not there costs a moment: its photos are claimed to be told so."""
        if name not in self.workflows:
            return [0.0]
        costs = self._speeds.costs(name)
        return costs if self._backend.one_after_another else costs[:1]

    # -- a graph ---------------------------------------------------------------------------------------

    def _begin(self, photos: list[Photo], choice: Batch) -> Render | None:
        if not photos:
            return None
        now = time.monotonic()
        if not self._renders:
            metrics.IDLE_SECONDS.inc(min(now - self._idle_since, _waited(photos[0])))
        name = photos[0].workflow
        graph = Render(photos, name, choice.model, swaps=choice.model not in {self._loaded, ""})
        if graph.swaps:
            self._loaded, self._loaded_at = graph.model, max(now, self._free_at)
        graph.seconds = self._costs(name)[min(len(photos), len(self._costs(name))) - 1]
        if name in self.workflows:
            self._speeds.claimed(name, len(photos), now)
        graph.is_measured = self._speeds.knows(name, len(photos), swaps=graph.swaps)
        if graph.swaps:
            graph.seconds += self._speeds.swap
        self._free_at = max(now, self._free_at) + graph.seconds
        graph.task = asyncio.create_task(self._render(graph))
        graph.task.add_done_callback(lambda task: self._end(graph, task))
        self.batch_size = len(photos)
        metrics.BATCH_PHOTOS.observe(len(photos))
        metrics.MODEL_SWAPS.inc(graph.swaps)
        self._renders.append(graph)
        self._pipeline.begin(graph)
        if self._watchdog.problem:
            # It fell sick between the claim and now.
            graph.take_back(ComfyUISick(self._watchdog.problem))
        return graph

    async def _render(self, graph: Render) -> Rendered:
        first = graph.photos[0]
        log.info("graph.handed_over", photos=[photo.id for photo in graph.photos], workflow=graph.workflow)
        try:
            if graph.workflow not in self.workflows:
                raise WorkflowError(f"there is no workflow {graph.workflow!r}")
            fillings = [_filling(photo) for photo in graph.photos]
            filled, graph.places = self.workflows[graph.workflow].fill(fillings)
            return await self._backend.render(
                filled,
                # A new id for each attempt: ComfyUI's history would answer with the old one's result.
                prompt_id=str(uuid.uuid5(first.key, str(first.attempt))),
                timeout=self._settings.render_timeout,
                submitted=lambda: graph.stamp("submitted_at"),
            )
        except asyncio.CancelledError:
            raise graph.taken_back or WorkerStopped("the worker was stopped") from None
        finally:
            graph.stamp("rendered_at")

    def _end(self, graph: Render, task: "asyncio.Task[Rendered]") -> None:
        self._renders.remove(graph)
        self._idle_since = time.monotonic()
        self._free_at = self._idle_since + sum(other.seconds for other in self._renders)
        self._ended.set()
        error = task.exception()
        size = len(graph.photos)
        if isinstance(error, RenderFailed) and "OutOfMemory" in error.exception_type and size > 1:
            self._speeds.out_of_memory(graph.workflow, size)
        if error or graph.workflow not in self.workflows:
            return
        seconds = task.result().seconds or graph.lasted()
        self._last_seconds = seconds
        metrics.RENDER_SECONDS.labels(graph.workflow).observe(seconds)
        learn = self._speeds.swapped if graph.swaps else self._speeds.measured
        learn(graph.workflow, size, seconds)
        known = self.photo_seconds or seconds / size
        self.photo_seconds = known + NEWEST * (seconds / size - known)
        log.info("graph.rendered", photos=size, seconds=round(seconds, 3), swap=graph.swaps)


def _waited(photo: Photo) -> float:
    """Seconds for which it could have been begun with."""
    since = max(photo.queued_at, photo.not_before)
    return max(0.0, (photo.claimed_at - since).total_seconds()) if photo.claimed_at else 0.0


def _filling(photo: Photo) -> Filling:
    """What this attempt puts into the graph.

    Each attempt has its own seed and file: ComfyUI would answer the same graph from its cache, with the very
    picture that was bad.
    """
    return Filling(
        prompt=photo.prompt,
        negative_prompt=photo.negative_prompt,
        seed=photo.seed + photo.attempt - 1,
        inputs=photo.inputs,
        orientation=photo.orientation,
        filename_prefix=f"vitte/{photo.key}-{photo.attempt}",
    )
