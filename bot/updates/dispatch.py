"""The one place that catches everything a handler can raise."""

import errno
import socket

import aiohttp
import structlog
from aiogram import Bot, Dispatcher
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramAPIError,
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
)
from aiogram.types import Update
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bot import metrics
from bot.accounts import people
from bot.models import Person
from bot.telegram.own_time import timing
from bot.telegram.topics import within_topic
from bot.texts import Texts
from bot.updates.inbox import Handle, Postponed, TryAgain, chat_of
from generation.runtime.database import Database, is_permanent
from generation.runtime.telegram import Unknown, meaning

log = structlog.get_logger(__name__)

#: Faults that pass: the update is handled again. A lost answer is worse than one that comes twice.
PASSING = (
    TelegramNetworkError,
    TelegramServerError,
    TelegramRetryAfter,
    ClientDecodeError,
    DBAPIError,
    InterfaceError,
    PoolTimeout,
    OSError,
    aiohttp.ClientError,
    TimeoutError,
)
#: What a network, or too many open files, says of an OSError; any other one would be the same at the next try.
_PASSING_ERRNO = {
    None,
    errno.ENETDOWN,
    errno.ENETUNREACH,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.EADDRNOTAVAIL,
    errno.EMFILE,
    errno.ENFILE,
}


#: Methods whose refusal nobody notices.
UNANSWERED = {"SendChatAction", "SendMessageDraft"}


def _may_be_said(error: Exception) -> bool:
    """Whether Telegram may have taken the words all the same: the answer to them was lost."""
    of_telegram = isinstance(error, TelegramAPIError | ClientDecodeError)
    return of_telegram and isinstance(meaning(error), Unknown)


def _passes(error: BaseException) -> bool:
    of_network = ConnectionError | TimeoutError | socket.gaierror | aiohttp.ClientError
    if isinstance(error, OSError) and not isinstance(error, of_network):
        return error.errno in _PASSING_ERRNO
    return not is_permanent(error)


def handler(bot: Bot, dispatcher: Dispatcher, texts: Texts, database: Database) -> Handle:
    """What the inbox does with an update: never raises but for TryAgain and Postponed."""

    async def handle(update: Update) -> None:
        kind, outcome = update.event_type, "handled"
        try:
            with timing() as stopwatch, within_topic(update):
                await dispatcher.feed_update(bot, update)
            metrics.OWN_SECONDS.observe(stopwatch.own_seconds)
            log.debug("update.handled", seconds=stopwatch.seconds, own_seconds=stopwatch.own_seconds)
        except Postponed:
            outcome = "postponed"
            raise
        except TelegramForbiddenError:
            outcome = "unreachable"
            await _unreachable(update, database)
        except TelegramBadRequest as error:
            # For one, a button pressed so long ago that its query can no longer be answered.
            outcome = "refused"
            await _refused(error, bot, update, texts)
        except PASSING as error:
            # Tried again, a value that cannot be stored would silence its chat for an hour.
            outcome = "failed"
            if _passes(error):
                outcome = "tried_again"
                raise TryAgain(type(error).__name__, unsure=_may_be_said(error)) from error
            log.exception("update.failed")
            await _apologise(bot, update, texts)
        except Exception:
            outcome = "failed"
            log.exception("update.failed")
            await _apologise(bot, update, texts)
        finally:
            metrics.UPDATES.labels(kind, outcome).inc()

    return handle


async def _unreachable(update: Update, database: Database) -> None:
    log.info("update.person_unreachable")
    if (chat_id := chat_of(update)) > 0:
        async with database.unit() as session:
            await people.blocked(session, chat_id)


async def _refused(error: TelegramBadRequest, bot: Bot, update: Update, texts: Texts) -> None:
    """Telegram would not take something; where that were words, they are not met with silence."""
    method = type(error.method).__name__
    log.warning("update.refused_by_telegram", error=str(error), method=method)
    if method.startswith("Send") and method not in UNANSWERED:
        await _apologise(bot, update, texts)


async def tell_of_put_away(bot: Bot, database: Database, texts: Texts, chat_id: int) -> None:
    """A calm word to whoever wrote what could not be read. Only in a private chat, whose number is its person's."""
    async with database.unit() as session:
        locale = await session.scalar(select(Person.locale).where(Person.id == chat_id))
    if locale is None:
        return
    say = texts.in_locale(locale)
    try:
        await bot.send_message(chat_id, say("update-put-away"))
    except (TelegramAPIError, ClientDecodeError) as error:
        log.warning("update.no_apology", error=type(error).__name__)


async def _apologise(bot: Bot, update: Update, texts: Texts) -> None:
    chat_id = chat_of(update)
    if chat_id <= 0:
        return
    user = getattr(update.event, "from_user", None)
    say = texts.in_locale(texts.locale_of(user.language_code if user else None))
    try:
        with within_topic(update):
            await bot.send_message(chat_id, say("went-wrong"))
    except (TelegramAPIError, ClientDecodeError) as error:
        log.warning("update.no_apology", error=type(error).__name__)
