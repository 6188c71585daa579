"""Sending text within Telegram's limits."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import aiohttp
import structlog
from aiogram import Bot
from aiogram.client.session.middlewares.base import BaseRequestMiddleware, NextRequestMiddlewareType
from aiogram.exceptions import TelegramBadRequest, TelegramNetworkError, TelegramRetryAfter
from aiogram.methods import Response, TelegramMethod
from aiogram.methods.base import TelegramType
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message

log = structlog.get_logger(__name__)

#: Telegram counts in UTF-16 code units after entities are parsed.
MAX_TEXT = 4096
_BREAKS = ("\n\n", "\n", ". ", "! ", "? ", " ")


class ObeyTelegram(BaseRequestMiddleware):
    """Waits as long as Telegram says after a 429, and tries again; also when it could not even be reached.

    Both mean that Telegram did not carry the request out, so repeating it cannot send anything twice.
    """

    def __init__(self, *, tries: int = 5) -> None:
        self._tries = tries

    async def __call__(
        self,
        make_request: NextRequestMiddlewareType[TelegramType],
        bot: Bot,
        method: TelegramMethod[TelegramType],
    ) -> Response[TelegramType]:
        for left in reversed(range(self._tries)):
            try:
                return await make_request(bot, method)
            except TelegramRetryAfter as error:
                if not left:
                    raise
                log.warning("telegram.flood", method=method.__api_method__, seconds=error.retry_after)
                await asyncio.sleep(error.retry_after)
            except TelegramNetworkError as error:
                if not left or not isinstance(error.__cause__, aiohttp.ClientConnectorError):
                    raise
                await asyncio.sleep(0.5)
        raise AssertionError("unreachable")


async def acknowledge(query: CallbackQuery, text: str | None = None) -> None:
    """Answer a pressed button. One that was pressed too long ago cannot be answered, and still counts."""
    with suppress(TelegramBadRequest):
        await query.answer(text)


async def replace_buttons(query: CallbackQuery, markup: InlineKeyboardMarkup) -> None:
    """Other buttons under the message; one that is too old, or has these buttons already, stays as it is."""
    if isinstance(query.message, Message):
        with suppress(TelegramBadRequest):
            await query.message.edit_reply_markup(reply_markup=markup)


async def send_text(bot: Bot, chat_id: int, text: str, markup: InlineKeyboardMarkup | None = None) -> None:
    """Send a text of any length as plain text; buttons go under its last part."""
    parts = list(split(text))
    for part in parts[:-1]:
        await bot.send_message(chat_id, part)
    await bot.send_message(chat_id, parts[-1], reply_markup=markup)


def split(text: str, limit: int = MAX_TEXT) -> Iterator[str]:
    """Cut a text into parts of at most `limit` UTF-16 units, at a paragraph, sentence or word if it can be."""
    rest = text.strip() or "…"
    while rest:
        head = _fitting(rest, limit)
        if len(head) < len(rest):
            head = head[: _cut(head)]
        yield head.strip()
        rest = rest[len(head) :].strip()


def _fitting(text: str, limit: int) -> str:
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
