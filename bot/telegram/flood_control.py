"""What Telegram's 429 means for a request: wait as long as it says, or leave decoration out."""

import asyncio

import aiohttp
import structlog
from aiogram import Bot
from aiogram.client.session.middlewares.base import BaseRequestMiddleware, NextRequestMiddlewareType
from aiogram.exceptions import (
    TelegramNetworkError,
    TelegramRetryAfter,
)
from aiogram.methods import (
    CopyMessage,
    EditMessageReplyMarkup,
    Response,
    SendChatAction,
    SendMessageDraft,
    TelegramMethod,
)
from aiogram.methods.base import TelegramType

from bot.telegram.own_time import away

log = structlog.get_logger(__name__)

#: What is not worth waiting for: it is left out when Telegram pushes back.
DECORATION = (SendMessageDraft, EditMessageReplyMarkup, SendChatAction)
#: Whoever calls these makes the pause, because it has to keep a lease meanwhile (`bot.admin.broadcast_sender`).
WAITED_FOR_BY_CALLER = (CopyMessage,)


class RetryAfterMiddleware(BaseRequestMiddleware):
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
        """Raises TelegramRetryAfter once all tries are used up."""
        tries = 1 if isinstance(method, DECORATION + WAITED_FOR_BY_CALLER) else self._tries
        for left in reversed(range(tries)):
            try:
                if tries == 1:
                    return await make_request(bot, method)
                with away():
                    return await make_request(bot, method)
            except TelegramRetryAfter as error:
                if not left:
                    raise
                log.warning("telegram.flood", method=method.__api_method__, seconds=error.retry_after)
                with away():
                    await asyncio.sleep(error.retry_after)
            except TelegramNetworkError as error:
                if not left or not isinstance(error.__cause__, aiohttp.ClientConnectorError):
                    raise
                await asyncio.sleep(0.5)
        raise AssertionError("unreachable")
