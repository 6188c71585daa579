"""Keeps one GPU busy: chooses, claims and hands over the next graph before the one that renders is done."""

import asyncio
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import structlog

from generation import queue, scheduling
from generation.backend import Backend
from generation.comfyui import Rendered
from generation.database import AWAY, Database
from generation.errors import ComfyUISick, RenderFailed, WorkerStopped, WorkflowError
from generation.graph import Graph
from generation.health import Watchdog
from generation.models import Photo
from generation.pipeline import Pipeline
from generation.scheduling import Batch, Limits, Loaded, Wait, Waiting
from generation.settings import Settings
from generation.speeds import NEWEST, Speeds
from generation.workflow import Filling, Workflow

log = structlog.get_logger(__name__)

#: Seconds between two looks at the queue while the last graph is about to end and nothing waits.
LOOK_AGAIN = 0.1


class Renderer:
    """The GPU side of a worker. One per worker process, built and closed by `generation.worker`."""

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
        self._workflows = workflows
        self._watchdog = watchdog
        self._pipeline = pipeline
        self._speeds = Speeds({name: workflow.seconds() for name, workflow in workflows.items()})
        self._graphs: list[Graph] = []
        self._ended = asyncio.Event()
        self._serving = False
        self._claiming: asyncio.Task[Graph | Wait | None] | None = None
        #: When the GPU will be done with all graphs in its hands, by `time.monotonic`.
        self._free_at = 0.0
        self._loaded: str | None = None
        self._loaded_at = 0.0
        #: GPU seconds for one photo, swaps of models included, as measured lately.
        self.photo_seconds: float | None = None

    @property
    def model(self) -> str | None:
        """The model that the last graph needs."""
        return self._loaded

    async def serve(self) -> bool:
        """Keep the GPU busy until nothing waits any more. False when it stopped because the worker fell sick.

        A second call while the first still serves returns at once.
        """
        if self._serving:
            return True
        self._serving = True
        try:
            while True:
                await self._turn()
                await self._pipeline.room()
                if self._watchdog.problem:
                    return False
                if not await self._hand_over():
                    return True
        finally:
            self._serving = False

    def take_back(self, why: str) -> None:
        """Give all photos in the GPU's hands back to the queue, for another worker."""
        self._loaded = None
        for graph in self._graphs:
            graph.take_back(ComfyUISick(why))

    async def stop(self) -> None:
        """At a shutdown, take back what does not render yet; the pipeline waits for what does."""
        if self._claiming:
            await asyncio.wait({self._claiming})
        for graph in self._graphs[1:]:
            graph.take_back(WorkerStopped("the worker was stopped"))

    async def abort(self) -> None:
        """Stop what still renders after all patience."""
        tasks = [graph.task for graph in self._graphs if graph.task]
        for graph in self._graphs:
            graph.take_back(WorkerStopped("the worker was stopped"))
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- when ------------------------------------------------------------------------------------------

    async def _turn(self) -> None:
        """Return when the next graph should be chosen: shortly before the GPU is free.

        Not earlier: until then photos may come that fill the batch, or a premium one that goes first.
        """
        while self._graphs:
            left = None
            if len(self._graphs) < self._backend.at_once:
                left = self._free_at - time.monotonic() - self._settings.hand_over_lead
                if left <= 0 or not self._backend.one_after_another:
                    return
            await self._graph_ends(left)

    async def _hand_over(self) -> bool:
        """Claim the next batch and give it to the GPU; False when nothing waits and nothing renders."""
        # Shielded, so that a shutdown never comes between a claim and the first sign of life for it.
        self._claiming = asyncio.create_task(self._claim())
        try:
            claimed = await asyncio.shield(self._claiming)
        except AWAY as error:
            log.warning("queue.unreadable", error=type(error).__name__)
            claimed = Wait(1)
        finally:
            self._claiming = None
        if isinstance(claimed, Wait):
            await asyncio.sleep(min(claimed.seconds, 1) if self._graphs else min(claimed.seconds, 0.02))
        elif claimed is None:
            if not self._graphs:
                return False
            await self._graph_ends(LOOK_AGAIN)
        return True

    async def _graph_ends(self, timeout: float | None) -> None:
        self._ended.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._ended.wait()

    # -- what ------------------------------------------------------------------------------------------

    async def _claim(self) -> Graph | Wait | None:
        overflow = not self._backend.one_after_another
        async with self._database.unit() as session:
            if overflow:
                depth = await queue.waiting_count(session, free_only=True)
                if depth <= self._settings.overflow_depth:
                    return None
            choice = self._choose(await queue.candidates(session, free_only=overflow))
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
        return scheduling.choose(waiting, float(rows[0].now), loaded, limits, idle=not self._graphs)

    def _waiting(self, row: Any) -> Waiting:
        workflow = self._workflows.get(row.workflow)
        return Waiting(
            id=row.id,
            workflow=row.workflow,
            model=workflow.model if workflow else "",
            shape=workflow.shape(row.orientation) if workflow else "",
            premium=row.premium,
            rank=float(row.rank),
            since=float(row.since),
            alone=row.alone,
        )

    def _costs(self, name: str) -> list[float]:
        """A workflow that is not there costs a moment: its photos are claimed to be told so."""
        if name not in self._workflows:
            return [0.0]
        costs = self._speeds.costs(name)
        return costs if self._backend.one_after_another else costs[:1]

    # -- a graph ---------------------------------------------------------------------------------------

    def _begin(self, photos: list[Photo], choice: Batch) -> Graph | None:
        if not photos:
            return None
        now = time.monotonic()
        name = photos[0].workflow
        graph = Graph(photos, name, choice.model, swaps=choice.model != self._loaded)
        if graph.swaps:
            self._loaded, self._loaded_at = graph.model, max(now, self._free_at)
        graph.seconds = self._costs(name)[min(len(photos), len(self._costs(name))) - 1]
        if name in self._workflows:
            self._speeds.claimed(name, len(photos), now)
        self._free_at = max(now, self._free_at) + graph.seconds
        graph.task = asyncio.create_task(self._render(graph))
        graph.task.add_done_callback(lambda task: self._end(graph, task))
        self._graphs.append(graph)
        self._pipeline.begin(graph)
        return graph

    async def _render(self, graph: Graph) -> Rendered:
        first = graph.photos[0]
        log.info("graph.begun", photos=[photo.id for photo in graph.photos], workflow=graph.workflow)
        try:
            if graph.workflow not in self._workflows:
                raise WorkflowError(f"there is no workflow {graph.workflow!r}")
            fillings = [_filling(photo) for photo in graph.photos]
            filled, graph.places = self._workflows[graph.workflow].fill(fillings)
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

    def _end(self, graph: Graph, task: "asyncio.Task[Rendered]") -> None:
        self._graphs.remove(graph)
        self._free_at = time.monotonic() + sum(other.seconds for other in self._graphs)
        self._ended.set()
        error = task.exception()
        size = len(graph.photos)
        if isinstance(error, RenderFailed) and "OutOfMemory" in error.exception_type and size > 1:
            self._speeds.out_of_memory(graph.workflow, size)
        if error or graph.workflow not in self._workflows:
            return
        seconds = task.result().seconds or graph.lasted()
        if not graph.swaps:
            self._speeds.measured(graph.workflow, size, seconds)
        known = self.photo_seconds or seconds / size
        self.photo_seconds = known + NEWEST * (seconds / size - known)
        log.info("graph.rendered", photos=size, seconds=round(seconds, 3), swap=graph.swaps)


def _filling(photo: Photo) -> Filling:
    """What this attempt puts into the graph.

    Each attempt has its own seed and file: ComfyUI would answer the same graph from its cache, with the very
    picture that was bad.
    """
    return Filling(
        prompt=photo.prompt,
        negative_prompt=photo.negative_prompt,
        seed=photo.seed + photo.attempt - 1,
        orientation=photo.orientation,
        filename_prefix=f"vitte/{photo.key}-{photo.attempt}",
    )
