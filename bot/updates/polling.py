"""Long polling: updates are asked for and written down, and confirmed only then."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from aiogram import Bot
from aiogram.exceptions import ClientDecodeError, TelegramRetryAfter
from aiogram.types import Update
from pydantic import ValidationError

from bot.updates.inbox import Inbox
from generation.runtime.settings import WrongSettings
from generation.runtime.telegram import WRONG_TOKEN, WRONG_TOKEN_WORDS, until_telegram_answers

log = structlog.get_logger(__name__)

POLL_SECONDS = 25


async def poll(bot: Bot, inbox: Inbox, kinds: Sequence[str], *, waits: Callable[[str], None]) -> None:
    """Ask for updates for ever. The offset, which confirms, moves only after the rows are committed.

    `waits` hears why no update can come yet; nothing once they can.
    """
    await when_telegram_answers(bot.delete_webhook, waits)
    waits("")
    offset: int | None = None
    while True:
        try:
            updates, last = await _next_updates(bot, offset, kinds)
            await inbox.receive(updates)
        except WRONG_TOKEN:
            raise WrongSettings(WRONG_TOKEN_WORDS) from None
        except Exception as error:
            # Telegram or PostgreSQL is away: nothing was confirmed, and Telegram sends it again.
            pause = error.retry_after if isinstance(error, TelegramRetryAfter) else 1
            log.warning("polling.broken", error=type(error).__name__, pause=pause)
            await asyncio.sleep(pause)
        else:
            # What was asked with it is confirmed; after a quiet week Telegram may go on with lower numbers.
            offset = None if last is None else last + 1


async def _next_updates(bot: Bot, offset: int | None, kinds: Sequence[str]) -> tuple[list[Update], int | None]:
    """Updates, and the number of the last one. An update that aiogram cannot read must not stop the others."""
    try:
        updates = await bot.get_updates(
            offset=offset, timeout=POLL_SECONDS, allowed_updates=list(kinds), request_timeout=POLL_SECONDS + 10
        )
    except ClientDecodeError as error:
        items = error.data.get("result") if isinstance(error.data, dict) else None
        if not isinstance(items, list) or not items:
            raise
        return [update for item in items if (update := _readable(item))], items[-1]["update_id"]
    return updates, updates[-1].update_id if updates else None


def _readable(item: Any) -> Update | None:
    try:
        return Update.model_validate(item)
    except ValidationError:
        log.warning("update.unreadable", kinds=sorted(set(item) - {"update_id"}))
        return None


async def when_telegram_answers(call: Callable[[], Awaitable[Any]], told: Callable[[str], None]) -> None:
    """Try one call until it goes through, once a second; a wrong token ends the process with a sentence."""
    try:
        await until_telegram_answers(call, pause=1, event="telegram.away", told=told)
    except WRONG_TOKEN:
        raise WrongSettings(WRONG_TOKEN_WORDS) from None
