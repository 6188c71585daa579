"""Faces for a persona of one's own: four candidates to choose from, and the choice."""

import random
from contextlib import suppress

import structlog
from aiogram import Bot, Router
from aiogram.exceptions import ClientDecodeError, TelegramAPIError
from aiogram.types import CallbackQuery, Message
from arq import ArqRedis
from sqlalchemy.ext.asyncio import AsyncSession

from bot.background import Background
from bot.llm.guard import GuardAway
from bot.models import OwnPersona, Person
from bot.personas.catalog import PersonaCatalog
from bot.photos import faces, wait_texts
from bot.photos.orders import own_photo
from bot.reading.text_analysis import TextAnalyzer
from bot.settings import Settings
from bot.telegram.callbacks import ChooseFace, OwnFaces, OwnPersonaAnswer
from bot.telegram.messages import acknowledge, keyboard, replace_buttons
from bot.texts import Say
from generation.errors import ObjectGone, QueueFull, StorageUnavailable
from generation.models import Photo
from generation.orders import erasure, jobs
from generation.runtime.database import Database, database_now
from generation.storage import Storage

log = structlog.get_logger(__name__)


def build_router() -> Router:
    """The buttons for candidates and under each of them."""
    router = Router(name="faces")
    router.callback_query.register(offer, OwnFaces.filter())
    router.callback_query.register(choose, ChooseFace.filter())
    return router


async def offer(
    query: CallbackQuery,
    callback_data: OwnFaces,
    person: Person,
    say: Say,
    database: Database,
    redis: ArqRedis,
    catalog: PersonaCatalog,
    text_analyzer: TextAnalyzer,
    settings: Settings,
) -> None:
    """Order four candidates; pressed twice meanwhile, they come once."""
    message = query.message
    async with database.unit() as session:
        own = await _own(session, person, callback_data.persona_id)
        words = await faces.obstacle(session, own, say) if own else say("stale-button")
        features = await faces.words_of_next(session, catalog, own) if own else ()
        premium = person.is_premium(await database_now(session), settings.premium_ids)
    if own is None or words or not isinstance(message, Message):
        await acknowledge(query, words, alert=True)
        return
    casting = faces.casting(catalog, own, person, chat_id=message.chat.id, premium=premium)
    if words := await _refusal(faces.prompts(casting, features), text_analyzer, say):
        await acknowledge(query, words, alert=True)
        return
    try:
        async with database.unit() as session:
            photos = await faces.order(session, casting, features, say=say, settings=settings, rng=random.Random())
    except QueueFull as full:
        await acknowledge(query, wait_texts.full(say, full.wait), alert=True)
        return
    await acknowledge(query)
    await message.answer(say("own-faces-begun"))
    for photo in photos:
        await jobs.enqueue_render(redis, photo, premium_head_start=settings.premium_head_start)


async def choose(
    query: CallbackQuery,
    callback_data: ChooseFace,
    person: Person,
    say: Say,
    database: Database,
    originals: Storage,
    bot: Bot,
    background: Background,
) -> None:
    """Keep this face: a copy of its picture and its words. The other candidates leave the chat."""
    async with database.unit() as session:
        photo = await own_photo(session, person, callback_data.photo_id)
        own = await faces.of_photo(session, photo) if photo else None
    if photo is None or own is None or photo.object_key is None:
        await acknowledge(query, say("stale-button"))
        return
    try:
        content = await originals.get(photo.object_key)
        key = faces.copy_key(content)
        await originals.put(key, content)
    except (StorageUnavailable, ObjectGone) as error:
        log.warning("face.not_kept", error=str(error))
        await acknowledge(query, say("original-unavailable"), alert=True)
        return
    async with database.unit() as session:
        chosen = await session.get(OwnPersona, own.id, with_for_update=True)
        others = await faces.choose(session, chosen, photo, key) if chosen else []
    if chosen is None:
        # Deleted just now, and the copy came after it.
        async with database.unit() as session:
            await erasure.discard_object(session, key)
        await acknowledge(query, say("stale-button"))
        return
    await acknowledge(query)
    await replace_buttons(query, None)
    await remove_from_chat(bot, others)
    background(erasure.sweep(database, originals))
    begin = [(say("own-finish"), OwnPersonaAnswer(action="finish").pack())]
    if isinstance(query.message, Message):
        await query.message.answer(
            say("own-face-chosen", name=chosen.name or ""),
            reply_markup=None if chosen.finished_at else keyboard(begin),
        )


async def remove_from_chat(bot: Bot, photos: list[Photo]) -> None:
    """Delete their messages; Telegram refuses what is older than two days, and nothing depends on it."""
    for photo in photos:
        if photo.telegram_message_id:
            with suppress(TelegramAPIError, ClientDecodeError):
                await bot.delete_message(photo.chat_id, photo.telegram_message_id)


async def _refusal(prompts: list[str], text_analyzer: TextAnalyzer, say: Say) -> str:
    try:
        refused = [await text_analyzer.refusal_of_prompt(each, explicit_allowed=False) for each in prompts]
    except GuardAway:
        return say("photo-guard-away")
    why = next(filter(None, refused), None)
    if why:
        log.warning("face.refused_by_policy", why=why)
    return say("own-refused") if why else ""


async def _own(session: AsyncSession, person: Person, persona_id: int) -> OwnPersona | None:
    """A persona of this person's with all its answers: callback data can be forged."""
    own = await session.get(OwnPersona, persona_id)
    return own if own and own.person_id == person.id and own.looks is not None else None
