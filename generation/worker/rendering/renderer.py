"""Keeps one GPU busy: hands the next graph over before the one that renders is done, and learns what each took."""

import asyncio
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress

import structlog

from generation import metrics
from generation.backends.base import Backend
from generation.backends.comfyui_history import Rendered
from generation.backends.watchdog import Watchdog
from generation.errors import (
    ComfyUISick,
    ComfyUIUnreachable,
    LacksFile,
    LacksWorkflow,
    NobodyCanRender,
    RenderFailed,
    RenderStalled,
    RenderTimeout,
    WorkerStopped,
    WorkflowError,
)
from generation.models import Photo
from generation.runtime.database import CONNECTION_ERRORS
from generation.scheduling.batching import Loaded, Wait
from generation.scheduling.cost_model import NEWEST
from generation.settings import Settings
from generation.worker.pipeline import Pipeline
from generation.worker.rendering.graph_run import GraphRun
from generation.worker.rendering.picking import BatchPicker, Claimed
from generation.worker.rendering.references import References
from generation.worker.state import WorkerState
from generation.workflows.workflow import BEHIND_PORTRAITS, Filling, Workflow, picture_name

log = structlog.get_logger(__name__)

#: Seconds between two looks at the queue while the last graph is about to end and nothing waits.
LOOK_AGAIN = 0.1
#: The same where renders are seconds away and nothing is idle.
LOOK_AGAIN_ELSEWHERE = 1.0
#: Shortest pause, in seconds, of a card that is too hot.
COOL_DOWN = 2.0
#: What leads the prompt, and the negative prompt, after a picture of this photo showed too much.
STRICTER = "modest everyday clothes that cover the whole body"
STRICTLY_NOT = "nudity, bare chest, underwear, swimwear, cleavage, see-through clothes"


class Renderer:
    """Runs graphs on one back end. One per worker process, built and stopped by `generation.worker.app`."""

    def __init__(
        self,
        *,
        settings: Settings,
        hand_over_lead: float,
        state: WorkerState,
        backend: Backend,
        picker: BatchPicker,
        watchdog: Watchdog,
        pipeline: Pipeline,
        references: References,
    ) -> None:
        self._references = references
        self._settings = settings
        self._hand_over_lead = hand_over_lead
        self._state = state
        self._backend = backend
        self._picker = picker
        self._watchdog = watchdog
        self._pipeline = pipeline
        self._runs: list[GraphRun] = []
        self._ended = asyncio.Event()
        self._serving: asyncio.Task[bool] | None = None
        self._stopping = False
        #: When the GPU will be done with all graphs in its hands, by `time.monotonic`.
        self._free_at = 0.0
        self._loaded_at = 0.0
        self._idle_since = time.monotonic()
        self._last_seconds = 0.0

    async def serve(self) -> bool:
        """Keep the GPU busy until nothing waits any more. False when it stopped because the worker fell sick.

        Whoever comes while it serves already waits for the same end; a caller that is cancelled does not stop it.
        """
        if self._serving is None or self._serving.done():
            self._serving = asyncio.create_task(self._serve())
        return await asyncio.shield(self._serving)

    async def _serve(self) -> bool:
        while not self._stopping:
            if self._watchdog.problem:
                # Before it waits: the job belongs to a worker that can work.
                return False
            await self._state.warm.wait()
            await self._until_next_choice()
            await self._pipeline.room()
            if self._watchdog.problem:
                return False
            if self._stopping or not await self._hand_over():
                break
        return True

    def take_back(self, why: str) -> None:
        """Give all photos in the GPU's hands back to the queue, for another worker."""
        self._state.model = None
        for run in self._runs:
            run.take_back(ComfyUISick(why))

    async def stop(self) -> None:
        """At a shutdown, claim nothing more and take back what does not render; the pipeline waits for the rest."""
        self._stopping = True
        self._ended.set()
        if self._serving:
            await asyncio.wait({self._serving})
        if self._backend.one_after_another:
            for run in self._runs[1:]:
                run.take_back(WorkerStopped("the worker was stopped"))

    async def abort(self) -> None:
        """Stop what still renders after all patience."""
        tasks = [run.task for run in self._runs if run.task]
        for run in self._runs:
            run.take_back(WorkerStopped("the worker was stopped"))
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- when ------------------------------------------------------------------------------------------

    async def _until_next_choice(self) -> None:
        """Return when the next graph should be chosen: shortly before the GPU is free.

        Not earlier: until then photos may come that fill the batch, or a premium one that goes first.
        """
        while self._runs and not self._stopping:
            left = None
            # What nobody has measured ends when it ends: a guess would hand the next one over far too early.
            ahead = len(self._runs) < self._backend.at_once and not self._state.throttled
            if ahead and self._is_predictable():
                left = self._free_at - time.monotonic() - self._hand_over_lead
                if left <= 0 or not self._backend.one_after_another:
                    return
            await self._graph_ends(left)
        if self._state.throttled:
            await self._cool_down()

    async def _cool_down(self) -> None:
        """A pause as long as the last graph took: half the load. It ends early when the card is cool enough."""
        began = time.monotonic()
        while self._state.throttled and not self._stopping:
            await asyncio.sleep(COOL_DOWN / 10)
            if time.monotonic() - began >= max(COOL_DOWN, self._last_seconds):
                break
        metrics.THROTTLE_SECONDS.inc(time.monotonic() - began)

    def _is_predictable(self) -> bool:
        return not self._backend.one_after_another or all(run.is_measured for run in self._runs)

    async def _hand_over(self) -> bool:
        """Claim the next batch and give it to the GPU; False when nothing waits and nothing renders."""
        now = time.monotonic()
        loaded = Loaded(self._state.model, max(now, self._free_at) - self._loaded_at)
        try:
            claimed = await self._picker.claim(loaded, idle=not self._runs)
        except CONNECTION_ERRORS as error:
            log.warning("queue.unreadable", error=type(error).__name__)
            await asyncio.sleep(1)
            return True
        if isinstance(claimed, Wait):
            # A premium photo that comes meanwhile does not wait.
            await asyncio.sleep(min(claimed.seconds, 0.02))
        elif claimed is None:
            if not self._runs:
                return False
            await self._graph_ends(LOOK_AGAIN if self._backend.one_after_another else LOOK_AGAIN_ELSEWHERE)
        else:
            self._begin(claimed)
        return True

    async def _graph_ends(self, timeout: float | None) -> None:
        self._ended.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._ended.wait()

    # -- a graph ---------------------------------------------------------------------------------------

    def _begin(self, claimed: Claimed) -> None:
        now, photos = time.monotonic(), claimed.photos
        if not self._runs:
            metrics.IDLE_SECONDS.inc(min(now - self._idle_since, _waited(photos[0])))
        run = self._expect(claimed, now)
        self._free_at = max(now, self._free_at) + run.seconds
        run.task = asyncio.create_task(self._render(run))
        run.task.add_done_callback(lambda task: self._end(run, task))
        self._state.batch_size, self._state.idle_since = len(photos), None
        metrics.BATCH_PHOTOS.observe(len(photos))
        metrics.MODEL_SWAPS.inc(run.swaps)
        self._runs.append(run)
        self._pipeline.begin(run)
        if self._watchdog.problem:
            # It fell sick between the claim and now.
            run.take_back(ComfyUISick(self._watchdog.problem))

    def _expect(self, claimed: Claimed, now: float) -> GraphRun:
        """The run of these photos with what it is expected to cost; a swap of models is noted as begun."""
        photos, costs = claimed.photos, self._picker.costs
        name = photos[0].workflow
        kind = self._picker.kind(name, photos[0].inputs)
        run = GraphRun(photos, name, kind, claimed.model, swaps=claimed.model not in {self._state.model, ""})
        run.seconds = self._picker.seconds(kind, len(photos))
        if name in self._picker.workflows:
            costs.claimed(kind, len(photos), now)
        run.is_measured = costs.knows(kind, len(photos), swaps=run.swaps)
        if run.swaps:
            self._state.model, self._loaded_at = run.model, max(now, self._free_at)
            run.seconds += costs.swap
        return run

    async def _render(self, run: GraphRun) -> Rendered:
        first = run.photos[0]
        log.info("graph.handed_over", photos=[photo.id for photo in run.photos], workflow=run.workflow)
        try:
            if run.workflow not in self._picker.workflows:
                raise WorkflowError(f"there is no workflow {run.workflow!r}")
            if lacking := self._state.lacks.get(run.workflow):
                # It is only claimed when nobody else can render it either.
                raise NobodyCanRender(lacking)
            workflow = self._picker.workflows[run.workflow]
            fillings, pictures = [], dict[str, bytes]()
            for photo in run.photos:
                inputs, brought = await self._references.brought(photo.inputs, workflow)
                fillings.append(_filling(photo, inputs))
                pictures |= brought
                others = {picture_name(str(inputs[name])) for name in BEHIND_PORTRAITS if name in inputs}
                run.references[photo.id] = [each for name, each in brought.items() if name not in others]
            filled, run.places = workflow.fill(fillings)
            return await self._backend.render(
                filled,
                # A new id for each attempt: ComfyUI's history would answer with the old one's result.
                prompt_id=str(uuid.uuid5(first.key, str(first.attempt))),
                timeout=self._settings.render_timeout,
                submitted=lambda: run.stamp("submitted_at"),
                asked=workflow.asked(fillings),
                pictures=pictures,
            )
        except asyncio.CancelledError:
            raise run.taken_back or WorkerStopped("the worker was stopped") from None
        except LacksWorkflow as error:
            if _of_photo(error, self._picker.workflows[run.workflow]):
                raise LacksFile(str(error), error.node_errors) from error
            raise
        finally:
            run.stamp("rendered_at")

    def _end(self, run: GraphRun, task: "asyncio.Task[Rendered]") -> None:
        self._runs.remove(run)
        self._idle_since = time.monotonic()
        self._free_at = self._idle_since + sum(other.seconds for other in self._runs)
        self._state.idle_since = None if self._runs else self._idle_since
        self._ended.set()
        error = task.exception()
        size = len(run.photos)
        if error:
            self._learn_from(error, run)
        if error or run.workflow not in self._picker.workflows:
            return
        seconds = task.result().seconds or run.lasted()
        self._last_seconds = seconds
        metrics.RENDER_SECONDS.labels(run.workflow).observe(seconds)
        learn = self._picker.costs.swapped if run.swaps else self._picker.costs.measured
        learn(run.kind, size, seconds)
        known = self._state.photo_seconds or seconds / size
        self._state.photo_seconds = known + NEWEST * (seconds / size - known)
        log.info("graph.rendered", photos=size, seconds=round(seconds, 3), swap=run.swaps)

    def _learn_from(self, error: BaseException, run: GraphRun) -> None:
        """What a graph that came to nothing says of this worker."""
        size = len(run.photos)
        match error:
            case RenderFailed() if "OutOfMemory" in error.exception_type and size > 1:
                self._picker.costs.out_of_memory(run.kind, size)
            case RenderFailed() | RenderTimeout() | RenderStalled():
                self._watchdog.failed([photo.id for photo in run.photos], str(error))
            case LacksWorkflow():
                self._state.lack(run.workflow, f"{run.workflow}: {error.told()}")
                log.warning("worker.cannot_render", workflow=run.workflow, why=error.told())
            case ComfyUISick() if run.taken_back is None:
                self._watchdog.doubt(str(error), restart=True)
            case ComfyUIUnreachable() if not run.was_accepted:
                # It answers, and takes no graphs: the watchdog's own look would find it well.
                self._watchdog.doubt(str(error), pause=error.pause)


def _of_photo(error: LacksWorkflow, workflow: Workflow) -> bool:
    """Whether what is missing is a file that the photo brought."""
    named = (
        f"{node.partition('_')[0]}.{(problem.get('extra_info') or {}).get('input_name')}"
        for node, report in error.node_errors.items()
        for problem in report.get("errors", [])
    )
    return any(map(workflow.is_filled, named))


def _waited(photo: Photo) -> float:
    """Seconds for which it could have been begun with."""
    since = max(photo.queued_at, photo.not_before)
    return max(0.0, (photo.claimed_at - since).total_seconds()) if photo.claimed_at else 0.0


def _filling(photo: Photo, inputs: Mapping[str, str | float]) -> Filling:
    """What this attempt puts into the graph.

    Each attempt has its own seed and file: ComfyUI would answer the same graph from its cache, with the very
    picture that was bad.
    """
    stricter, never = (f"{STRICTER}, ", f"{STRICTLY_NOT}, ") if photo.stricter else ("", "")
    return Filling(
        prompt=stricter + photo.prompt,
        negative_prompt=never + photo.negative_prompt,
        seed=photo.seed + photo.attempt - 1,
        inputs=inputs,
        orientation=photo.orientation,
        filename_prefix=f"vitte/{photo.key}-{photo.attempt}",
    )
