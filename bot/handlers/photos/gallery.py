"""/gallery: one's own photos, page by page, and the original as a file."""

from functools import partial

import structlog
from aiogram import Bot, Router
from aiogram.exceptions import TelegramBadRequest
from aiogram.filters import Command
from aiogram.types import BufferedInputFile, CallbackQuery, InlineKeyboardMarkup, InputMediaPhoto, Message
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.accounts.photo_quota import FACE
from bot.models import Person
from bot.telegram.callbacks import Delete, GalleryPage, Original
from bot.telegram.messages import acknowledge, keyboard
from bot.texts import Say
from generation.errors import ObjectGone, StorageUnavailable
from generation.models import Photo, PhotoStatus
from generation.runtime.database import Database
from generation.storage import Storage

log = structlog.get_logger(__name__)


def build_router() -> Router:
    """/gallery: the person's own photos."""
    router = Router(name="gallery")
    router.message.register(show_gallery, Command("gallery", "photos", "album", ignore_case=True))
    router.callback_query.register(turn_page, GalleryPage.filter())
    router.callback_query.register(send_original, Original.filter())
    return router


async def show_gallery(
    message: Message, person: Person, say: Say, database: Database, originals: Storage, bot: Bot
) -> None:
    """The newest photo, by the `file_id` that Telegram gave it."""
    async with database.unit() as session:
        photo = await session.scalar(select(Photo).where(*_shown(person)).order_by(Photo.id.desc()).limit(1))
        shown = await page(session, person, say, photo) if photo else None
    if photo is None or shown is None or photo.file_id is None:
        await message.answer(say("album-empty"))
        return
    caption, buttons = shown
    send = partial(
        bot.send_photo,
        message.chat.id,
        caption=caption,
        reply_markup=buttons,
        has_spoiler=person.blur_photos or None,
    )
    try:
        await send(photo=photo.file_id)
    except TelegramBadRequest as error:
        log.warning("photo.file_id_refused", error=str(error), photo_id=photo.id)
        if upload := await _upload(photo, originals):
            await send(photo=upload)
        else:
            await message.answer(say("original-unavailable"))


async def _upload(photo: Photo, originals: Storage) -> BufferedInputFile | None:
    """The picture anew, for a bot that does not know the `file_id`: its token was changed, or its server.

    None where the original cannot be had.
    """
    if photo.object_key is None:
        return None
    try:
        return BufferedInputFile(await originals.get(photo.object_key), f"vitte-{photo.id}.png")
    except (StorageUnavailable, ObjectGone):
        return None


async def turn_page(
    query: CallbackQuery,
    callback_data: GalleryPage,
    person: Person,
    say: Say,
    database: Database,
    originals: Storage,
) -> None:
    """The next photo in that direction, also where the one that is shown was deleted meanwhile."""
    older = callback_data.older
    beyond = Photo.id < callback_data.photo_id if older else Photo.id > callback_data.photo_id
    order = Photo.id.desc() if older else Photo.id
    async with database.unit() as session:
        photo = await session.scalar(select(Photo).where(*_shown(person), beyond).order_by(order).limit(1))
        shown = await page(session, person, say, photo) if photo else None
    if photo is None or shown is None or photo.file_id is None or not isinstance(query.message, Message):
        await acknowledge(query, say("album-end"))
        return
    caption, buttons = shown
    media = InputMediaPhoto(media=photo.file_id, caption=caption, has_spoiler=person.blur_photos or None)
    try:
        await query.message.edit_media(media, reply_markup=buttons)
    except TelegramBadRequest as error:
        if "not modified" not in str(error):
            log.warning("photo.file_id_refused", error=str(error), photo_id=photo.id)
            upload = await _upload(photo, originals)
            if upload is None:
                await acknowledge(query, say("original-unavailable"), alert=True)
                return
            await query.message.edit_media(media.model_copy(update={"media": upload}), reply_markup=buttons)
    await acknowledge(query)


async def send_original(
    query: CallbackQuery,
    callback_data: Original,
    person: Person,
    say: Say,
    database: Database,
    originals: Storage,
    bot: Bot,
) -> None:
    """The picture as it was rendered, without Telegram's compression."""
    async with database.unit() as session:
        photo = await session.get(Photo, callback_data.photo_id)
    if photo is None or photo.owner_id != person.id or photo.object_key is None:
        await acknowledge(query, say("stale-button"))
        return
    try:
        original = await originals.get(photo.object_key)
    except (StorageUnavailable, ObjectGone):
        await acknowledge(query, say("original-unavailable"), alert=True)
        return
    await acknowledge(query)
    await bot.send_document(photo.chat_id, BufferedInputFile(original, f"vitte-{photo.id}.png"))


def _shown(person: Person) -> tuple[ColumnElement[bool], ...]:
    delivered = Photo.status == PhotoStatus.DELIVERED
    return (Photo.owner_id == person.id, delivered, Photo.file_id.is_not(None), Photo.rule != FACE)


async def page(session: AsyncSession, person: Person, say: Say, photo: Photo) -> tuple[str, InlineKeyboardMarkup]:
    """The words under one photo of the gallery, and its buttons."""
    counted = select(func.count(), func.count().filter(Photo.id > photo.id)).where(*_shown(person))
    count, newer = (await session.execute(counted)).one()
    day = f"{photo.delivered_at:%d.%m.%Y}" if photo.delivered_at else ""
    turning = []
    if newer:
        turning.append(("◀", GalleryPage(photo_id=photo.id, older=False).pack()))
    if newer + 1 < count:
        turning.append(("▶", GalleryPage(photo_id=photo.id, older=True).pack()))
    kept = [(say("original"), Original(photo_id=photo.id).pack()), ("🗑", Delete(photo_id=photo.id).pack())]
    caption = say("album-page", number=newer + 1, count=count, day=day)
    return caption, keyboard(*([turning] if turning else []), kept)
