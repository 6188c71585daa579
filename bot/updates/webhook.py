"""The webhook: Telegram's requests, checked, written down, and confirmed only then."""

import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

import structlog
from aiogram import Bot
from aiogram.types import Update
from aiohttp import web
from pydantic import ValidationError

from bot.settings import Settings
from bot.updates.inbox import Inbox
from bot.updates.polling import when_telegram_answers

log = structlog.get_logger(__name__)

WEBHOOK_PATH = "/telegram"
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - the name of the header
#: Telegram's own updates stay far below it.
MAX_UPDATE_BYTES = 1024 * 1024


@asynccontextmanager
async def webhook(bot: Bot, inbox: Inbox, kinds: Sequence[str], settings: Settings) -> AsyncIterator[int]:
    """Serve the webhook and tell Telegram its address; yields the port. A redelivered update is harmless."""
    secret = settings.webhook_secret.get_secret_value() if settings.webhook_secret else ""
    application = web.Application(client_max_size=MAX_UPDATE_BYTES)
    application.router.add_post(WEBHOOK_PATH, _receiver(inbox, secret))
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.webhook_host, settings.webhook_port)
        await site.start()
        await when_telegram_answers(
            partial(
                bot.set_webhook,
                f"{settings.webhook_url}{WEBHOOK_PATH}",
                secret_token=secret,
                allowed_updates=list(kinds),
            )
        )
        port: int = runner.addresses[0][1]
        yield port
    finally:
        await runner.cleanup()


def _receiver(inbox: Inbox, secret: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def receive(request: web.Request) -> web.Response:
        if not hmac.compare_digest(request.headers.get(SECRET_HEADER, "").encode(), secret.encode()):
            return web.Response(status=403)
        try:
            received = Update.model_validate_json(await request.read())
        except ValidationError:
            # Told that it arrived, or Telegram would send the same unreadable thing for a day.
            log.warning("webhook.unreadable_update")
            return web.Response()
        # An exception here answers 500, and Telegram delivers the update again.
        await inbox.receive([received])
        return web.Response()

    return receive
