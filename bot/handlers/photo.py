"""Buttons under photos."""

from aiogram import Router
from aiogram.types import CallbackQuery
from arq import ArqRedis
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot import photos
from bot.handlers.filters import Another, Dislike, Like, SendAgain
from bot.models import Dialogue, Person, PhotoMoment, Reaction
from bot.ordering import Ordering
from bot.people import is_premium
from bot.persona import Persona
from bot.sending import acknowledge
from bot.settings import Settings
from bot.standing import notice
from bot.texts import Say
from generation import doorbell, status
from generation.database import Database
from generation.models import Photo, PhotoStatus
from triggers import Decision, Kind

#: Takes of one photo; the day's limit ends it far earlier.
MOST_TAKES = 100
ON_THE_WAY = (PhotoStatus.QUEUED, PhotoStatus.RENDERING, PhotoStatus.STORED, PhotoStatus.SENDING)


def build_router() -> Router:
    router = Router(name="photo")
    router.callback_query.register(send_again, SendAgain.filter())
    router.callback_query.register(another, Another.filter())
    router.callback_query.register(like, Like.filter())
    router.callback_query.register(dislike, Dislike.filter())
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


async def another(
    query: CallbackQuery,
    callback_data: Another,
    person: Person,
    say: Say,
    database: Database,
    redis: ArqRedis,
    ordering: Ordering,
    personas: dict[str, Persona],
    settings: Settings,
) -> None:
    """The same moment as another camera sees it; pressed twice while one is on its way, it comes once."""
    async with database.unit() as session:
        wish = await _another_take(session, person, callback_data.photo_id, personas, settings)
        words = "" if wish else say("stale-button")
    if wish is not None:
        words = await ordering.policy(person, wish.persona, wish.story, wish.scene, say)
    photo = None
    if wish is not None and not words:
        async with database.unit() as session:
            await notice(session, person.id, within=settings.photo_noticed_within)
            photo = await session.scalar(select(Photo).where(Photo.dedup_key == wish.cause))
            if photo is None and not (words := await ordering.refusal(session, person, say)):
                photo, words = await ordering.place(session, wish, say)
    await acknowledge(query, words or say("photo-another-coming"))
    if photo is not None:
        await doorbell.ring(redis, photo, premium_head_start=settings.premium_head_start)


async def like(query: CallbackQuery, callback_data: Like, person: Person, say: Say, database: Database) -> None:
    liked = await _react(database, person, callback_data.photo_id, Reaction.LIKED)
    await acknowledge(query, say("photo-liked" if liked else "stale-button"))


async def dislike(
    query: CallbackQuery, callback_data: Dislike, person: Person, say: Say, database: Database
) -> None:
    disliked = await _react(database, person, callback_data.photo_id, Reaction.DISLIKED)
    await acknowledge(query, say("photo-disliked" if disliked else "stale-button"))


async def _react(database: Database, person: Person, photo_id: int, reaction: Reaction) -> bool:
    async with database.unit() as session:
        moment = await _moment(session, person, photo_id)
        if moment is None:
            return False
        moment.reaction = reaction
        moment.noticed_at = moment.noticed_at or await session.scalar(select(func.now()))
    return True


async def _moment(session: AsyncSession, person: Person, photo_id: int) -> PhotoMoment | None:
    """Only of a person's own photos: callback data can be forged."""
    return await session.scalar(
        select(PhotoMoment)
        .join(Photo, Photo.id == PhotoMoment.photo_id)
        .where(PhotoMoment.photo_id == photo_id, Photo.owner_id == person.id)
    )


async def _another_take(
    session: AsyncSession, person: Person, photo_id: int, personas: dict[str, Persona], settings: Settings
) -> photos.Wish | None:
    moment = await _moment(session, person, photo_id)
    if moment is None:
        return None
    before = await session.get_one(Photo, photo_id)
    dialogue = await session.get_one(Dialogue, moment.dialogue_id)
    if dialogue.persona not in personas:
        return None
    now = (await session.execute(select(func.now()))).scalar_one()
    ended = await _ended_takes(session, photo_id)
    return photos.Wish(
        person=person,
        premium=is_premium(person, now, settings),
        dialogue_id=dialogue.id,
        story=moment.story,
        persona=personas[dialogue.persona],
        scene=photos.other_take(moment, further=ended),
        decision=Decision(Kind.REQUESTED, "another", "the person wanted another take"),
        cause=f"another:{photo_id}:{ended}",
        chat_id=before.chat_id,
        reply_to_message_id=before.reply_to_message_id,
        take=moment.take + 1 + ended,
        after_words=False,
    )


async def _ended_takes(session: AsyncSession, photo_id: int) -> int:
    """How many takes of a photo are in the chat or failed: the button works anew once the last one has ended."""
    for number in range(MOST_TAKES):
        found = await session.scalar(select(Photo.status).where(Photo.dedup_key == f"another:{photo_id}:{number}"))
        if found is None or found in ON_THE_WAY:
            return number
    return MOST_TAKES
