"""The webhook: Telegram's requests, checked, written down, and confirmed only then."""

import asyncio
import hmac
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

import structlog
from aiogram import Bot
from aiogram.types import Update
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import ValidationError

from bot.settings import Settings
from bot.updates.inbox import Inbox
from bot.updates.polling import when_telegram_answers
from generation.runtime.database import CONNECTION_ERRORS

log = structlog.get_logger(__name__)

WEBHOOK_PATH = "/telegram"
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - the name of the header
#: Telegram's own updates stay far below it.
MAX_UPDATE_BYTES = 1024 * 1024
#: Seconds in which a request must be complete, and for which a connection is kept for the next one.
REQUEST_WITHIN, KEPT_OPEN = 10.0, 75.0


Handler = Callable[[web.Request], Awaitable[web.Response]]


class Connections:
    """Closes those that begin a request and do not end it; aiohttp waits for a head as long as the client likes."""

    def __init__(self, *, request_within: float = REQUEST_WITHIN, kept_open: float = KEPT_OPEN) -> None:
        self._request_within = request_within
        self._kept_open = kept_open
        self._busy: set[web.RequestHandler] = set()
        #: Those that brought a request, and when each was last served or first seen.
        self._served: set[web.RequestHandler] = set()
        self._since: dict[web.RequestHandler, float] = {}

    def watched(self, handler: Handler) -> Handler:
        """The handler, during which its connection is not silent."""

        async def handle(request: web.Request) -> web.Response:
            connection = request.protocol
            self._busy.add(connection)
            self._served.add(connection)
            try:
                return await handler(request)
            finally:
                self._busy.discard(connection)
                self._since[connection] = time.monotonic()

        return handle

    async def close_silent(self, runner: web.AppRunner) -> None:
        """Look once a second, until cancelled."""
        while True:
            await asyncio.sleep(1)
            now = time.monotonic()
            connections = set(runner.server.connections) if runner.server else set()
            self._served &= connections
            self._since = {each: self._since.get(each, now) for each in connections}
            for connection in connections - self._busy:
                patience = self._kept_open if connection in self._served else self._request_within
                if now - self._since[connection] > patience:
                    connection.force_close()


@asynccontextmanager
async def webhook(
    bot: Bot, inbox: Inbox, kinds: Sequence[str], settings: Settings, *, waits: Callable[[str], None]
) -> AsyncIterator[int]:
    """Serve the webhook and tell Telegram its address; yields the port. A redelivered update is harmless.

    `waits` hears why no update can come yet, in Telegram's words; nothing once they can.
    """
    secret = settings.webhook_secret.get_secret_value() if settings.webhook_secret else ""
    connections = Connections()
    application = web.Application(client_max_size=MAX_UPDATE_BYTES)
    application.router.add_post(WEBHOOK_PATH, connections.watched(_receiver(inbox, secret)))
    runner = web.AppRunner(application, access_log=None, logger=_quiet_logger(), keepalive_timeout=KEPT_OPEN)
    await runner.setup()
    closing = asyncio.create_task(connections.close_silent(runner))
    try:
        site = web.TCPSite(runner, settings.webhook_host, settings.webhook_port)
        await site.start()
        await when_telegram_answers(
            partial(
                bot.set_webhook,
                f"{settings.webhook_url}{WEBHOOK_PATH}",
                secret_token=secret,
                allowed_updates=list(kinds),
            ),
            waits,
        )
        waits("")
        port: int = runner.addresses[0][1]
        yield port
    finally:
        closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)
        await runner.cleanup()


def _receiver(inbox: Inbox, secret: str) -> Handler:
    away = asyncio.Event()

    async def receive(request: web.Request) -> web.Response:
        # aiohttp keeps the bytes of a header that are no text as lone surrogates.
        given = request.headers.get(SECRET_HEADER, "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, secret.encode()):
            return web.Response(status=403)
        try:
            async with asyncio.timeout(REQUEST_WITHIN):
                body = await request.read()
        except TimeoutError:
            raise web.HTTPRequestTimeout from None
        try:
            received = Update.model_validate_json(body)
        except ValidationError:
            # Told that it arrived, or Telegram would send the same unreadable thing for a day.
            log.warning("webhook.unreadable_update")
            return web.Response()
        try:
            await inbox.receive([received])
        except CONNECTION_ERRORS as error:
            # Telegram delivers it again. Said once in an outage, and not for each post.
            (log.debug if away.is_set() else log.warning)("webhook.database_away", error=type(error).__name__)
            away.set()
            return web.Response(status=503)
        away.clear()
        return web.Response()

    return receive


def _quiet_logger() -> logging.Logger:
    """aiohttp's own words, less those about requests that are no HTTP: strangers could fill the log with them."""
    logger = logging.getLogger("bot.updates.webhook.server")
    if not logger.filters:
        logger.addFilter(_is_worth_a_line)
    return logger


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))
