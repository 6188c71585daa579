"""Sending text within Telegram's limits."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress

import structlog
from aiogram import Bot
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramAPIError,
    TelegramBadRequest,
)
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message

log = structlog.get_logger(__name__)

#: Telegram counts in UTF-16 code units after entities are parsed.
MAX_TEXT = 4096
#: The same for the text under a picture.
MAX_CAPTION = 1024
#: What is no space, no mark without a width and no filler (tdlib/td's `clean_input_string`).
_VISIBLE = re.compile(
    r"[^\s\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000"
    r"\u3164\ufe00-\ufe0f\ufeff\uffa0\ufffc]"
)
_BREAKS = ("\n\n", "\n", ". ", "! ", "? ", " ")


async def acknowledge(query: CallbackQuery, text: str | None = None, *, alert: bool = False) -> None:
    """Answer a pressed button. One that cannot be answered (too old, Telegram away) still counts.

    `alert` shows the text until it is closed instead of for a moment; it has at most 200 characters.
    """
    with suppress(TelegramAPIError, ClientDecodeError):
        await query.answer(text and text[:200], show_alert=alert or None)


async def replace_buttons(query: CallbackQuery, markup: InlineKeyboardMarkup | None) -> None:
    """Other buttons under the message; one that is too old, or has these buttons already, stays as it is."""
    if isinstance(query.message, Message):
        with suppress(TelegramAPIError, ClientDecodeError):
            await query.message.edit_reply_markup(reply_markup=markup)


async def replace_text(query: CallbackQuery, text: str, markup: InlineKeyboardMarkup | None = None) -> None:
    """Another text with other buttons in place of the message; as a new one where it cannot be changed."""
    if not isinstance(query.message, Message):
        return
    try:
        await query.message.edit_text(text, reply_markup=markup)
    except TelegramBadRequest as error:
        if "not modified" not in str(error):
            await query.message.answer(text, reply_markup=markup)


async def take_buttons_away(bot: Bot, chat_id: int, message_id: int) -> None:
    """Remove the buttons under a message; an error is ignored, since nothing depends on it."""
    with suppress(TelegramAPIError, ClientDecodeError):
        await bot.edit_message_reply_markup(chat_id=chat_id, message_id=message_id, reply_markup=None)


async def send_text(bot: Bot, chat_id: int, text: str, markup: InlineKeyboardMarkup | None = None) -> int:
    """Send a text of any length as plain text, buttons under its last part; the number of that message."""
    parts = list(split(text))
    for part in parts[:-1]:
        await bot.send_message(chat_id, part)
    return (await bot.send_message(chat_id, parts[-1], reply_markup=markup)).message_id


def keyboard(*rows: Iterable[tuple[str, str]]) -> InlineKeyboardMarkup:
    """Rows of buttons: text, and callback data or an https address."""
    return InlineKeyboardMarkup(inline_keyboard=[[_button(*button) for button in row] for row in rows])


def _button(text: str, target: str) -> InlineKeyboardButton:
    if target.startswith("https://"):
        return InlineKeyboardButton(text=text, url=target)
    return InlineKeyboardButton(text=text, callback_data=target)


def split(text: str, limit: int = MAX_TEXT) -> Iterator[str]:
    """Cut a text into parts of at most `limit` UTF-16 units, at a paragraph, sentence or word if it can be."""
    rest = text.strip() if is_visible(text) else "…"
    while rest:
        head = fitting(rest, limit)
        if len(head) < len(rest):
            head = head[: _cut(head)]
        if is_visible(head):
            yield head.strip()
        rest = rest[len(head) :].strip()


def is_visible(text: str) -> bool:
    """Whether anything of it can be seen; Telegram takes no message of spaces and marks alone."""
    return bool(_VISIBLE.search(text))


def fitting(text: str, limit: int) -> str:
    """The longest beginning that has at most `limit` UTF-16 units."""
    units = text.encode("utf-16-le")[: limit * 2]
    return units.decode("utf-16-le", errors="ignore")


def _cut(head: str) -> int:
    """Where to end a part: after the last break in its second half, or at its very end."""
    for separator in _BREAKS:
        position = head.rfind(separator, len(head) // 2)
        if position > 0:
            return position + len(separator)
    return len(head)
