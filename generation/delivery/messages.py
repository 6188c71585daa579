"""A photo, and words about a photo, as Telegram messages: built from the row, sent once."""

from collections.abc import Sequence

from aiogram import Bot
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramAPIError,
)
from aiogram.types import (
    BufferedInputFile,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    Message,
    ReplyParameters,
)

from generation.models import Photo
from generation.orders.placing import PhotoWords
from generation.runtime.telegram import Outcome, Sent, meaning


async def send_photo(bot: Bot, photo: Photo, jpeg: bytes) -> Outcome:
    """Send the photo as a reply, once. Never raises for anything that Telegram or the network does."""
    words = PhotoWords.of(photo.words)
    try:
        message = await bot.send_photo(
            photo.chat_id,
            BufferedInputFile(jpeg, "photo.jpg"),
            caption=words.caption or None,
            has_spoiler=words.spoiler or None,
            disable_notification=words.silent or None,
            message_thread_id=photo.thread_id,
            reply_parameters=_reply_to(photo),
            reply_markup=_buttons(photo, words.buttons),
        )
    except (TelegramAPIError, ClientDecodeError) as error:
        return meaning(error)
    return Sent(message.message_id, _largest_file_id(message))


async def tell(bot: Bot, photo: Photo, text: str, *, button: tuple[str, str] | None = None) -> Outcome:
    """Say something about a photo in its chat; `button` is its text and callback data, the photo's id follows."""
    markup = _buttons(photo, [[button]] if button else [])
    try:
        message = await bot.send_message(
            photo.chat_id,
            text,
            message_thread_id=photo.thread_id,
            reply_parameters=_reply_to(photo),
            reply_markup=markup,
            request_timeout=10,
        )
    except (TelegramAPIError, ClientDecodeError) as error:
        return meaning(error)
    return Sent(message.message_id, "")


def _buttons(photo: Photo, buttons: Sequence[Sequence[tuple[str, str]]]) -> InlineKeyboardMarkup | None:
    rows = [
        [InlineKeyboardButton(text=text, callback_data=f"{data}:{photo.id}") for text, data in row]
        for row in buttons
    ]
    return InlineKeyboardMarkup(inline_keyboard=rows) if rows else None


def _reply_to(photo: Photo) -> ReplyParameters | None:
    if photo.reply_to_message_id is None:
        return None
    return ReplyParameters(message_id=photo.reply_to_message_id, allow_sending_without_reply=True)


def _largest_file_id(message: Message) -> str:
    return message.photo[-1].file_id if message.photo else ""
