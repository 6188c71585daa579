"""Before handlers: who it is, in which words, and whether they may go on to this handler now.

What a handler is open to is said where it is registered, by flags (a copy: aiogram writes into what it is given):

- `FOR_BANNED`: rights and money, for whoever is shut out and during maintenance as well.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from aiogram import BaseMiddleware
from aiogram.dispatcher.flags import get_flag
from aiogram.types import CallbackQuery, Message, TelegramObject, User
from sqlalchemy import func, update

from bot.accounts import people
from bot.models import Person
from bot.settings import Settings
from bot.telegram.messages import acknowledge
from bot.texts import Say, Texts
from bot.updates.inbox import Postponed
from generation.runtime import operator_switches
from generation.runtime.database import Database

log = structlog.get_logger(__name__)

Handler = Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]]

FOR_BANNED = {"for_banned": True}
#: What Telegram itself reports in a message: it reaches its handler whoever it is of, and counts for no rate limit.
REPORT = {"report": True} | FOR_BANNED


@dataclass(frozen=True, slots=True)
class PersonMiddleware(BaseMiddleware):
    """Puts `person`, `say` and `unfinished`, the persona that they are writing, into the data of every update.

    One without a person reaches no handler.
    """

    database: Database
    texts: Texts
    settings: Settings

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        """Runs for every update, before it is known which handler it will be."""
        user: User | None = data.get("event_from_user")
        if user is None or user.is_bot:
            return None
        locale = self.texts.locale_of(user.language_code)
        known = await people.known(self.database, user, locale, self.settings)
        data["person"] = person = known.person
        data["unfinished"] = known.unfinished
        data["say"] = self.texts.in_locale(person.locale)
        return await handler(event, data)


@dataclass(frozen=True, slots=True)
class AccessMiddleware(BaseMiddleware):
    """Silence for whoever is banned, but for the handlers that are open to them.

    Whoever writes has unblocked the bot, from the profile and without /start as well.
    """

    database: Database

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        """Runs right before the handler, whose flags it reads."""
        person: Person = data["person"]
        if person.blocked_at is not None and data.get("event_chat") and data["event_chat"].type == "private":
            async with self.database.autocommit() as session:
                await people.came_back(session, person.id)
        if person.banned_at is not None and not get_flag(data, "for_banned"):
            log.info("update.of_one_who_is_banned")
            return None
        return await handler(event, data)


class MaintenanceMiddleware(BaseMiddleware):
    """While an operator works on the house, people get one kind sentence, and what they write waits.

    Money and operators pass.
    """

    #: Seconds for which this process trusts what it last read.
    FRESH = 2.0

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._since: datetime | None = None
        self._read_at = float("-inf")

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        """Runs right before the handler, whose flags it reads."""
        person: Person = data["person"]
        since = await self._maintained_since()
        if since is None or person.id in self._settings.admin_ids or get_flag(data, "for_banned"):
            return await handler(event, data)
        say: Say = data["say"]
        if isinstance(event, CallbackQuery):
            await acknowledge(event, say("maintenance"))
            return None
        if isinstance(event, Message) and event.edit_date is None and await self._is_news(person, since):
            await event.answer(say("maintenance"))
        raise Postponed

    async def _maintained_since(self) -> datetime | None:
        now = time.monotonic()
        if now - self._read_at > self.FRESH:
            async with self._database.autocommit() as session:
                self._since = (await operator_switches.read(session)).maintenance_since
            self._read_at = now
        return self._since

    async def _is_news(self, person: Person, since: datetime) -> bool:
        """Whether the person has not been told yet; noted, so that a restart does not repeat it."""
        async with self._database.unit() as session:
            noted = await session.execute(
                update(Person)
                .where(
                    Person.id == person.id,
                    Person.maintenance_told_at.is_(None) | (Person.maintenance_told_at < since),
                )
                .values(maintenance_told_at=func.now())
                .returning(Person.id)
            )
            return noted.scalar_one_or_none() is not None
