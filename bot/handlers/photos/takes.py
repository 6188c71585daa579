"""One more photo of a moment: with the same camera (🔄), or as another one sees it (📷)."""

from dataclasses import replace

from aiogram import Router
from aiogram.types import CallbackQuery
from arq import ArqRedis
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.accounts.photo_quota import mark_noticed
from bot.models import Dialogue, Person
from bot.personas.catalog import PersonaCatalog
from bot.photos import orders
from bot.photos.orders import ON_THE_WAY, own_moment
from bot.photos.service import PhotoService
from bot.settings import Settings
from bot.telegram.callbacks import Another, Retake
from bot.telegram.messages import acknowledge
from bot.texts import Say
from generation.models import Photo
from generation.orders import jobs
from generation.runtime.database import Database
from triggers import Decision, Kind

#: Takes of one photo; the day's limit ends it far earlier.
MOST_TAKES = 100


def build_router() -> Router:
    """Buttons that order one more photo of the same moment."""
    router = Router(name="takes")
    router.callback_query.register(order_another_take, Another.filter())
    router.callback_query.register(order_another_take, Retake.filter())
    return router


async def order_another_take(
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
    if persona is None or dialogue.minor_said_at is not None:
        return None
    now = (await session.execute(select(func.now()))).scalar_one()
    kind = "retake" if same_camera else "another"
    ended = await _ended_takes(session, f"{kind}:{photo_id}")
    scene = (
        orders.same_camera_scene(moment, further=ended)
        if same_camera
        else orders.other_camera_scene(moment, further=ended)
    )
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
