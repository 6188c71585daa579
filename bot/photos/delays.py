"""A photo that was asked for and is not there soon: its person hears of it, and nobody waits before silence."""

from dataclasses import dataclass

import structlog
from aiogram import Bot
from aiogram.exceptions import ClientDecodeError, TelegramAPIError
from sqlalchemy import func, select, text, update

from bot.models import Person
from bot.photos import wait_texts
from bot.photos.buttons import waiting_buttons
from bot.settings import Settings
from bot.texts import Texts
from generation.models import Photo, PhotoStatus
from generation.orders import queue
from generation.runtime import operator_switches
from generation.runtime.database import Database, in_seconds

log = structlog.get_logger(__name__)

#: Seconds after which a photo that was asked for takes long, and between two looks.
LONG, EVERY = 25.0, 5.0
#: People told by one look.
AT_ONCE = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Delays:
    """One per process, built by `bot.app`; several never tell the same person twice."""

    settings: Settings
    database: Database
    bot: Bot
    texts: Texts

    async def look(self) -> None:
        """Tell everybody once whose photo has been on its way for too long."""
        for photo in await self._claimed():
            await self._tell(photo)

    async def _claimed(self) -> list[Photo]:
        """The oldest late photo of each person; the others of that person count as told of with it."""
        # Spelled as text so that the planner sees the constants of the partial index.
        late = (
            text("status IN ('queued', 'rendering', 'stored', 'sending')"),
            Photo.status.in_((PhotoStatus.QUEUED, PhotoStatus.RENDERING)),
            Photo.requested.is_(True),
            Photo.wait_told_at.is_(None),
            Photo.queued_at < in_seconds(-LONG),
        )
        async with self.database.unit() as session:
            if (await operator_switches.read(session)).maintenance_since:
                return []
            owners = select(Photo.owner_id).where(*late).distinct().limit(AT_ONCE)
            told = (
                update(Photo)
                .where(*late, Photo.owner_id.in_(owners))
                .values(wait_told_at=func.now())
                .returning(Photo)
            )
            photos = sorted(await session.scalars(told), key=lambda photo: photo.id, reverse=True)
        return list({photo.owner_id: photo for photo in photos}.values())

    async def _tell(self, photo: Photo) -> None:
        async with self.database.autocommit() as session:
            person = await session.get(Person, photo.owner_id)
            if person is None or person.blocked_at is not None:
                return
            wait = await queue.expected_wait(session, lease=self.settings.lease, before=photo.rank_at)
            place = await queue.ahead(session, photo) + 1
        say = self.texts.in_locale(person.locale)
        words = wait_texts.still(say, wait, place)
        try:
            await self.bot.send_message(
                photo.chat_id,
                words,
                message_thread_id=photo.thread_id,
                reply_markup=waiting_buttons(say, photo.id),
            )
        except (TelegramAPIError, ClientDecodeError) as error:
            # The photo or its end will be told all the same.
            log.warning("delay.not_told", error=type(error).__name__, photo_id=photo.id)
            return
        log.info("photo.delay_told", photo_id=photo.id)
