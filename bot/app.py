"""The bot process: builds everything, receives updates, and is the one place that starts background tasks."""

import asyncio
import os
import random
import signal
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

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
from aiogram.types import BotCommand, Update
from asyncpg.exceptions import DataError
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bot import check_data, receivers
from bot.conversation import Conversation
from bot.handlers import build_router
from bot.handlers.middleware import WhoIsIt
from bot.inbox import Inbox, TryAgain, chat_of
from bot.language_model import LanguageModel
from bot.ordering import Ordering
from bot.reading import Reader
from bot.sending import ObeyTelegram
from bot.settings import Settings
from bot.texts import DEFAULT, Texts
from generation import doorbell, logs, telegram, workflow
from generation.database import Database

log = structlog.get_logger(__name__)

COMMANDS = ("photo", "persona", "story", "settings", "reset", "help")

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


class BackgroundTasks:
    """Tasks that nobody waits for: kept alive, their errors logged, ended with the process."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._guard(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:
            log.exception("background.failed")


class Application:
    """Everything of one bot process. Lives inside `running`."""

    def __init__(self, settings: Settings, bot: Bot, dispatcher: Dispatcher, inbox: Inbox, texts: Texts) -> None:
        self.settings = settings
        self.bot = bot
        self.inbox = inbox
        self._texts = texts
        self._kinds = dispatcher.resolve_used_update_types()

    async def receive(self) -> None:
        """Take updates until cancelled."""
        if self.settings.webhook_url is None:
            log.info("bot.started", updates="polling", bot_id=self.bot.id)
            await receivers.poll(self.bot, self.inbox, self._kinds)
        else:
            async with receivers.webhook(self.bot, self.inbox, self._kinds, self.settings) as port:
                log.info("bot.started", updates="webhook", port=port, bot_id=self.bot.id)
                await asyncio.Event().wait()

    async def introduce(self) -> None:
        """Set the commands menu, in every language; without Telegram it is tried until it works."""
        while True:
            try:
                for locale in self._texts.locales:
                    await self.bot.set_my_commands(
                        self._commands(locale), language_code=None if locale == DEFAULT else locale
                    )
            except (TelegramAPIError, ClientDecodeError) as error:
                log.warning("bot.commands_not_set", error=type(error).__name__)
                await asyncio.sleep(10)
            else:
                return

    def _commands(self, locale: str) -> list[BotCommand]:
        say = self._texts.in_locale(locale)
        return [BotCommand(command=name, description=say(f"command-{name}")) for name in COMMANDS]


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Application]:
    """Build the process from its settings, close it in reverse order."""
    async with AsyncExitStack() as stack:
        database = Database(settings.database_url)
        stack.push_async_callback(database.close)
        redis = doorbell.connect(settings.redis_url, queue=settings.arq_queue, retries=1)
        stack.push_async_callback(redis.aclose)
        bot = telegram.connect(settings)
        bot.session.middleware(ObeyTelegram())
        stack.push_async_callback(bot.session.close)
        language_model = LanguageModel(settings)
        stack.push_async_callback(language_model.close)
        background = BackgroundTasks()
        stack.push_async_callback(background.close)
        texts = Texts()
        personas = check_data.load_all_or_stop(workflow.load_or_stop(settings.workflows_folder))
        rng = random.Random()
        reader = Reader()
        stack.callback(reader.close)
        await reader.open()
        ordering = Ordering(settings=settings, reader=reader, rng=rng)
        conversation = Conversation(
            settings=settings,
            database=database,
            redis=redis,
            bot=bot,
            language_model=language_model,
            personas=personas,
            reader=reader,
            ordering=ordering,
            background=background,
        )
        dispatcher = Dispatcher(
            settings=settings,
            database=database,
            redis=redis,
            personas=personas,
            conversation=conversation,
            ordering=ordering,
            rng=rng,
        )
        dispatcher.update.outer_middleware(WhoIsIt(database, texts))
        dispatcher.include_router(build_router())
        inbox = Inbox(
            database,
            bot_id=bot.id,
            replica=f"{socket.gethostname()}:{os.getpid()}",
            handle=_handler(bot, dispatcher, texts),
        )
        application = Application(settings, bot, dispatcher, inbox, texts)
        background(inbox.run(partial(_touch, settings.health_file)))
        background(application.introduce())
        yield application
        await inbox.finish(settings.shutdown_wait)


def _touch(file: Path | None) -> None:
    if file is not None:
        file.touch()


def _handler(bot: Bot, dispatcher: Dispatcher, texts: Texts) -> Any:
    """The one place that catches everything a handler can raise."""

    async def handle(update: Update) -> None:
        try:
            await dispatcher.feed_update(bot, update)
        except TelegramForbiddenError:
            log.info("update.person_unreachable")
        except TelegramBadRequest as error:
            # For one, a button pressed so long ago that its query can no longer be answered.
            log.warning("update.refused_by_telegram", error=str(error))
        except PASSING as error:
            if not _never_passes(error):
                raise TryAgain(type(error).__name__) from error
            log.exception("update.failed")
            await _apologise(bot, update, texts)
        except Exception:
            log.exception("update.failed")
            await _apologise(bot, update, texts)

    return handle


def _never_passes(error: BaseException) -> bool:
    """A value that PostgreSQL cannot take stays one: tried again, it would silence its chat for an hour."""
    return isinstance(error, DBAPIError) and isinstance(getattr(error.orig, "__cause__", None), DataError)


async def _apologise(bot: Bot, update: Update, texts: Texts) -> None:
    chat_id = chat_of(update)
    if chat_id <= 0:
        return
    user = getattr(update.event, "from_user", None)
    say = texts.in_locale(texts.locale_of(user.language_code if user else None))
    try:
        await bot.send_message(chat_id, say("went-wrong"))
    except (TelegramAPIError, ClientDecodeError) as error:
        log.warning("update.no_apology", error=type(error).__name__)


async def main(settings: Settings) -> None:
    """Run until SIGINT or SIGTERM."""
    logs.configure(settings.log_format, settings.log_level, process="bot")
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running(settings) as application:
        receiving = asyncio.create_task(application.receive())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({receiving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if receiving.done():
            receiving.result()
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)
    log.info("bot.stopped")
