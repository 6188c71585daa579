"""The two ways in which updates come: long polling and a webhook. Both only write them down."""

import asyncio
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import structlog
from aiogram import Bot
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramAPIError,
    TelegramRetryAfter,
    TelegramUnauthorizedError,
)
from aiogram.types import Update
from aiohttp import web
from pydantic import ValidationError

from bot.inbox import Inbox
from bot.settings import Settings
from generation.settings import WrongSettings

log = structlog.get_logger(__name__)

POLL_SECONDS = 25
WEBHOOK_PATH = "/telegram"
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - the name of the header
#: Telegram's own updates stay far below it.
MAX_UPDATE_BYTES = 1024 * 1024


async def poll(bot: Bot, inbox: Inbox, kinds: Sequence[str]) -> None:
    """Ask for updates for ever. The offset, which confirms, moves only after the rows are committed."""
    await inbox.take_over()
    await _without_webhook(bot)
    offset: int | None = None
    while True:
        try:
            updates = await bot.get_updates(
                offset=offset,
                timeout=POLL_SECONDS,
                allowed_updates=list(kinds),
                request_timeout=POLL_SECONDS + 10,
            )
            await inbox.receive(updates)
        except TelegramUnauthorizedError:
            raise WrongSettings("BOT_TOKEN is wrong: Telegram does not know this bot.") from None
        except TelegramRetryAfter as error:
            await asyncio.sleep(error.retry_after)
        except (TelegramAPIError, ClientDecodeError) as error:
            log.warning("polling.broken", error=type(error).__name__)
            await asyncio.sleep(1)
        except Exception as error:  # PostgreSQL is away: nothing was confirmed, Telegram sends it again
            log.warning("polling.not_written_down", error=repr(error))
            await asyncio.sleep(1)
        else:
            if updates:
                offset = updates[-1].update_id + 1


async def _without_webhook(bot: Bot) -> None:
    """Polling answers 409 while a webhook is set."""
    while True:
        try:
            await bot.delete_webhook()
        except TelegramUnauthorizedError:
            raise WrongSettings("BOT_TOKEN is wrong: Telegram does not know this bot.") from None
        except (TelegramAPIError, ClientDecodeError) as error:
            log.warning("polling.telegram_away", error=type(error).__name__)
            await asyncio.sleep(1)
        else:
            return


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
        await bot.set_webhook(
            f"{settings.webhook_url}{WEBHOOK_PATH}", secret_token=secret, allowed_updates=list(kinds)
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
