"""Sending to Telegram: which answer means what for a photo, and the `upload_photo` shown meanwhile."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

import aiohttp
import structlog
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.session.middlewares.base import BaseRequestMiddleware, NextRequestMiddlewareType
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramAPIError,
    TelegramBadRequest,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramUnauthorizedError,
)
from aiogram.methods import Response, TelegramMethod
from aiogram.methods.base import TelegramType
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, retry_if_not_exception_type, wait_fixed

from generation.runtime.monitoring import metrics
from generation.runtime.settings import TelegramSettings

log = structlog.get_logger(__name__)

#: Seconds for one request, the upload of a photo included.
REQUEST_TIMEOUT = 30
#: A chat action lasts about 5 s in the client.
CHAT_ACTION_INTERVAL = 4.5
#: What Telegram answers to a token that it does not know, and what an operator reads then.
WRONG_TOKEN = (TelegramUnauthorizedError, TelegramNotFound)
WRONG_TOKEN_WORDS = "BOT_TOKEN is wrong: Telegram does not know this bot."  # noqa: S105 - a sentence


@dataclass(frozen=True, slots=True)
class Sent:
    """Telegram took it: the message's number, and the picture's file id if it was one."""

    message_id: int
    file_id: str


@dataclass(frozen=True, slots=True)
class NotTaken:
    """Telegram surely did not take it; the same request may be sent again after `pause` seconds."""

    pause: float
    why: str


@dataclass(frozen=True, slots=True)
class Refused:
    """It will never take it. `reachable` is False when nothing at all can be said to this person."""

    why: str
    reachable: bool


@dataclass(frozen=True, slots=True)
class Unknown:
    """No answer came: it may be in the chat or not."""

    why: str


Outcome = Sent | NotTaken | Refused | Unknown


def connect(settings: TelegramSettings, *middlewares: BaseRequestMiddleware) -> Bot:
    """A Bot for the life of a process; its session must be closed by whoever built it."""
    session = _Session(settings)
    for middleware in middlewares:
        session.middleware(middleware)
    session.middleware(count_floods)
    return Bot(settings.bot_token.get_secret_value(), session=session)


class _Session(AiohttpSession):
    """aiogram's own, which also goes through the environment's proxy and over IPv4 alone where that is wanted."""

    def __init__(self, settings: TelegramSettings) -> None:
        url = settings.telegram_api_url
        super().__init__(
            proxy=settings.telegram_proxy.get_secret_value() if settings.telegram_proxy else None,
            api=TelegramAPIServer.from_base(url, is_local=settings.telegram_api_local),
            timeout=REQUEST_TIMEOUT,
        )
        if settings.telegram_ipv4_only:
            self._connector_init["family"] = socket.AF_INET
        #: pydantic builds a model anew, in 4 ms, whenever nobody holds it.
        self._responses: dict[type, type] = {}
        # A server on this machine is never behind a proxy.
        host = urlsplit(url).hostname or ""
        self._through_environment = host not in {"localhost", "127.0.0.1", "::1"} and not settings.telegram_proxy

    def check_response(
        self, bot: Bot, method: TelegramMethod[TelegramType], status_code: int, content: str
    ) -> Response[TelegramType]:
        """As aiogram does it, with the models of its answers kept."""
        if type(method) not in self._responses:
            self._responses[type(method)] = Response[method.__returning__]  # type: ignore[name-defined]
        return super().check_response(bot, method, status_code, content)

    async def create_session(self) -> aiohttp.ClientSession:
        """As aiogram makes it; it offers no way to have the environment's proxy honoured."""
        session = await super().create_session()
        session._trust_env = self._through_environment
        return session


async def count_floods(
    make_request: NextRequestMiddlewareType[TelegramType], bot: Bot, method: TelegramMethod[TelegramType]
) -> Response[TelegramType]:
    """Every 429 is counted, whatever becomes of the request: next to the network, behind those that try again."""
    try:
        return await make_request(bot, method)
    except TelegramRetryAfter:
        metrics.FLOODS.labels(method.__api_method__).inc()
        raise


@asynccontextmanager
async def showing(bot: Bot, chat_id: int, action: Literal["typing", "upload_photo"]) -> AsyncIterator[None]:
    """Show a chat action while the block runs. A chat action that fails is nobody's trouble.

    aiogram's ChatActionSender waits for a hanging request at its end; this one breaks it off.
    """

    async def repeat() -> None:
        while True:
            with suppress(TelegramAPIError, ClientDecodeError):
                await bot.send_chat_action(chat_id, action, request_timeout=5)
            await asyncio.sleep(CHAT_ACTION_INTERVAL)

    task = asyncio.create_task(repeat())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until_telegram_answers(
    call: Callable[[], Awaitable[object]],
    *,
    pause: float,
    event: str,
    told: Callable[[str], None] = lambda _why: None,
) -> None:
    """Make a call again every `pause` seconds while Telegram is away or refuses it.

    Each failure is one line called `event`, and `told` hears why. Raises what says that the token is wrong.
    """

    def note(attempt: RetryCallState) -> None:
        error = attempt.outcome.exception() if attempt.outcome else None
        # What Telegram says of a wrong request names the fault, and nothing that anybody wrote.
        why = str(error) if isinstance(error, TelegramBadRequest) else type(error).__name__
        log.warning(event, error=why)
        told(why)

    retrying = AsyncRetrying(
        retry=retry_if_exception_type((TelegramAPIError, ClientDecodeError))
        & retry_if_not_exception_type(WRONG_TOKEN),
        wait=wait_fixed(pause),
        before_sleep=note,
        reraise=True,
    )
    await retrying(call)


def meaning(error: Exception) -> NotTaken | Refused | Unknown:
    """What an error of a request says about whether Telegram carried it out."""
    if isinstance(error, ClientDecodeError):
        # A page of some proxy, or a yes that aiogram does not understand: it may be in the chat.
        # Only the kind is told, because the text of this error repeats what was sent.
        return Unknown(type(error).__name__)
    why = f"{type(error).__name__}: {error}"
    reached = not isinstance(error.__cause__, aiohttp.ClientConnectorError)
    match error:
        case TelegramRetryAfter():
            outcome: NotTaken | Refused | Unknown = NotTaken(error.retry_after, why)
        case TelegramForbiddenError():
            outcome = Refused(why, reachable=False)
        case TelegramNotFound() | TelegramUnauthorizedError():
            # The token is wrong or was changed: photos wait for the operator.
            outcome = NotTaken(30, why)
        case TelegramBadRequest():
            outcome = Refused(why, reachable="chat not found" not in str(error))
        case TelegramEntityTooLarge():
            outcome = Refused(why, reachable=True)
        case TelegramNetworkError() if reached:
            outcome = Unknown(why)
        case _:
            # A refused connection, or Telegram's own word that it failed: the request was not carried out.
            outcome = NotTaken(2, why)
    return outcome
