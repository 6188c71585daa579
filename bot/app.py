"""The bot process: builds everything, receives updates, and starts what runs beside them."""

import asyncio
import gc
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial

import aiohttp
import structlog
from aiogram import Bot, Dispatcher

from bot import parts
from bot.accounts import usage
from bot.accounts.retention import TalkRetention
from bot.admin.broadcast_sender import EVERY as BROADCASTS_EVERY
from bot.admin.broadcast_sender import BroadcastSender
from bot.admin.tools import AdminTools, Reloads
from bot.chat.proactive import EVERY as PROACTIVE_EVERY
from bot.chat.proactive import ProactiveMessages
from bot.dialogues import memory
from bot.handlers import build_router
from bot.monitoring import figures
from bot.personas.catalog import PersonaCatalog
from bot.personas.references import References
from bot.photos.delays import EVERY as DELAYS_EVERY
from bot.photos.service import PhotoService
from bot.reading.text_analysis import TextAnalyzer
from bot.receiver import METRICS_PORT, Receiver, at_once, ready
from bot.settings import Settings
from bot.texts import Texts
from bot.updates import menu
from bot.updates.claims import bring_back, place
from bot.updates.dispatch import handler, tell_of_put_away
from bot.updates.follow_ups import FollowUps
from bot.updates.inbox import EVERY as INBOX_EVERY
from bot.updates.inbox import Inbox
from bot.updates.middlewares import AccessMiddleware, MaintenanceMiddleware, PersonMiddleware
from bot.updates.rate_limit import RateLimit, RateLimitMiddleware
from generation import storage
from generation.errors import StorageUnavailable
from generation.runtime import logs, operator_switches
from generation.runtime.background import kept_up, periodically, stop_signal, until_one_ends
from generation.runtime.database import Database
from generation.runtime.monitoring import http_server, incidents
from generation.runtime.monitoring.figures import Snapshot

log = structlog.get_logger(__name__)

#: Seconds between two looks at the figures by the alert rules, and at what another replica's operator changed.
ALERTS_EVERY = 5.0
#: And between two rounds in which old rows are deleted.
CLEANED_EVERY = 600.0
#: And between two looks whether every persona's reference pictures are in S3; S3 is asked for new ones alone.
REFERENCES_EVERY = 30.0


class Application:
    """One bot process, as `running` built it; ends with that block."""

    def __init__(self, settings: Settings, bot: Bot, inbox: Inbox, proactive: ProactiveMessages) -> None:
        self.settings = settings
        self.bot = bot
        self.inbox = inbox
        self.proactive = proactive
        #: Where `/metrics` is served.
        self.endpoint_port = 0
        self._receiver = Receiver(settings, bot, inbox)

    async def receive(self) -> None:
        """Take updates until cancelled."""
        await self._receiver.receive()

    @property
    def waits_for(self) -> str:
        """Why no update can come yet; empty once they can."""
        return self._receiver.waits_for


@asynccontextmanager
async def running(
    settings: Settings,
    *,
    receives: bool = True,
    alerts_every: float = ALERTS_EVERY,
    text_analyzer: TextAnalyzer | None = None,
) -> AsyncIterator[Application]:
    """Build the process from its settings, close it in reverse order.

    `receives`: whether it takes updates from Telegram, or answers what others wrote down. `alerts_every` is in
    seconds; `text_analyzer` is one that outlives this bot, without it the bot has its own.
    """
    async with AsyncExitStack() as stack:
        shared = await parts.shared(await parts.base(settings, stack), stack, text_analyzer)
        database, texts, background = shared.database, shared.texts, shared.background
        photos = PhotoService(settings=settings, text_analyzer=shared.text_analyzer, rng=random.Random())
        follow_ups = FollowUps(database, bot_id=shared.bot.id, allows=shared.rate_limit.has_left)
        proactive = parts.proactive(shared)
        tools = parts.tools(shared, await stack.enter_async_context(aiohttp.ClientSession()), alerts_every)
        broadcasts = BroadcastSender(settings=settings, database=database, bot=shared.bot, texts=texts)
        drafts = parts.drafts(shared)
        originals = await stack.enter_async_context(storage.opened(settings))
        dispatcher = _dispatcher(settings, database, texts, shared.rate_limit)
        # What handlers may name among their parameters.
        dispatcher.workflow_data.update(
            settings=settings,
            texts=texts,
            database=database,
            redis=shared.redis,
            originals=originals,
            language_model=shared.language_model,
            attachments=await parts.attachments(shared, stack),
            catalog=shared.catalog,
            text_analyzer=shared.text_analyzer,
            photos=photos,
            conversation=parts.conversation(shared, photos, follow_ups, drafts),
            picker=parts.picker(shared, originals),
            background=background,
            tools=tools,
        )
        inbox = _inbox(shared, dispatcher, follow_ups)
        application = Application(settings, shared.bot, inbox, proactive)
        references = partial(_store_references, shared.catalog, References(originals))
        listen = partial(shared.switchboard.listen, came=inbox.came, pushed_back=drafts.pause)
        for work in (
            periodically(INBOX_EVERY, inbox.look_around, name="inbox", at_once=True),
            periodically(DELAYS_EVERY, parts.delays(shared).look, name="delays"),
            periodically(PROACTIVE_EVERY, proactive.look_around, name="proactive"),
            periodically(CLEANED_EVERY, partial(_forget_old, database, inbox), name="old_rows"),
            periodically(CLEANED_EVERY, partial(TalkRetention(settings).round, database), name="retention"),
            periodically(REFERENCES_EVERY, references, name="references", at_once=True),
            periodically(BROADCASTS_EVERY, broadcasts.look, name="broadcasts", woken=tools.broadcast_began),
            periodically(alerts_every, tools.alerting.look, name="alerts"),
            periodically(alerts_every, Reloads(tools).look, name="reloads", at_once=True),
            kept_up(listen, name="switchboard"),
            menu.introduce(shared.bot, texts, settings.admin_ids),
        ):
            background(work)
        waits_for = partial(_waits_for, application) if receives else str
        application.endpoint_port = await stack.enter_async_context(_endpoint(tools, waits_for))
        yield application
        await inbox.finish(settings.shutdown_wait)


def _endpoint(tools: AdminTools, waits_for: Callable[[], str]) -> AbstractAsyncContextManager[int]:
    return http_server.serving(
        tools.settings.metrics_host,
        tools.settings.metrics_port,
        usual=METRICS_PORT,
        snapshot=partial(_snapshot, tools),
        figures=figures.FIGURES,
        ready=partial(ready, tools.database, waits_for),
    )


def _waits_for(application: Application) -> str:
    return application.waits_for


def _inbox(shared: parts.Shared, dispatcher: Dispatcher, follow_ups: FollowUps) -> Inbox:
    bot, database, texts = shared.bot, shared.database, shared.texts

    async def put_away(kind: str, chat_id: int) -> None:
        """The operators hear of it by the alert, the person at once."""
        await incidents.note(database, incidents.UPDATE_PUT_AWAY, kind)
        await tell_of_put_away(bot, database, texts, chat_id)

    return Inbox(
        database,
        bot_id=bot.id,
        replica=place(),
        handle=handler(bot, dispatcher, texts, database),
        at_once=at_once(shared),
        arrived=follow_ups.came,
        put_away=put_away,
        switchboard=shared.switchboard,
    )


def _dispatcher(settings: Settings, database: Database, texts: Texts, rate_limit: RateLimit) -> Dispatcher:
    """Handlers behind their middlewares; who may go on is asked when it is known which handler it will be."""
    dispatcher = Dispatcher()
    dispatcher.update.outer_middleware(PersonMiddleware(database, texts, settings))
    before = (
        AccessMiddleware(database),
        MaintenanceMiddleware(database, settings),
        RateLimitMiddleware(rate_limit),
    )
    for observer in (dispatcher.message, dispatcher.edited_message, dispatcher.callback_query):
        for middleware in before:
            observer.middleware(middleware)
    dispatcher.include_router(build_router())
    return dispatcher


async def _store_references(catalog: PersonaCatalog, references: References) -> None:
    """Have the workers find the faces of all personas, also of those that were read anew."""
    try:
        await references.store(each for persona in catalog.personas.values() for each in persona.looks.pictures)
    except StorageUnavailable as error:
        log.warning("references.not_stored", error=str(error))


async def _forget_old(database: Database, inbox: Inbox) -> None:
    """Rows that nobody will ask for again."""
    async with database.autocommit() as session:
        if (await operator_switches.read(session)).maintenance_since is None:
            # Another process may have postponed something just when the maintenance ended.
            await session.execute(bring_back())
        await memory.forget_old(session)
    await usage.forget_old(database)
    await incidents.forget_old(database)
    await inbox.forget_old()


async def _snapshot(tools: AdminTools) -> Snapshot:
    async with tools.database.unit() as session:
        alerting = tools.alerting
        return await alerting.figures.read(session, window=alerting.rules.window, at_most_old=figures.OLDEST)


async def main(settings: Settings, *, receives: bool = True, parent: int | None = None) -> None:
    """Run until SIGINT or SIGTERM, or until the process `parent` has ended, which started this one."""
    logs.configure(settings.log_format, settings.log_level, process="bot", sentry_dsn=settings.sentry_dsn)
    stop = stop_signal()
    async with running(settings, receives=receives) as application:
        # What was built for the life of the process need not be looked at by each collection.
        gc.collect()
        gc.freeze()
        work: list[Awaitable[object]] = [stop.wait()]
        if receives:
            work.append(application.receive())
        else:
            log.info("bot.started", updates="of others", bot_id=application.bot.id)
        if parent is not None:
            work.append(_end_of(parent))
        await until_one_ends(*work)
    log.info("bot.stopped")


async def _end_of(parent: int) -> None:
    """Until this process is an orphan."""
    while os.getppid() == parent:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(1)
