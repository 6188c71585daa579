"""The stages of a photo on one worker: claimed, rendered, checked, stored, delivered.

Every stage may run twice, on this worker or another: the row says what is done, and its attempt number
says whose it is. The arq job lasts as long as the GPU works; what comes after runs beside the next render.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

import structlog
from aiogram import Bot
from arq import ArqRedis

from generation import doorbell, status, telegram
from generation.comfyui import ComfyUI, ImageFile
from generation.database import Database
from generation.delivery import Delivery
from generation.errors import (
    BadImage,
    GenerationError,
    GraphRejected,
    ObjectGone,
    RenderInterrupted,
    StorageUnavailable,
    WorkflowError,
)
from generation.image import Picture, develop, jpeg_of
from generation.models import Photo, PhotoStatus
from generation.settings import Settings
from generation.storage import Storage, object_key
from generation.workflow import Filling, Workflow

log = structlog.get_logger(__name__)

#: Photos in one worker's hands at once, from claim to chat; each holds a few megabytes.
IN_HAND_AT_ONCE = 16
#: Seconds before a photo is tried again after an outage that does not count against it.
OUTAGE_PAUSE = 3.0
#: Claims of one photo, whatever ended them.
MOST_CLAIMS = 12
#: Pauses between attempts to store an original, in seconds; a render is too dear to be thrown away at once.
STORE_PAUSES = (0.5, 1, 2, 4)


class WorkerStopped(GenerationError):
    """The worker is shutting down; another one makes the photo."""

    counts = False


class Pipeline:
    """One per worker process; built and closed by `generation.worker`."""

    def __init__(
        self,
        *,
        settings: Settings,
        worker: str,
        database: Database,
        redis: ArqRedis,
        comfyui: ComfyUI,
        storage: Storage,
        bot: Bot,
        workflows: dict[str, Workflow],
    ) -> None:
        self._settings = settings
        self._worker = worker
        self._database = database
        self._redis = redis
        self._comfyui = comfyui
        self._storage = storage
        self._bot = bot
        self._workflows = workflows
        self._delivery = Delivery(database, bot, lease=settings.lease)
        self._held: dict[int, int] = {}
        self._lives: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(IN_HAND_AT_ONCE)
        # Asked before the first photo, so that wrong keys show before a render is lost.
        self._storage_doubted = True

    async def ready(self) -> None:
        """Raise GenerationError while a service that every photo needs does not answer."""
        await self._comfyui.system_stats()
        if self._storage_doubted:
            await self._storage.check()
            self._storage_doubted = False

    async def render_next(self) -> None:
        """Claim the photo whose turn it is and return once the GPU is done with it, or at once if none waits."""
        async with AsyncExitStack() as place:
            await place.enter_async_context(self._places)
            async with self._database.unit() as session:
                photo = await status.claim(session, worker=self._worker, lease=self._settings.lease)
            if photo is None:
                return
            kept = place.pop_all()
        rendered = asyncio.Event()
        life = self._begin(self._live(photo, rendered, kept))
        try:
            await rendered.wait()
        except asyncio.CancelledError:
            life.cancel()
            await asyncio.wait({life})
            raise

    async def deliver_stored(self, photo_id: int) -> None:
        """Deliver a photo that is stored and that no living worker holds."""
        async with self._database.unit() as session:
            photo = await status.adopt(session, photo_id, worker=self._worker, lease=self._settings.lease)
        if photo is None or photo.object_key is None:
            return
        # Beside the job, like every delivery: Telegram's pauses must not keep the GPU's place.
        self._begin(self._deliver_stored(photo, photo.object_key))

    async def keep_alive(self) -> None:
        """Renew the leases of all photos in hand, for as long as the process lives."""
        while True:
            await asyncio.sleep(self._settings.lease / 3)
            if not self._held:
                continue
            try:
                async with self._database.unit() as session:
                    await status.keep_alive(session, self._held, lease=self._settings.lease)
            except Exception as error:  # PostgreSQL is away: a lease that runs out is legal
                log.warning("worker.leases_not_renewed", error=repr(error))

    async def finish(self, timeout: float) -> None:
        """At a shutdown, wait for the photos between ComfyUI and the chat, `timeout` seconds at most."""
        if self._lives:
            await asyncio.wait(self._lives, timeout=timeout)
        for life in self._lives:
            life.cancel()
        await asyncio.gather(*self._lives, return_exceptions=True)

    # -- one photo -------------------------------------------------------------------------------------

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Let a photo live on beside the arq job; `finish` waits for it."""
        life = asyncio.create_task(work)
        self._lives.add(life)
        life.add_done_callback(self._lives.discard)
        return life

    async def _live(self, photo: Photo, rendered: asyncio.Event, place: AsyncExitStack) -> None:
        """The outermost frame of a photo: whatever happens, its row is left in a legal state."""
        structlog.contextvars.bind_contextvars(photo_id=photo.id, attempt=photo.attempt)
        try:
            async with place:
                await self._make(photo, rendered)
        except Exception:
            # The lease runs out and the sweeper decides.
            log.exception("photo.crashed")
        finally:
            rendered.set()

    async def _make(self, photo: Photo, rendered: asyncio.Event) -> None:
        try:
            async with self._in_hand(photo):
                image, stamps = await self._render(photo)
                rendered.set()
                picture = await self._download(image)
                if await self._store(photo, picture, stamps):
                    await self._delivery.deliver(photo, picture.jpeg)
        except GenerationError as error:
            await self._give_back(photo, error)
        except asyncio.CancelledError:
            await self._give_back(photo, WorkerStopped("the worker was stopped"))
            raise

    async def _deliver_stored(self, photo: Photo, key: str) -> None:
        structlog.contextvars.bind_contextvars(photo_id=photo.id, attempt=photo.attempt)
        try:
            async with self._places, self._in_hand(photo):
                original = await self._storage.get(key)
                await self._delivery.deliver(photo, await asyncio.to_thread(jpeg_of, original))
        except (ObjectGone, BadImage) as error:
            await self._delivery.give_up(photo, str(error))
        except GenerationError as error:
            # The lease runs out and the sweeper rings again.
            log.warning("photo.not_deliverable", error=str(error))
        except Exception:
            log.exception("photo.crashed")

    async def _render(self, photo: Photo) -> tuple[ImageFile, dict[str, Any]]:
        claimed_at = photo.claimed_at
        started = time.monotonic()
        stamps: dict[str, Any] = {}

        def stamp(name: str) -> None:
            # PostgreSQL's clock plus what passed here: stages of one photo never mix two machines' clocks.
            stamps[name] = claimed_at and claimed_at + timedelta(seconds=time.monotonic() - started)

        log.info("photo.claimed", workflow=photo.workflow, premium=photo.premium, rule=photo.rule)
        workflow = self._workflow(photo.workflow)
        outputs = await self._comfyui.render(
            workflow.fill(_filling(photo)),
            # A new id for each attempt: ComfyUI's history would answer with the old one's result.
            prompt_id=str(uuid.uuid5(photo.key, str(photo.attempt))),
            timeout=self._settings.render_timeout,
            submitted=lambda: stamp("submitted_at"),
        )
        stamp("rendered_at")
        images = outputs.get(workflow.output)
        if not images:
            raise BadImage(f"output node {workflow.output} gave no image")
        return images[0], stamps

    async def _download(self, image: ImageFile) -> Picture:
        return await asyncio.to_thread(develop, await self._comfyui.view(image))

    async def _store(self, photo: Photo, picture: Picture, stamps: dict[str, Any]) -> bool:
        """Store the original and write that down; False when the photo is no longer ours."""
        key = object_key(photo.key, photo.queued_at)
        for pause in (*STORE_PAUSES, None):
            try:
                await self._storage.put(key, picture.original)
                break
            except StorageUnavailable as error:
                log.warning("photo.not_stored", error=str(error))
                self._storage_doubted = True
                if pause is None:
                    raise
                await asyncio.sleep(pause)
        async with self._database.unit() as session:
            return await status.move(
                session, photo, PhotoStatus.STORED, lease=self._settings.lease, object_key=key, **stamps
            )

    async def _give_back(self, photo: Photo, error: GenerationError) -> None:
        """Back into the queue, or failed with words when another attempt is not worth it."""
        if photo.status is not PhotoStatus.RENDERING:
            return
        failures = photo.failures + error.counts
        final = (
            not error.retryable
            or failures >= self._settings.photo_attempts
            # Outages do not count, but a photo that takes a service down each time must come to an end.
            or photo.attempt >= MOST_CLAIMS
        )
        pause = self._settings.photo_retry_pause * 3 ** (failures - 1) if error.counts else OUTAGE_PAUSE
        values: dict[str, Any] = {"failures": failures, "error": f"{type(error).__name__}: {error}"[:500]}
        if not final:
            values["not_before"] = status.in_seconds(pause)
        async with self._database.unit() as session:
            to = PhotoStatus.FAILED if final else PhotoStatus.QUEUED
            if not await status.move(session, photo, to, **values):
                return
        _log_failure(error, final=final, failures=failures)
        if final:
            await self._delivery.tell(photo)
        else:
            await doorbell.ring(
                self._redis, photo, premium_head_start=self._settings.premium_head_start, defer=pause
            )

    @asynccontextmanager
    async def _in_hand(self, photo: Photo) -> AsyncIterator[None]:
        """While the block runs, the lease is renewed and the person sees that a photo is on its way."""
        photo_id, attempt = photo.id, photo.attempt
        self._held[photo_id] = attempt
        try:
            async with telegram.showing(self._bot, photo.chat_id, "upload_photo"):
                yield
        finally:
            # A later attempt of the same photo may be in hand by now.
            if self._held.get(photo_id) == attempt:
                del self._held[photo_id]

    def _workflow(self, name: str) -> Workflow:
        try:
            return self._workflows[name]
        except KeyError:
            raise WorkflowError(f"there is no workflow {name!r}") from None


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


def _log_failure(error: GenerationError, *, final: bool, failures: int) -> None:
    details: dict[str, Any] = {"error": f"{type(error).__name__}: {error}", "failures": failures}
    if isinstance(error, GraphRejected):
        # ComfyUI's own words for each node, without `extra_info`, which repeats the values we sent.
        details["node_errors"] = {
            node: [f"{problem['type']}: {problem['details']}" for problem in report.get("errors", [])]
            for node, report in error.node_errors.items()
        }
    if final:
        log.error("photo.failed", **details)
    elif isinstance(error, WorkerStopped | RenderInterrupted):
        log.info("photo.put_back", **details)
    else:
        log.warning("photo.put_back", **details)
