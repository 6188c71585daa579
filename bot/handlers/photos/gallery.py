"""/gallery: one's own photos at a glance, one by one, and the original as a file."""

from functools import partial

import structlog
from aiogram import Bot, Router
from aiogram.exceptions import TelegramBadRequest
from aiogram.filters import Command
from aiogram.types import (
    BufferedInputFile,
    CallbackQuery,
    InlineKeyboardMarkup,
    InputMediaPhoto,
    MediaUnion,
    Message,
)
from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.accounts.photo_quota import FACE
from bot.models import Person, PhotoMoment, Reaction
from bot.telegram.callbacks import Delete, GalleryAlbum, GalleryOpen, GalleryPage, Original
from bot.telegram.messages import acknowledge, keyboard
from bot.texts import Say
from generation.errors import ObjectGone, StorageUnavailable
from generation.models import Photo, PhotoStatus
from generation.runtime.database import Database
from generation.storage import Storage

log = structlog.get_logger(__name__)

#: Photos of an album, which has two at least (sendMediaGroup), and numbers in a row under it.
AT_A_GLANCE, LEAST_ALBUM, IN_A_ROW = 10, 2, 5


def build_router() -> Router:
    """/gallery: the person's own photos."""
    router = Router(name="gallery")
    router.message.register(show_gallery, Command("gallery", "photos", "album", ignore_case=True))
    router.callback_query.register(turn_page, GalleryPage.filter())
    router.callback_query.register(show_album, GalleryAlbum.filter())
    router.callback_query.register(open_photo, GalleryOpen.filter())
    router.callback_query.register(send_original, Original.filter())
    return router


async def show_gallery(
    message: Message, person: Person, say: Say, database: Database, originals: Storage, bot: Bot
) -> None:
    """The newest photos at a glance; a single one with its buttons."""
    if not await _album(bot, message.chat.id, person, say, database, GalleryAlbum()):
        await _open(bot, message.chat.id, person, say, database, originals)


async def show_album(
    query: CallbackQuery,
    callback_data: GalleryAlbum,
    person: Person,
    say: Say,
    database: Database,
    originals: Storage,
    bot: Bot,
) -> None:
    """Older photos, or those with a like."""
    await acknowledge(query)
    if isinstance(query.message, Message):
        chat_id = query.message.chat.id
        if not await _album(bot, chat_id, person, say, database, callback_data):
            await _open(bot, chat_id, person, say, database, originals, callback_data)


async def open_photo(
    query: CallbackQuery,
    callback_data: GalleryOpen,
    person: Person,
    say: Say,
    database: Database,
    originals: Storage,
    bot: Bot,
) -> None:
    """One of them, by its number under the album."""
    await acknowledge(query)
    if isinstance(query.message, Message):
        chosen = GalleryAlbum(before=callback_data.photo_id + 1)
        await _open(bot, query.message.chat.id, person, say, database, originals, chosen)


async def _album(bot: Bot, chat_id: int, person: Person, say: Say, database: Database, which: GalleryAlbum) -> bool:
    """Up to ten photos as one album by their `file_id`, and numbers to open them; False where it cannot be one."""
    async with database.unit() as session:
        found = select(Photo).where(*_shown(person), *_of(which)).order_by(Photo.id.desc()).limit(AT_A_GLANCE + 1)
        photos = list(await session.scalars(found))
        liked = await session.scalar(select(func.count()).where(*_shown(person), *_of(GalleryAlbum(liked=True))))
    shown = photos[:AT_A_GLANCE]
    if len(shown) < LEAST_ALBUM:
        return False
    media: list[MediaUnion] = [
        InputMediaPhoto(media=str(photo.file_id), has_spoiler=person.blur_photos or None) for photo in shown
    ]
    try:
        await bot.send_media_group(chat_id, media)
    except TelegramBadRequest as error:
        # One by one they come from our own storage.
        log.warning("album.file_id_refused", error=str(error))
        return False
    numbers = [(str(place), GalleryOpen(photo_id=photo.id).pack()) for place, photo in enumerate(shown, start=1)]
    ways = []
    if len(photos) > AT_A_GLANCE:
        ways.append((say("album-older"), GalleryAlbum(before=shown[-1].id, liked=which.liked).pack()))
    if liked and not which.liked:
        ways.append((say("album-liked", count=liked), GalleryAlbum(liked=True).pack()))
    elif which.liked:
        ways.append((say("album-all"), GalleryAlbum().pack()))
    rows = [numbers[start : start + IN_A_ROW] for start in range(0, len(numbers), IN_A_ROW)]
    await bot.send_message(chat_id, say("album-open"), reply_markup=keyboard(*rows, *([ways] if ways else [])))
    return True


async def _open(
    bot: Bot,
    chat_id: int,
    person: Person,
    say: Say,
    database: Database,
    originals: Storage,
    which: GalleryAlbum | None = None,
) -> None:
    """One photo with its buttons: the newest of these."""
    which = which or GalleryAlbum()
    async with database.unit() as session:
        newest = select(Photo).where(*_shown(person), *_of(which)).order_by(Photo.id.desc()).limit(1)
        photo = await session.scalar(newest)
        shown = await page(session, person, say, photo) if photo else None
    if photo is None or shown is None or photo.file_id is None:
        await bot.send_message(chat_id, say("album-empty"))
        return
    caption, buttons = shown
    send = partial(
        bot.send_photo, chat_id, caption=caption, reply_markup=buttons, has_spoiler=person.blur_photos or None
    )
    try:
        await send(photo=photo.file_id)
    except TelegramBadRequest as error:
        log.warning("photo.file_id_refused", error=str(error), photo_id=photo.id)
        if upload := await _upload(photo, originals):
            await send(photo=upload)
        else:
            await bot.send_message(chat_id, say("original-unavailable"))


def _of(which: GalleryAlbum) -> list[ColumnElement[bool]]:
    """Which of a person's photos."""
    conditions: list[ColumnElement[bool]] = [Photo.id < which.before] if which.before else []
    if which.liked:
        liked = exists().where(PhotoMoment.photo_id == Photo.id, PhotoMoment.reaction == Reaction.LIKED)
        conditions.append(liked)
    return conditions


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
