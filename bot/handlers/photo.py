"""Buttons under photos."""

from aiogram import Router
from aiogram.types import CallbackQuery
from arq import ArqRedis
from sqlalchemy.ext.asyncio import AsyncSession

from bot.handlers.filters import SendAgain
from bot.models import Person
from bot.sending import acknowledge
from bot.texts import Say
from generation import doorbell, status
from generation.database import Database
from generation.models import Photo, PhotoStatus


def build_router() -> Router:
    router = Router(name="photo")
    router.callback_query.register(send_again, SendAgain.filter())
    return router


async def _wanted_again(session: AsyncSession, photo: Photo) -> bool:
    # The person wants it now, however old its scene is.
    return await status.move(session, photo, PhotoStatus.STORED, told_at=None, expires_at=None)


async def send_again(
    query: CallbackQuery,
    callback_data: SendAgain,
    person: Person,
    say: Say,
    database: Database,
    redis: ArqRedis,
) -> None:
    """The person did not see a photo whose delivery was doubtful; a second press finds it on its way."""
    async with database.unit() as session:
        photo = await session.get(Photo, callback_data.photo_id)
        doubtful = photo and photo.owner_id == person.id and photo.status is PhotoStatus.UNCONFIRMED
        if not photo or not doubtful or not await _wanted_again(session, photo):
            photo = None
    if photo is None:
        await acknowledge(query, say("stale-button"))
        return
    await doorbell.ring_delivery(redis, photo)
    await acknowledge(query, say("photo-sending-again"))
