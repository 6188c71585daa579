"""What Telegram's 429 means for a request: wait as long as it says, or leave decoration out."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import aiohttp
import structlog
from aiogram import Bot
from aiogram.client.session.middlewares.base import BaseRequestMiddleware, NextRequestMiddlewareType
from aiogram.exceptions import (
    TelegramNetworkError,
    TelegramRetryAfter,
)
from aiogram.methods import (
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
_caller_waits: ContextVar[bool] = ContextVar("caller_waits", default=False)


@contextmanager
def caller_waits() -> Iterator[None]:
    """A 429 in this block is raised at once: the caller waits itself, since it keeps a lease meanwhile."""
    token = _caller_waits.set(True)
    try:
        yield
    finally:
        _caller_waits.reset(token)


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
        tries = 1 if _caller_waits.get() or isinstance(method, DECORATION) else self._tries
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
