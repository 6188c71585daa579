"""From a stored photo to a message in the chat, and the words for a photo that did not make it.

Telegram has no idempotent send. So the row says `sending` before the request and `delivered` after it; a
request without an answer ends as `unconfirmed`, is never repeated by itself, and the person is asked
(docs/decisions/0003-at-most-once-photos.md).
"""

import asyncio
from datetime import timedelta
from typing import Any

import structlog
from aiogram import Bot
from sqlalchemy import case, func, update
from sqlalchemy.ext.asyncio import AsyncSession

from generation import metrics
from generation.delivery import messages
from generation.errors import ShowsTooMuch
from generation.figures import STAGES
from generation.models import DROPPED_BY_OPERATOR, TOO_LATE, Photo, PhotoStatus
from generation.orders import lifecycle
from generation.orders.placing import PhotoWords
from generation.runtime import database, telegram
from generation.runtime.database import Database

log = structlog.get_logger(__name__)

#: Sends of one photo in a row before it is left to the recovery.
SENDS = 5
#: Longest pause, in seconds, that a worker waits with a photo in its hands.
LONGEST_PAUSE = 10
#: Seconds for which words are reserved while they are said; longer than the request may take.
TELLING = 30
#: After so long a time without a clear answer nobody tries any more to say what became of a photo.
GIVE_UP_TELLING = timedelta(minutes=10)


class Delivery:
    """Sends photos and words about photos. Lives as long as the worker."""

    def __init__(self, database: Database, bot: Bot, *, lease: float) -> None:
        self._database = database
        self._bot = bot
        self._lease = lease

    async def deliver(self, photo: Photo, jpeg: bytes) -> None:
        """Send a stored photo, obeying Telegram's pauses, and write down what became of it."""
        for _ in range(SENDS):
            if await self._is_over(photo):
                await self.too_late(photo)
                return
            if not await self._move(photo, PhotoStatus.SENDING, lease=self._lease):
                log.warning("photo.lost_to_another_worker")
                return
            outcome = await messages.send_photo(self._bot, photo, jpeg)
            if not isinstance(outcome, telegram.NotTaken):
                await self._end(photo, outcome)
                return
            log.warning("photo.not_taken", why=outcome.why, pause=outcome.pause)
            # After a long pause nobody holds it: when its lease ends, the recovery has it delivered.
            long = outcome.pause > LONGEST_PAUSE
            lease = outcome.pause if long else self._lease
            if not await self._move(photo, PhotoStatus.STORED, lease=lease, error=outcome.why) or long:
                return
            await asyncio.sleep(outcome.pause)

    async def _end(self, photo: Photo, outcome: telegram.Sent | telegram.Refused | telegram.Unknown) -> None:
        match outcome:
            case telegram.Sent(message_id, file_id):
                await self._delivered(photo, message_id, file_id)
            case telegram.Refused(why, reachable):
                log.warning("photo.refused", why=why)
                await self.give_up(photo, why, reachable=reachable)
            case telegram.Unknown(why):
                log.warning("photo.unconfirmed", why=why)
                if await self._move(photo, PhotoStatus.UNCONFIRMED, error=why):
                    await self.tell(photo)

    async def give_up(self, photo: Photo, why: str, *, reachable: bool = True, **values: Any) -> None:
        """End a photo as failed, with words if the person can be reached at all."""
        if not reachable:
            values["told_at"] = func.now()
        if await self._move(photo, PhotoStatus.FAILED, error=why, **values) and reachable:
            await self.tell(photo)

    async def too_late(self, photo: Photo) -> None:
        """End a photo whose scene is over: with words when somebody waits for it, quietly otherwise."""
        why = DROPPED_BY_OPERATOR if photo.error == DROPPED_BY_OPERATOR else TOO_LATE
        log.warning("photo.too_late", photo_id=photo.id, requested=photo.requested, why=why)
        if photo.requested or PhotoWords.of(photo.words).owed:
            await self.give_up(photo, why)
        else:
            await self._move(photo, PhotoStatus.DROPPED, error=why)

    async def tell(self, photo: Photo) -> None:
        """Say what became of a photo that failed or may have been lost.

        Whoever reserves it says it. Words without an answer are said again after a while: a repeated sentence is
        better than silence (docs/decisions/0003-at-most-once-photos.md).
        """
        words = PhotoWords.of(photo.words)
        text, button = words.failed, None
        if photo.error in {TOO_LATE, DROPPED_BY_OPERATOR} and words.too_late:
            text = words.too_late
        if lifecycle.reason_of(photo.error or "") == ShowsTooMuch.__name__ and words.unfit:
            text = words.unfit
        if photo.status is PhotoStatus.UNCONFIRMED:
            text, button = words.unconfirmed, (words.send_again, words.send_again_data)
        if not await self._reserve(photo):
            return
        # No words: somebody else says it, as one candidate face does for all of them.
        outcome = await messages.tell(self._bot, photo, text, button=button) if text else None
        # A shutdown that comes now must not lead to saying it twice.
        await asyncio.shield(self._note_telling(photo, outcome))

    async def _note_telling(self, photo: Photo, outcome: telegram.Outcome | None) -> None:
        match outcome:
            case telegram.NotTaken(pause, why):
                log.warning("photo.untold", why=why, pause=pause)
                await self._database.run_with_retry(lambda session: self._later(session, photo, pause))
            case telegram.Unknown(why):
                log.warning("photo.perhaps_untold", why=why)
                await self._database.run_with_retry(lambda session: self._again(session, photo))
            case _:
                await self._database.run_with_retry(lambda session: self._told(session, photo))

    async def _delivered(self, photo: Photo, message_id: int, file_id: str) -> None:
        values: dict[str, Any] = {"telegram_message_id": message_id, "file_id": file_id, "error": None}
        moved = await self._move(photo, PhotoStatus.DELIVERED, **values)
        if not moved:
            # PostgreSQL was away for longer than the lease, and the recovery took it for lost.
            lifecycle.deem(photo, PhotoStatus.UNCONFIRMED)
            moved = await self._move(photo, PhotoStatus.DELIVERED, **values)
        if moved and photo.delivered_at:
            seconds = (photo.delivered_at - photo.queued_at).total_seconds()
            log.info("photo.delivered", seconds=round(seconds, 3))
            _count(photo)

    async def _move(self, photo: Photo, to: PhotoStatus, *, lease: float | None = None, **values: Any) -> bool:
        return await lifecycle.move_with_retry(self._database, photo, to, lease=lease, **values)

    async def _is_over(self, photo: Photo) -> bool:
        if photo.expires_at is None:
            return False
        return await self._database.run_with_retry(lambda session: database.is_past(session, photo.expires_at))

    async def _reserve(self, photo: Photo) -> bool:
        """For as long as saying it may take; a worker that is killed meanwhile leaves it to a later sweep."""
        async with self._database.unit() as session:
            reserved = await session.execute(
                update(Photo)
                .where(Photo.id == photo.id, Photo.told_at.is_(None), Photo.not_before <= func.clock_timestamp())
                .values(not_before=database.in_seconds(TELLING))
                .returning(Photo.id)
            )
            return reserved.scalar_one_or_none() is not None

    async def _told(self, session: AsyncSession, photo: Photo) -> None:
        await session.execute(update(Photo).where(Photo.id == photo.id).values(told_at=func.now()))

    async def _later(self, session: AsyncSession, photo: Photo, pause: float) -> None:
        values = {"not_before": database.in_seconds(pause)}
        await session.execute(update(Photo).where(Photo.id == photo.id, Photo.told_at.is_(None)).values(**values))

    async def _again(self, session: AsyncSession, photo: Photo) -> None:
        """After as long as it has been silent already, so about five times; then it counts as said."""
        silent = func.clock_timestamp() - func.coalesce(Photo.failed_at, Photo.sending_at, Photo.queued_at)
        await session.execute(
            update(Photo)
            .where(Photo.id == photo.id, Photo.told_at.is_(None))
            .values(
                not_before=func.clock_timestamp() + func.greatest(silent, timedelta(seconds=TELLING)),
                told_at=case((silent > GIVE_UP_TELLING, func.now()), else_=None),
            )
        )


def _count(photo: Photo) -> None:
    """How long each stage took, for Prometheus."""
    for stage, (begin, end) in STAGES.items():
        began, ended = getattr(photo, begin), getattr(photo, end)
        if began and ended:
            metrics.STAGE_SECONDS.labels(stage).observe(max(0.0, (ended - began).total_seconds()))
