"""What a person thinks of a photo: like, dislike with a reason, delete."""

from contextlib import suppress

from aiogram import Bot, F, Router
from aiogram.exceptions import ClientDecodeError, TelegramAPIError, TelegramBadRequest
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message, MessageReactionUpdated, ReactionTypeEmoji
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.background import Background
from bot.handlers.photos import gallery
from bot.models import DislikeReason, Person, PhotoMoment, Reaction
from bot.photos.buttons import under_photo
from bot.photos.orders import own_moment, own_photo
from bot.telegram.callbacks import Delete, DeleteSurely, Dislike, DislikeBecause, Keep, Like
from bot.telegram.messages import acknowledge, keyboard, replace_buttons
from bot.texts import Say
from generation.models import Photo
from generation.orders import erasure
from generation.runtime.database import Database
from generation.storage import Storage

#: Emoji that are a like and a dislike; all others say nothing of the photo.
LIKED = frozenset(
    ("❤", "👍", "🔥", "🥰", "👏", "😁", "🤩", "😍", "❤‍🔥", "💯", "🏆", "🍓", "💋", "💘", "😘", "🤗", "🎉", "🦄")
)  # fmt: skip
DISLIKED = frozenset(("👎", "🤮", "💩", "😡", "🤬", "💔", "🥱", "🥴"))


def build_router() -> Router:
    """Like, dislike with a reason, and delete."""
    router = Router(name="reactions")
    router.callback_query.register(like, Like.filter())
    router.callback_query.register(ask_why, Dislike.filter())
    router.callback_query.register(dislike_because, DislikeBecause.filter())
    router.callback_query.register(ask_to_delete, Delete.filter())
    router.callback_query.register(delete, DeleteSurely.filter())
    router.callback_query.register(keep, Keep.filter())
    return router


def emoji_router() -> Router:
    """Telegram's own reactions, which come as updates of their own kind."""
    router = Router(name="emoji_reactions")
    router.message_reaction.register(react_with_emoji, F.chat.type == "private")
    return router


async def react_with_emoji(
    event: MessageReactionUpdated, person: Person, say: Say, database: Database, bot: Bot
) -> None:
    """A heart or a thumb on one of her photos is a like or a dislike; taken away, it is none."""
    if person.banned_at is not None or person.adult_confirmed_at is None:
        return
    emojis = {each.emoji for each in event.new_reaction if isinstance(each, ReactionTypeEmoji)}
    reaction = Reaction.LIKED if emojis & LIKED else Reaction.DISLIKED if emojis & DISLIKED else None
    before = {each.emoji for each in event.old_reaction if isinstance(each, ReactionTypeEmoji)}
    if reaction is None and (emojis or not before & (LIKED | DISLIKED)):
        return
    async with database.unit() as session:
        photo = await session.scalar(
            select(Photo).where(Photo.owner_id == person.id, Photo.telegram_message_id == event.message_id)
        )
        moment = await session.get(PhotoMoment, photo.id) if photo else None
        if photo is None or photo.file_id is None or moment is None or moment.reaction is reaction:
            return
        moment.reaction, moment.dislike_reason = reaction, None
        moment.noticed_at = moment.noticed_at or await session.scalar(select(func.now()))
    with suppress(TelegramAPIError, ClientDecodeError):
        await bot.edit_message_reply_markup(
            chat_id=event.chat.id,
            message_id=event.message_id,
            reply_markup=under_photo(say, photo.id, liked=reaction is Reaction.LIKED),
        )


async def like(query: CallbackQuery, callback_data: Like, person: Person, say: Say, database: Database) -> None:
    """Noted for what automatic photos learn from."""
    liked = await _react(database, person, callback_data.photo_id, Reaction.LIKED)
    await acknowledge(query, say("photo-liked" if liked else "stale-button"))
    if liked:
        await replace_buttons(query, under_photo(say, callback_data.photo_id, liked=True))


async def ask_why(
    query: CallbackQuery, callback_data: Dislike, person: Person, say: Say, database: Database
) -> None:
    """It counts at once; the reason is asked for and may be left out."""
    disliked = await _react(database, person, callback_data.photo_id, Reaction.DISLIKED)
    await acknowledge(query, say("photo-disliked-why" if disliked else "stale-button"))
    if disliked:
        await replace_buttons(query, _reasons(say, callback_data.photo_id))


async def dislike_because(
    query: CallbackQuery, callback_data: DislikeBecause, person: Person, say: Say, database: Database
) -> None:
    """The reason for a dislike."""
    reason = callback_data.reason
    disliked = await _react(database, person, callback_data.photo_id, Reaction.DISLIKED, reason)
    await acknowledge(query, say("photo-disliked" if disliked else "stale-button"))
    if disliked:
        await replace_buttons(query, under_photo(say, callback_data.photo_id))


async def _react(
    database: Database, person: Person, photo_id: int, reaction: Reaction, reason: DislikeReason | None = None
) -> bool:
    async with database.unit() as session:
        moment = await own_moment(session, person, photo_id)
        if moment is None:
            return False
        moment.reaction = reaction
        moment.dislike_reason = reason
        moment.noticed_at = moment.noticed_at or await session.scalar(select(func.now()))
    return True


async def ask_to_delete(
    query: CallbackQuery, callback_data: Delete, person: Person, say: Say, database: Database
) -> None:
    """The question before a photo is deleted."""
    async with database.unit() as session:
        photo = await own_photo(session, person, callback_data.photo_id)
    await acknowledge(query, None if photo else say("stale-button"))
    if photo is not None:
        surely, not_really = DeleteSurely(photo_id=photo.id).pack(), Keep(photo_id=photo.id).pack()
        markup = keyboard([(say("photo-delete-surely"), surely), (say("photo-keep"), not_really)])
        await replace_buttons(query, markup)


async def keep(query: CallbackQuery, callback_data: Keep, person: Person, say: Say, database: Database) -> None:
    """The buttons that were there before; a page of the gallery has a caption."""
    await acknowledge(query)
    if isinstance(query.message, Message) and query.message.caption:
        async with database.unit() as session:
            photo = await own_photo(session, person, callback_data.photo_id)
            page = await gallery.page(session, person, say, photo) if photo else None
        await replace_buttons(query, page[1] if page else None)
        return
    await replace_buttons(query, under_photo(say, callback_data.photo_id))


async def delete(
    query: CallbackQuery,
    callback_data: DeleteSurely,
    person: Person,
    say: Say,
    database: Database,
    originals: Storage,
    bot: Bot,
    background: Background,
) -> None:
    """Delete it from the chat, the gallery and S3; it still counts for the day."""
    async with database.unit() as session:
        photo = await own_photo(session, person, callback_data.photo_id)
        if photo is not None:
            await forget_photo(session, photo)
    if photo is None:
        await acknowledge(query, say("stale-button"))
        return
    background(erasure.sweep(database, originals))
    in_chat = {photo.telegram_message_id, query.message.message_id if query.message else None} - {None}
    gone = [await _deleted(bot, photo.chat_id, number) for number in in_chat if number]
    await acknowledge(query, say("photo-deleted" if all(gone) else "photo-delete-by-hand"), alert=not all(gone))


async def forget_photo(session: AsyncSession, photo: Photo) -> None:
    """The row keeps that there was a photo, and nothing of what it shows."""
    await erasure.discard(session, photo)
    moment = await session.get(PhotoMoment, photo.id)
    if moment is not None:
        moment.scene = {}


async def _deleted(bot: Bot, chat_id: int, message_id: int) -> bool:
    """Whether Telegram deleted the message; it refuses what is older than two days."""
    try:
        return await bot.delete_message(chat_id, message_id)
    except TelegramBadRequest as error:
        return "not found" in str(error)


def _reasons(say: Say, photo_id: int) -> InlineKeyboardMarkup:
    reasons = [
        (say(f"dislike-{each}"), DislikeBecause(reason=each, photo_id=photo_id).pack()) for each in DislikeReason
    ]
    return keyboard(reasons[:2], reasons[2:], [("‹", Keep(photo_id=photo_id).pack())])
