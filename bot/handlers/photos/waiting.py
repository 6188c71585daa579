"""Buttons while a photo is made: cancel, how long, and send again what may have got lost."""

from aiogram import Router
from aiogram.types import CallbackQuery
from arq import ArqRedis

from bot.models import Person
from bot.photos import wait_texts
from bot.photos.orders import ON_THE_WAY, own_photo
from bot.settings import Settings
from bot.telegram.callbacks import Cancel, HowLong, SendAgain
from bot.telegram.messages import acknowledge, replace_buttons, replace_text
from bot.texts import Say
from generation.models import PhotoStatus
from generation.orders import jobs, lifecycle, placing, queue
from generation.runtime.database import Database


def build_router() -> Router:
    """Buttons for a photo on its way, and for one whose delivery is doubtful."""
    router = Router(name="waiting")
    router.callback_query.register(send_again, SendAgain.filter())
    router.callback_query.register(cancel, Cancel.filter())
    router.callback_query.register(how_long, HowLong.filter())
    return router


async def send_again(
    query: CallbackQuery, callback_data: SendAgain, person: Person, say: Say, database: Database, redis: ArqRedis
) -> None:
    """The person did not see a photo whose delivery was doubtful; a second press finds it on its way."""
    async with database.unit() as session:
        photo = await own_photo(session, person, callback_data.photo_id)
        doubtful = photo is not None and photo.status is PhotoStatus.UNCONFIRMED
        # The person wants it now, however old its scene is.
        if photo and not (
            doubtful and await lifecycle.move(session, photo, PhotoStatus.STORED, told_at=None, expires_at=None)
        ):
            photo = None
    if photo is None:
        await acknowledge(query, say("stale-button"))
        return
    await jobs.enqueue_delivery(redis, photo)
    await acknowledge(query, say("photo-sending-again"))


async def cancel(query: CallbackQuery, callback_data: Cancel, person: Person, say: Say, database: Database) -> None:
    """Drop a photo that no GPU has begun with; it does not count for the day."""
    async with database.unit() as session:
        cancelled = await placing.cancel(session, callback_data.photo_id, owner_id=person.id)
        photo = await own_photo(session, person, callback_data.photo_id)
    being_made = photo is not None and photo.status in ON_THE_WAY
    otherwise = say("photo-being-made" if being_made else "stale-button")
    await acknowledge(query, say("photo-cancelled") if cancelled else otherwise)
    if cancelled:
        await replace_text(query, say("photo-cancelled"))
    else:
        await replace_buttons(query, None)


async def how_long(
    query: CallbackQuery, callback_data: HowLong, person: Person, say: Say, database: Database, settings: Settings
) -> None:
    """The wait for a photo that is on its way, as the queue stands now."""
    async with database.unit() as session:
        photo = await own_photo(session, person, callback_data.photo_id)
        waits_still = photo is not None and photo.status is PhotoStatus.QUEUED
        if photo and waits_still:
            wait = await queue.expected_wait(session, lease=settings.lease, before=photo.rank_at)
            place = await queue.ahead(session, photo) + 1
    if not waits_still:
        on_its_way = photo is not None and photo.status in ON_THE_WAY
        await acknowledge(query, say("photo-being-made" if on_its_way else "stale-button"))
        await replace_buttons(query, None)
        return
    await acknowledge(query, wait_texts.ahead(say, wait, place) or say("photo-any-moment"))
