"""The stages of a photo on one worker: claimed, rendered, checked, stored, delivered.

Every stage may run twice, on this worker or another: the row says what is done, and its attempt number
says whose it is. All of it runs beside the next render.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import structlog
from aiogram import Bot
from arq import ArqRedis
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_chain,
    wait_fixed,
)

from generation.backends.base import Backend
from generation.backends.comfyui_history import ImageFile
from generation.backends.watchdog import Watchdog
from generation.delivery.delivery import Delivery
from generation.delivery.image import Picture, develop, jpeg_of
from generation.delivery.picture_check import PictureCheck
from generation.errors import (
    BadImage,
    BrokenImage,
    ComfyUISick,
    GenerationError,
    GraphRejected,
    NoFace,
    ObjectGone,
    RenderInterrupted,
    ShowsTooMuch,
    StorageUnavailable,
    UnlikeHerself,
    WorkerStopped,
)
from generation.models import Photo, PhotoStatus
from generation.orders import jobs, lifecycle
from generation.runtime import telegram
from generation.runtime.database import Database, in_seconds
from generation.settings import Settings
from generation.storage import Storage, object_key
from generation.worker import retry
from generation.worker.rendering.graph_run import GraphRun
from generation.worker.state import WorkerState

log = structlog.get_logger(__name__)

#: Photos in one worker's hands at once, from claim to chat; each holds a few megabytes.
IN_HAND_AT_ONCE = 32
#: Pauses between attempts to store an original, in seconds; a render is too dear to be thrown away at once.
STORE_PAUSES = (0.5, 1, 2, 4, 8, 15)


class Pipeline:
    """One per worker process; built by `generation.worker.app`."""

    def __init__(
        self,
        *,
        settings: Settings,
        worker: str,
        state: WorkerState,
        database: Database,
        redis: ArqRedis,
        backend: Backend,
        storage: Storage,
        bot: Bot,
        picture_check: PictureCheck,
        watchdog: Watchdog,
    ) -> None:
        self._settings = settings
        self._worker = worker
        self._state = state
        self._database = database
        self._redis = redis
        self._backend = backend
        self._storage = storage
        self._bot = bot
        self._picture_check = picture_check
        self._watchdog = watchdog
        self._delivery = Delivery(database, bot, lease=settings.lease)
        #: Attempts in hand by photo id: what this worker renews the leases of.
        self.held: dict[int, int] = {}
        self._lives: set[asyncio.Task[None]] = set()
        self._let_go = asyncio.Event()

    def begin(self, graph: GraphRun) -> None:
        """Look after the photos of a graph that was just handed over, from here to their chats."""
        for photo in graph.photos:
            self.held[photo.id] = photo.attempt
            self._begin(self._live(photo, graph))

    async def room(self) -> None:
        """Wait while too many photos are between the GPU and their chats."""
        while len(self.held) >= IN_HAND_AT_ONCE:
            self._let_go.clear()
            await self._let_go.wait()

    async def deliver_stored(self, photo_id: int) -> None:
        """Deliver a photo that is stored and that no living worker holds."""
        await self.room()
        async with self._database.unit() as session:
            photo = await lifecycle.adopt(session, photo_id, worker=self._worker, lease=self._settings.lease)
        if photo is None or photo.object_key is None:
            return
        # Beside the job, like every delivery: Telegram's pauses must not keep the GPU's place.
        self._begin(self._deliver_stored(photo, photo.object_key))

    async def finish(self, timeout: float) -> None:
        """At a shutdown, wait for the photos between ComfyUI and the chat, `timeout` seconds at most."""
        if self._lives:
            await asyncio.wait(self._lives, timeout=timeout)
        for life in self._lives:
            life.cancel()
        await asyncio.gather(*self._lives, return_exceptions=True)

    # -- one photo -------------------------------------------------------------------------------------

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Let a photo live on by itself; `finish` waits for it."""
        life = asyncio.create_task(work)
        self._lives.add(life)
        life.add_done_callback(self._lives.discard)

    async def _live(self, photo: Photo, graph: GraphRun) -> None:
        """The outermost frame of a photo: whatever happens, its row is left in a legal state."""
        structlog.contextvars.bind_contextvars(photo_id=photo.id, attempt=photo.attempt, trace_id=photo.trace_id)
        log.info("photo.claimed", workflow=photo.workflow, premium=photo.premium, rule=photo.rule)
        try:
            async with self._in_hand(photo):
                await self._make(photo, graph)
        except Exception:
            # The lease runs out and the recovery decides.
            log.exception("photo.crashed")

    async def _make(self, photo: Photo, graph: GraphRun) -> None:
        in_batch = len(graph.photos) > 1
        try:
            try:
                image = await graph.image(photo)
            except GenerationError as error:
                await self._give_back(photo, error, in_batch=in_batch)
                return
            picture = await self._fetch(image)
            likeness = await self._picture_check.check(photo, picture.jpeg, graph.references.get(photo.id, ()))
            self._watchdog.succeeded()
            if await self._store(photo, picture, graph.stamps(photo) | {"face_likeness": likeness}):
                await self._delivery.deliver(photo, picture.jpeg)
        except BadImage as error:
            if not isinstance(error, ShowsTooMuch | NoFace | UnlikeHerself):
                self._watchdog.failed([photo.id], str(error))
            await self._give_back(photo, error)
        except GenerationError as error:
            await self._give_back(photo, error)
        except asyncio.CancelledError:
            await self._give_back(photo, WorkerStopped("the worker was stopped"))
            raise

    async def _fetch(self, image: ImageFile) -> Picture:
        try:
            return await asyncio.to_thread(develop, await self._backend.view(image))
        except BrokenImage:
            # The connection may have broken off; a second download is cheaper than a second render.
            return await asyncio.to_thread(develop, await self._backend.view(image))

    async def _deliver_stored(self, photo: Photo, key: str) -> None:
        structlog.contextvars.bind_contextvars(photo_id=photo.id, attempt=photo.attempt, trace_id=photo.trace_id)
        try:
            async with self._in_hand(photo):
                original = await self._storage.get(key)
                await self._delivery.deliver(photo, await asyncio.to_thread(jpeg_of, original))
        except (ObjectGone, BadImage) as error:
            await self._delivery.give_up(photo, f"{type(error).__name__}: {error}")
        except GenerationError as error:
            # The lease runs out and the recovery announces it again.
            log.warning("photo.not_deliverable", error=str(error))
            await self._database.run_with_retry(partial(lifecycle.note_error, photo=photo, why=str(error)))
        except Exception:
            log.exception("photo.crashed")

    async def _store(self, photo: Photo, picture: Picture, stamps: dict[str, Any]) -> bool:
        """Store the original and write that down; False when the photo is no longer ours."""
        key = object_key(photo.key, photo.queued_at)
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(StorageUnavailable),
            stop=stop_after_attempt(len(STORE_PAUSES) + 1),
            wait=wait_chain(*map(wait_fixed, STORE_PAUSES)),
            after=self._not_stored,
            reraise=True,
        ):
            with attempt:
                await self._storage.put(key, picture.original)
        return await lifecycle.move_with_retry(
            self._database, photo, PhotoStatus.STORED, lease=self._settings.lease, object_key=key, **stamps
        )

    def _not_stored(self, attempt: RetryCallState) -> None:
        log.warning("photo.not_stored", error=str(attempt.outcome.exception() if attempt.outcome else ""))
        self._watchdog.doubt_storage()

    async def _give_back(self, photo: Photo, error: GenerationError, *, in_batch: bool = False) -> None:
        """Back into the queue, or failed with words when another attempt is not worth it (`retry.after`)."""
        if photo.status is not PhotoStatus.RENDERING:
            return
        attempt = retry.Attempt(number=photo.attempt, failures=photo.failures, alone=photo.alone, in_batch=in_batch)
        decided = retry.after(
            error,
            attempt,
            failures_allowed=self._settings.photo_attempts,
            first_pause=self._settings.photo_retry_pause,
        )
        _log_failure(error, decided)
        if decided.error and not isinstance(error, WorkerStopped):
            self._state.note_error(decided.error)
        if isinstance(decided, retry.GiveUp):
            await self._delivery.give_up(photo, decided.error, failures=decided.failures)
        else:
            await self._put_back(photo, decided, stricter=photo.stricter or isinstance(error, ShowsTooMuch))

    async def _put_back(self, photo: Photo, decided: retry.PutBack, *, stricter: bool) -> None:
        values: dict[str, Any] = {"error": decided.error} if decided.error else {}
        moved = await lifecycle.move_with_retry(
            self._database,
            photo,
            PhotoStatus.QUEUED,
            failures=decided.failures,
            not_before=in_seconds(decided.pause),
            alone=decided.alone,
            stricter=stricter,
            **values,
        )
        if moved:
            await jobs.enqueue_render(
                self._redis, photo, premium_head_start=self._settings.premium_head_start, defer=decided.pause
            )

    @asynccontextmanager
    async def _in_hand(self, photo: Photo) -> AsyncIterator[None]:
        """While the block runs, the lease is renewed and the person sees that a photo is on its way."""
        photo_id, attempt = photo.id, photo.attempt
        self.held[photo_id] = attempt
        try:
            async with telegram.showing(self._bot, photo.chat_id, "upload_photo"):
                yield
        finally:
            # A later attempt of the same photo may be in hand by now.
            if self.held.get(photo_id) == attempt:
                del self.held[photo_id]
            self._let_go.set()


def _log_failure(error: GenerationError, decided: retry.PutBack | retry.GiveUp) -> None:
    details: dict[str, Any] = {"error": f"{type(error).__name__}: {error}", "failures": decided.failures}
    if isinstance(error, GraphRejected):
        # ComfyUI's own words for each node, without `extra_info`, which repeats the values we sent.
        details["node_errors"] = {
            node: [f"{problem['type']}: {problem['details']}" for problem in report.get("errors", [])]
            for node, report in error.node_errors.items()
        }
    if isinstance(decided, retry.GiveUp):
        log.error("photo.failed", **details)
    elif decided.error is None:
        log.warning("batch.split", **details)
    elif isinstance(error, WorkerStopped | RenderInterrupted | ComfyUISick):
        log.info("photo.put_back", **details)
    else:
        log.warning("photo.put_back", **details)
