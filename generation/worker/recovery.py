"""Finds rows that nobody works on any more, and puts them back or says so. Runs as an arq cron job.

PostgreSQL is the truth: a job that Redis lost, a worker that died and a message that Telegram did not
take all show as rows, and each finding below is one indexed query over rows that are not delivered.

The statuses in its queries are spelled as text, so that the planner sees the constants of the partial indexes.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog
from aiogram import Bot
from arq import ArqRedis
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from generation import worker_registry
from generation.delivery.delivery import Delivery
from generation.models import Photo, PhotoStatus
from generation.orders import jobs, lifecycle, queue
from generation.orders.retention import PhotoRetention
from generation.runtime.database import Database, database_now
from generation.settings import Settings

log = structlog.get_logger(__name__)

#: Rows looked at in one sweep; the next one comes within seconds.
BATCH = 200
#: Photos at the head of the queue that get a job under a new id. A dead worker's job keeps its id, and with it the
#: photo's ordinary job, away until arq's time limit; one job is enough to make a worker serve the whole queue.
NEW_JOB_IDS = 1
#: Seconds between two rounds in which what is old is let go.
RETENTION_EVERY = 600.0
#: People told at once, each within a request's time limit.
TELL_AT_ONCE = 20


class Recovery:
    """Built by the worker; any number may sweep at the same time."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        redis: ArqRedis,
        bot: Bot,
        *,
        every: float,
        judges_until: Callable[[datetime], datetime | None],
    ) -> None:
        """`every`: seconds between two sweeps; `judges_until`: as `Contact` has it."""
        self._judges_until = judges_until
        self._settings = settings
        self._every = every
        self._database = database
        self._redis = redis
        self._delivery = Delivery(database, bot, lease=settings.lease)
        self._retention, self._kept_at = PhotoRetention(settings), float("-inf")

    async def sweep(self) -> None:
        """One round: abandoned rows, photos that nobody took, scenes that are over, words that were not said."""
        for photo in await self._release_abandoned():
            await self._announce(photo)
        for position, photo in enumerate(await self._waiting()):
            if not await self._announce(photo, afresh=position < NEW_JOB_IDS):
                break  # Redis is away; the next sweep announces them
        await self._announce_overflow()
        async with self._database.autocommit() as session:
            await worker_registry.forget_silent(session)
        await self._say_what_became()
        if time.monotonic() - self._kept_at > RETENTION_EVERY:
            self._kept_at = time.monotonic()
            await self._retention.round(self._database)

    async def sweep_without_redis(self, deliver: Callable[[int], Awaitable[None]]) -> None:
        """The same round while no job can be enqueued: stored photos are delivered from here."""
        for photo in await self._release_abandoned():
            if photo.status is PhotoStatus.STORED:
                await deliver(photo.id)
        await self._say_what_became()

    async def _say_what_became(self) -> None:
        for photo in await self._too_late():
            await self._delivery.too_late(photo)
        await asyncio.gather(*(self._delivery.tell(photo) for photo in await self._untold()))

    async def _release_abandoned(self) -> list[Photo]:
        """Photos whose worker no longer says that it is alive; those that need a job again."""
        async with self._database.unit() as session:
            until = self._judges_until(await database_now(session))
            if until is None:
                return []
            abandoned = (
                await session.scalars(
                    select(Photo)
                    .where(text("status IN ('rendering', 'stored', 'sending')"))
                    .where((Photo.lease_until < until) | Photo.lease_until.is_(None))
                    .limit(BATCH)
                    .with_for_update(skip_locked=True)
                )
            ).all()
            return [photo for photo in abandoned if await self._release(session, photo)]

    async def _release(self, session: AsyncSession, photo: Photo) -> bool:
        log.warning("photo.abandoned", photo_id=photo.id, status=photo.status, worker=photo.worker)
        if photo.status is PhotoStatus.STORED and photo.error:
            # Telegram wanted a pause, or S3 was away: its worker lives.
            return True
        if photo.status is PhotoStatus.SENDING:
            # It may have arrived: never sent again by itself, the person is asked (see `_untold`).
            await lifecycle.move(session, photo, PhotoStatus.UNCONFIRMED, error="the worker died while sending")
            return False
        # It counts, so that a photo that kills its worker each time comes to an end. Of a batch nobody knows which
        # one it was, so each goes on alone and unblamed.
        stored = photo.status is PhotoStatus.STORED
        failures = photo.failures + (stored or (photo.batch_size or 1) == 1)
        if failures >= self._settings.photo_attempts:
            await lifecycle.move(session, photo, PhotoStatus.FAILED, failures=failures, error="the worker died")
            return False
        if stored:
            # The original is there; only its delivery is tried again.
            await lifecycle.count_failure(session, photo)
        else:
            await lifecycle.move(
                session, photo, PhotoStatus.QUEUED, failures=failures, alone=True, error="the worker died"
            )
        return True

    async def _waiting(self) -> list[Photo]:
        """Photos whose time has come and that nobody took since the sweep before; a second job does no harm."""
        async with self._database.autocommit() as session:
            waiting = await session.scalars(
                select(Photo)
                .where(text("status = 'queued'"), Photo.not_before < func.now() - timedelta(seconds=self._every))
                .order_by(Photo.rank_at, Photo.id)
                .limit(BATCH)
            )
            return list(waiting)

    async def _too_late(self) -> list[Photo]:
        """Photos whose scene was over before a GPU began with them."""
        async with self._database.autocommit() as session:
            late = await session.scalars(
                select(Photo).where(text("status = 'queued'"), Photo.expires_at <= func.now()).limit(TELL_AT_ONCE)
            )
            return list(late)

    async def _announce_overflow(self) -> None:
        """Wake the overflow workers while more photos wait than the GPUs of our own should have to make."""
        async with self._database.autocommit() as session:
            takes = await queue.overflow(session, depth=self._settings.overflow_depth, lease=self._settings.lease)
        if takes != "nothing":
            await jobs.enqueue_overflow(self._redis, f"{self._settings.arq_queue}:overflow")

    async def _untold(self) -> list[Photo]:
        """Failed and doubtful photos whose person has not been told."""
        async with self._database.autocommit() as session:
            found = await session.scalars(
                select(Photo)
                .where(text("status IN ('failed', 'unconfirmed')"))
                .where(Photo.told_at.is_(None), Photo.not_before <= func.now())
                .order_by(Photo.id)
                .limit(TELL_AT_ONCE)
            )
            return list(found)

    async def _announce(self, photo: Photo, *, afresh: bool = False) -> bool:
        if photo.status is PhotoStatus.STORED:
            return await jobs.enqueue_delivery(self._redis, photo)
        return await jobs.enqueue_render(
            self._redis, photo, premium_head_start=self._settings.premium_head_start, afresh=afresh
        )
