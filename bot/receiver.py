"""Taking updates from Telegram: beside the answers in one process, or in a process that does nothing else."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial

import structlog
from aiogram import Bot, Dispatcher
from aiogram.types import Update

from bot import parts
from bot.handlers import build_router
from bot.handlers.account.payment import answer_checkout
from bot.settings import Settings
from bot.updates import polling, webhook
from bot.updates.claims import place
from bot.updates.inbox import EVERY as INBOX_EVERY
from bot.updates.inbox import Inbox
from generation.runtime import operator_switches
from generation.runtime.background import periodically
from generation.runtime.database import CONNECTION_ERRORS, Database
from generation.runtime.monitoring import http_server
from generation.runtime.monitoring.build import version
from generation.runtime.monitoring.figures import Snapshot

log = structlog.get_logger(__name__)

#: Where `/metrics` is when METRICS_PORT says nothing; a worker has 9102.
METRICS_PORT = 9101
#: Asked for beside what the dispatcher's handlers take.
AT_ONCE = "pre_checkout_query"


class Receiver:
    """Polls, or serves the webhook."""

    def __init__(self, settings: Settings, bot: Bot, inbox: Inbox) -> None:
        self._settings = settings
        self._bot = bot
        self._inbox = inbox
        #: Why no update can come yet; empty once they can.
        self.waits_for = "Telegram"

    async def receive(self) -> None:
        """Take updates until cancelled."""
        kinds = [*kinds_handled(), AT_ONCE]
        if self._settings.webhook_url is None:
            log.info("bot.started", updates="polling", bot_id=self._bot.id, version=version())
            await polling.poll(self._bot, self._inbox, kinds, waits=self._waits)
        else:
            serving = webhook.webhook(self._bot, self._inbox, kinds, self._settings, waits=self._waits)
            async with serving as port:
                log.info("bot.started", updates="webhook", port=port, bot_id=self._bot.id, version=version())
                await asyncio.Event().wait()

    def _waits(self, why: str) -> None:
        self.waits_for = why


def kinds_handled() -> list[str]:
    """The kinds of updates that handlers take."""
    dispatcher = Dispatcher()
    dispatcher.include_router(build_router())
    return dispatcher.resolve_used_update_types()


@asynccontextmanager
async def receiving(settings: Settings) -> AsyncIterator[Receiver]:
    """A process that writes updates down and answers nobody, for `python -m bot handle` beside it."""
    async with AsyncExitStack() as stack:
        base = await parts.base(settings, stack, answers=False)
        inbox = Inbox(
            base.database,
            bot_id=base.bot.id,
            replica=place(),
            handle=None,
            at_once=at_once(base),
            switchboard=base.switchboard,
        )
        receiver = Receiver(settings, base.bot, inbox)
        base.background(periodically(INBOX_EVERY, base.switchboard.beat, name="switchboard", at_once=True))
        await stack.enter_async_context(
            http_server.serving(
                settings.metrics_host,
                settings.metrics_port,
                usual=METRICS_PORT,
                # The figures of all are told by those that answer.
                snapshot=_nothing,
                figures=(),
                ready=partial(ready, base.database, lambda: receiver.waits_for),
            )
        )
        yield receiver


async def _nothing() -> Snapshot:
    return Snapshot(at=datetime.now(UTC), values={})


def at_once(base: parts.Base) -> Callable[[Update], bool]:
    """Takes what can not wait behind a talk: the question before a payment."""

    def take(update: Update) -> bool:
        query = update.pre_checkout_query
        if query is not None:
            base.background(answer_checkout(base.bot, query, base.settings, base.texts, base.database))
        return query is not None

    return take


async def ready(database: Database, waits_for: Callable[[], str]) -> dict[str, str]:
    """What keeps a process from doing its part."""
    waits = {"telegram": why} if (why := waits_for()) else {}
    try:
        async with database.unit() as session:
            await operator_switches.read(session)
    except CONNECTION_ERRORS as error:
        return {"postgresql": type(error).__name__, **waits}
    return waits
