"""The bot process: builds everything, receives updates, and is the one place that starts background tasks."""

import asyncio
import os
import random
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import aiohttp
import structlog
from aiogram import Bot, Dispatcher
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramAPIError,
    TelegramBadRequest,
)
from aiogram.types import BotCommandScopeAllPrivateChats, BotCommandScopeChat, Update

from bot import check_data
from bot.admin.actions import AdminActions
from bot.admin.broadcast_sender import BroadcastSender
from bot.background import BackgroundTasks
from bot.chat.conversation import Conversation
from bot.chat.drafts import Drafts
from bot.chat.proactive import Proactive
from bot.handlers import build_router
from bot.handlers.account.payment import answer_checkout
from bot.handlers.personas.gallery import Gallery
from bot.llm.client import LanguageModel
from bot.llm.text_analysis import TextAnalyzer
from bot.monitoring import figures
from bot.monitoring.alerting import Alerting
from bot.parts import Parts
from bot.personas.catalog import PersonaCatalog
from bot.personas.persona import WrongPersona
from bot.personas.portraits import Portraits
from bot.photos.service import PhotoService
from bot.settings import Settings
from bot.telegram.flood_control import RetryAfterMiddleware
from bot.texts import DEFAULT, Texts
from bot.updates import polling, webhook
from bot.updates.dispatch import handler
from bot.updates.follow_ups import FollowUps
from bot.updates.inbox import Inbox
from bot.updates.menu import ADMIN_COMMANDS, COMMANDS, _menu
from bot.updates.middlewares import Maintenance, PersonMiddleware
from bot.updates.rate_limit import RateLimitMiddleware
from generation import storage
from generation.errors import WorkflowError
from generation.orders import jobs
from generation.runtime import logs, operator_switches, telegram
from generation.runtime.database import CONNECTION_ERRORS, Database
from generation.runtime.monitoring import alert_rules, http_server, incidents
from generation.runtime.monitoring.alert_rules import RulesError
from generation.runtime.monitoring.figures import Snapshot
from generation.workflows import workflow

log = structlog.get_logger(__name__)

#: Where `/metrics` is when METRICS_PORT says nothing; a worker has 9102.
METRICS_PORT = 9101
#: Asked for beside what the dispatcher's handlers take.
AT_ONCE = "pre_checkout_query"


class Application:
    """Everything of one bot process. Lives inside `running`."""

    def __init__(self, settings: Settings, bot: Bot, dispatcher: Dispatcher, inbox: Inbox, texts: Texts) -> None:
        self.settings = settings
        self.bot = bot
        self.inbox = inbox
        self._texts = texts
        self._kinds = [*dispatcher.resolve_used_update_types(), AT_ONCE]
        self.initiative: Proactive | None = None
        #: Where `/metrics` is served.
        self.endpoint_port = 0

    async def receive(self) -> None:
        """Take updates until cancelled."""
        if self.settings.webhook_url is None:
            log.info("bot.started", updates="polling", bot_id=self.bot.id)
            await polling.poll(self.bot, self.inbox, self._kinds)
        else:
            async with webhook.webhook(self.bot, self.inbox, self._kinds, self.settings) as port:
                log.info("bot.started", updates="webhook", port=port, bot_id=self.bot.id)
                await asyncio.Event().wait()

    async def introduce(self) -> None:
        """Set menus and descriptions, in every language; without Telegram it is tried until it works."""
        while True:
            try:
                for locale in self._texts.locales:
                    await self._introduce(locale, None if locale == DEFAULT else locale)
            except (TelegramAPIError, ClientDecodeError) as error:
                log.warning("bot.not_introduced", error=type(error).__name__)
                await asyncio.sleep(10)
            else:
                return

    async def _introduce(self, locale: str, language_code: str | None) -> None:
        say = self._texts.in_locale(locale)
        await self.bot.set_my_commands(
            _menu(say, COMMANDS), scope=BotCommandScopeAllPrivateChats(), language_code=language_code
        )
        await self.bot.set_my_description(say("bot-description"), language_code=language_code)
        await self.bot.set_my_short_description(say("bot-short-description"), language_code=language_code)
        for admin in self.settings.admin_ids:
            # An operator who has never written to the bot has no chat yet.
            with suppress(TelegramBadRequest):
                await self.bot.set_my_commands(
                    _menu(say, ADMIN_COMMANDS),
                    scope=BotCommandScopeChat(chat_id=admin),
                    language_code=language_code,
                )


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Application]:
    """Build the process from its settings, close it in reverse order."""
    async with AsyncExitStack() as stack:
        texts, limit = Texts(), RateLimitMiddleware(settings)
        parts = await _parts(settings, texts, limit, stack)
        admin_actions = await _desk(parts, texts, stack)
        dispatcher = await _dispatcher(parts, admin_actions, limit, stack)
        inbox = _inbox(parts, dispatcher, texts)
        application = Application(settings, parts.bot, dispatcher, inbox, texts)
        application.initiative = Proactive(
            settings=settings,
            database=parts.database,
            bot=parts.bot,
            language_model=parts.language_model,
            text_analyzer=parts.text_analyzer,
            catalog=parts.catalog,
            texts=texts,
        )
        broadcasting = BroadcastSender(settings=settings, database=parts.database, bot=parts.bot, texts=texts)
        for work in (
            inbox.run(partial(_touch, settings.health_file)),
            application.initiative.run(),
            application.introduce(),
            admin_actions.alerting.run(),
            _follow_reloads(admin_actions),
            broadcasting.run(),
        ):
            parts.background(work)
        application.endpoint_port = await stack.enter_async_context(
            http_server.serving(
                settings.metrics_host,
                METRICS_PORT if settings.metrics_port is None else settings.metrics_port,
                snapshot=partial(_snapshot, admin_actions),
                figures=figures.FIGURES,
                ready=partial(_ready, parts.database),
            )
        )
        yield application
        await inbox.finish(settings.shutdown_wait)


async def _parts(settings: Settings, texts: Texts, limit: RateLimitMiddleware, stack: AsyncExitStack) -> Parts:
    """Connections, and what answering works with."""
    database = Database(settings.database_url)
    stack.push_async_callback(database.close)
    redis = jobs.connect(settings.redis_url, queue=settings.arq_queue, retries=1)
    stack.push_async_callback(redis.aclose)
    bot = telegram.connect(settings, RetryAfterMiddleware())
    stack.push_async_callback(bot.session.close)
    background = BackgroundTasks()
    stack.push_async_callback(background.close)

    def model_failed(kind: str) -> None:
        background(incidents.note(database, incidents.LANGUAGE_MODEL, kind))

    language_model = LanguageModel(settings, failed=model_failed)
    stack.push_async_callback(language_model.close)
    catalog = PersonaCatalog(check_data.load_all_or_stop(workflow.load_or_stop(settings.workflows_folder), texts))
    text_analyzer = TextAnalyzer()
    stack.callback(text_analyzer.close)
    await text_analyzer.open()
    return Parts(
        settings=settings,
        database=database,
        redis=redis,
        bot=bot,
        language_model=language_model,
        catalog=catalog,
        text_analyzer=text_analyzer,
        ordering=PhotoService(settings=settings, text_analyzer=text_analyzer, rng=random.Random()),
        drafts=Drafts(bot, text_analyzer.showable),
        follow_ups=FollowUps(database, bot_id=bot.id, allows=limit.has_left),
        background=background,
    )


async def _desk(parts: Parts, texts: Texts, stack: AsyncExitStack) -> AdminActions:
    """What operators work with."""
    alerting = Alerting(
        settings=parts.settings,
        database=parts.database,
        bot=parts.bot,
        texts=texts,
        session=await stack.enter_async_context(aiohttp.ClientSession()),
        rules=alert_rules.load_or_stop(parts.settings.alerts_file),
    )
    return AdminActions(parts.settings, parts.database, parts.redis, parts.bot, texts, parts.catalog, alerting)


async def _dispatcher(
    parts: Parts, admin_actions: AdminActions, limit: RateLimitMiddleware, stack: AsyncExitStack
) -> Dispatcher:
    """Handlers behind their middlewares, and what handlers may name among their parameters."""
    dispatcher = Dispatcher(
        settings=parts.settings,
        texts=admin_actions.texts,
        database=parts.database,
        redis=parts.redis,
        originals=await stack.enter_async_context(storage.opened(parts.settings)),
        language_model=parts.language_model,
        catalog=parts.catalog,
        text_analyzer=parts.text_analyzer,
        ordering=parts.ordering,
        conversation=Conversation(parts),
        gallery=Gallery(
            settings=parts.settings,
            database=parts.database,
            catalog=parts.catalog,
            portraits=Portraits(),
            bot=parts.bot,
            rng=random.Random(),
        ),
        background=parts.background,
        admin_actions=admin_actions,
    )
    dispatcher.update.outer_middleware(PersonMiddleware(parts.database, admin_actions.texts))
    dispatcher.update.outer_middleware(Maintenance(parts.database, parts.settings))
    dispatcher.update.outer_middleware(limit)
    dispatcher.include_router(build_router())
    return dispatcher


def _inbox(parts: Parts, dispatcher: Dispatcher, texts: Texts) -> Inbox:
    def at_once(update: Update) -> bool:
        """Whoever pays must not wait behind their own talk."""
        query = update.pre_checkout_query
        if query is not None:
            parts.background(answer_checkout(parts.bot, query, parts.settings, texts, parts.database))
        return query is not None

    return Inbox(
        parts.database,
        bot_id=parts.bot.id,
        replica=f"{socket.gethostname()}:{os.getpid()}",
        handle=handler(parts.bot, dispatcher, texts, parts.database),
        at_once=at_once,
        arrived=parts.follow_ups.came,
    )


async def _snapshot(admin_actions: AdminActions) -> Snapshot:
    async with admin_actions.database.unit() as session:
        return await figures.read(session, admin_actions.settings, window=admin_actions.alerting.rules.window)


async def _ready(database: Database) -> dict[str, str]:
    """What keeps this process from answering people."""
    try:
        async with database.unit() as session:
            await operator_switches.read(session)
    except CONNECTION_ERRORS as error:
        return {"postgresql": type(error).__name__}
    return {}


async def _follow_reloads(admin_actions: AdminActions) -> None:
    """Another replica's operator said /reload."""
    known: int | None = None
    while True:
        try:
            async with admin_actions.database.unit() as session:
                wanted = (await operator_switches.read(session)).reload
            if known not in {None, wanted}:
                await admin_actions.read_files()
        except (*CONNECTION_ERRORS, WrongPersona, WorkflowError, RulesError) as error:
            log.warning("bot.files_not_read_again", error=type(error).__name__)
        else:
            known = wanted
        await asyncio.sleep(admin_actions.settings.alerts_every)


def _touch(file: Path | None) -> None:
    if file is not None:
        file.touch()


async def main(settings: Settings) -> None:
    """Run until SIGINT or SIGTERM."""
    logs.configure(settings.log_format, settings.log_level, process="bot", sentry_dsn=settings.sentry_dsn)
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
