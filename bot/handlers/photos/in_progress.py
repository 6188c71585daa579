"""Buttons while a photo is made (cancel, how long) and for one more of it (again, another)."""

from dataclasses import replace

from aiogram import Router
from aiogram.types import CallbackQuery
from arq import ArqRedis
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.accounts.photo_quota import mark_noticed
from bot.models import Dialogue, Person
from bot.personas.catalog import PersonaCatalog
from bot.photos import orders, wait_texts
from bot.photos.orders import own_moment, own_photo
from bot.photos.service import PhotoService
from bot.settings import Settings
from bot.telegram.callbacks import Another, Cancel, HowLong, Retake, SendAgain
from bot.telegram.messages import acknowledge, replace_buttons, replace_text
from bot.texts import Say
from generation.models import Photo, PhotoStatus
from generation.orders import jobs, lifecycle, placing, queue
from generation.runtime.database import Database
from triggers import Decision, Kind

#: Takes of one photo; the day's limit ends it far earlier.
MOST_TAKES = 100
ON_THE_WAY = (PhotoStatus.QUEUED, PhotoStatus.RENDERING, PhotoStatus.STORED, PhotoStatus.SENDING)


def build_router() -> Router:
    """Buttons for a photo on its way, and for one more of it."""
    router = Router(name="photo")
    router.callback_query.register(send_again, SendAgain.filter())
    router.callback_query.register(another, Another.filter())
    router.callback_query.register(another, Retake.filter())
    router.callback_query.register(cancel, Cancel.filter())
    router.callback_query.register(how_long, HowLong.filter())
    return router


# -- on its way ----------------------------------------------------------------------------------------


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


# -- once more -----------------------------------------------------------------------------------------


async def another(
    query: CallbackQuery,
    callback_data: Another | Retake,
    person: Person,
    say: Say,
    database: Database,
    redis: ArqRedis,
    photos: PhotoService,
    catalog: PersonaCatalog,
    settings: Settings,
) -> None:
    """The same moment once more, or as another camera sees it; pressed twice meanwhile, it comes once."""
    same_camera = isinstance(callback_data, Retake)
    async with database.unit() as session:
        wish = await _another_take(
            session, person, callback_data.photo_id, catalog, settings, same_camera=same_camera
        )
        words = "" if wish else say("stale-button")
    if wish is not None:
        words = await photos.refusal(person, wish.persona, wish.story, wish.scene, say)
    photo = None
    if wish is not None and not words:
        async with database.unit() as session:
            await mark_noticed(session, person.id)
            photo = await session.scalar(select(Photo).where(Photo.dedup_key == wish.cause))
            if photo is None and (obstacle := await photos.obstacle(session, person, say)):
                words = obstacle.words
            elif photo is None:
                wish = replace(wish, from_pack=await photos.from_pack(session, person))
                photo, words = await photos.place(session, wish, say)
    await acknowledge(query, words or say("photo-another-coming"), alert=bool(words))
    if photo is not None:
        await jobs.enqueue_render(redis, photo, premium_head_start=settings.premium_head_start)


async def _another_take(
    session: AsyncSession,
    person: Person,
    photo_id: int,
    catalog: PersonaCatalog,
    settings: Settings,
    *,
    same_camera: bool,
) -> orders.Wish | None:
    moment = await own_moment(session, person, photo_id)
    if moment is None or not moment.scene:
        return None
    before = await session.get_one(Photo, photo_id)
    dialogue = await session.get_one(Dialogue, moment.dialogue_id)
    persona = await catalog.find(session, dialogue.persona, person.id)
    if persona is None:
        return None
    now = (await session.execute(select(func.now()))).scalar_one()
    kind = "retake" if same_camera else "another"
    ended = await _ended_takes(session, f"{kind}:{photo_id}")
    scene = orders.once_more(moment, further=ended) if same_camera else orders.other_take(moment, further=ended)
    return orders.Wish(
        person=person,
        premium=person.is_premium(now, settings.premium_ids),
        dialogue_id=dialogue.id,
        story=moment.story,
        persona=persona,
        scene=scene,
        decision=Decision(Kind.REQUESTED, kind, "the person wanted another take"),
        cause=f"{kind}:{photo_id}:{ended}",
        chat_id=before.chat_id,
        reply_to_message_id=before.reply_to_message_id,
        take=moment.take + 1 + ended,
        after_words=False,
    )


async def _ended_takes(session: AsyncSession, cause: str) -> int:
    """How many takes of a photo are in the chat or failed: the button works anew once the last one has ended."""
    for number in range(MOST_TAKES):
        found = await session.scalar(select(Photo.status).where(Photo.dedup_key == f"{cause}:{number}"))
        if found is None or found in ON_THE_WAY:
            return number
    return MOST_TAKES
