"""From a stored photo to a message in the chat, and the words for a photo that did not make it.

Telegram has no idempotent send. So the row says `sending` before the request and `delivered` after it; a
request without an answer ends as `unconfirmed`, is never repeated by itself, and the person is asked
(docs/decisions/0003-at-most-once-photos.md).
"""

import asyncio

import structlog
from aiogram import Bot
from sqlalchemy import func, update

from generation import status, telegram
from generation.database import Database
from generation.models import Photo, PhotoStatus
from generation.orders import PhotoWords

log = structlog.get_logger(__name__)

#: Sends of one photo in a row before it is left to the sweeper.
SENDS = 5
#: Longest pause, in seconds, that a worker waits with a photo in its hands.
LONGEST_PAUSE = 10


class Delivery:
    """Sends photos and words about photos. Lives as long as the worker."""

    def __init__(self, database: Database, bot: Bot, *, lease: float) -> None:
        self._database = database
        self._bot = bot
        self._lease = lease

    async def deliver(self, photo: Photo, jpeg: bytes) -> None:
        """Send a stored photo, obeying Telegram's pauses, and write down what became of it."""
        for _ in range(SENDS):
            if not await self._move(photo, PhotoStatus.SENDING, lease=self._lease):
                log.warning("photo.lost_to_another_worker")
                return
            match await telegram.send_photo(self._bot, photo, jpeg):
                case telegram.Sent(message_id, file_id):
                    await self._delivered(photo, message_id, file_id)
                    return
                case telegram.NotTaken(pause, why):
                    log.warning("photo.not_taken", why=why, pause=pause)
                    if pause > LONGEST_PAUSE:
                        # Nobody holds it meanwhile: when this lease ends, the sweeper has it delivered.
                        await self._move(photo, PhotoStatus.STORED, lease=pause)
                        return
                    await self._move(photo, PhotoStatus.STORED, lease=self._lease)
                    await asyncio.sleep(pause)
                case telegram.Refused(why, reachable):
                    log.warning("photo.refused", why=why)
                    await self._refused(photo, why, reachable=reachable)
                    return
                case telegram.Unknown(why):
                    log.warning("photo.unconfirmed", why=why)
                    await self._move(photo, PhotoStatus.UNCONFIRMED, error=why)
                    await self.tell(photo)
                    return

    async def tell(self, photo: Photo) -> None:
        """Say once what became of a photo that failed or may have been lost; whoever writes `told_at` says it."""
        words = PhotoWords.of(photo.words)
        text, button = words.failed, None
        if photo.status is PhotoStatus.UNCONFIRMED:
            text, button = words.unconfirmed, (words.send_again, f"{words.send_again_data}:{photo.id}")
        if not await self._mark_told(photo, told=True):
            return
        outcome = await telegram.tell(self._bot, photo, text, button=button)
        if isinstance(outcome, telegram.NotTaken):
            log.warning("photo.untold", why=outcome.why)
            await self._mark_told(photo, told=False)

    async def _delivered(self, photo: Photo, message_id: int, file_id: str) -> None:
        moved = await self._move(
            photo, PhotoStatus.DELIVERED, telegram_message_id=message_id, file_id=file_id, error=None
        )
        if moved and photo.delivered_at:
            seconds = (photo.delivered_at - photo.queued_at).total_seconds()
            log.info("photo.delivered", seconds=round(seconds, 3))

    async def _refused(self, photo: Photo, why: str, *, reachable: bool) -> None:
        if reachable:
            await self._move(photo, PhotoStatus.FAILED, error=why)
            await self.tell(photo)
        else:
            await self._move(photo, PhotoStatus.FAILED, error=why, told_at=func.now())

    async def _move(self, photo: Photo, to: PhotoStatus, *, lease: float | None = None, **values: object) -> bool:
        async with self._database.unit() as session:
            return await status.move(session, photo, to, lease=lease, **values)

    async def _mark_told(self, photo: Photo, *, told: bool) -> bool:
        async with self._database.unit() as session:
            marked = await session.execute(
                update(Photo)
                .where(Photo.id == photo.id, Photo.told_at.is_(None) if told else Photo.told_at.is_not(None))
                .values(told_at=func.now() if told else None)
                .returning(Photo.id)
            )
            return marked.scalar_one_or_none() is not None
