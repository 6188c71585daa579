"""Before every handler: who it is, in which words, and whether they write too fast."""

import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import structlog
from aiogram import BaseMiddleware
from aiogram.types import Message, TelegramObject, Update, User
from sqlalchemy import func, update

from bot.accounts import people
from bot.models import Person
from bot.settings import Settings
from bot.telegram.messages import acknowledge
from bot.texts import Say, Texts
from generation.runtime import operator_switches
from generation.runtime.database import Database

log = structlog.get_logger(__name__)

Handler = Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]]


class PersonMiddleware(BaseMiddleware):
    """Puts `person` and `say` into the handler's data. An update without a person reaches no handler.

    Nor does one of a person who blocked the bot and has not sent /start since: they want to be left alone.
    """

    def __init__(self, database: Database, texts: Texts) -> None:
        self._database = database
        self._texts = texts

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        user: User | None = data.get("event_from_user")
        if user is None or user.is_bot:
            return None
        async with self._database.unit() as session:
            person = await people.known(session, user, self._texts.locale_of(user.language_code))
        if person.blocked_at is not None and not _may_pass(event):
            log.info("update.of_one_who_blocked")
            return None
        if person.banned_at is not None and not _is_about_rights(event):
            log.info("update.of_one_who_is_banned")
            return None
        data["person"] = person
        data["say"] = self._texts.in_locale(person.locale)
        return await handler(event, data)


#: Whoever is shut out may still see and delete what is stored, and ask about money.
_RIGHTS = ("/privacy", "/paysupport", "/terms")


def _is_about_rights(event: TelegramObject) -> bool:
    if not isinstance(event, Update) or event.subscription is not None:
        return True
    if event.callback_query is not None:
        return (event.callback_query.data or "").startswith("privacy:")
    if event.message is None:
        return event.my_chat_member is not None
    return is_money(event.message) or (event.message.text or "").lower().startswith(_RIGHTS)


def _may_pass(event: TelegramObject) -> bool:
    """/start, and what Telegram itself reports: money and membership."""
    message = event.message if isinstance(event, Update) else None
    if message is None:
        return isinstance(event, Update) and (event.my_chat_member or event.subscription) is not None
    command = (message.text or "").lower().split(maxsplit=1)[:1]
    return command == ["/start"] or message.successful_payment is not None or message.refunded_payment is not None


class Maintenance(BaseMiddleware):
    """While an operator works on the house, people get one kind sentence; money and operators pass."""

    #: Seconds for which this process trusts what it last read.
    FRESH = 2.0

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._since: datetime | None = None
        self._read_at = float("-inf")

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        person: Person = data["person"]
        since = await self._maintained_since()
        if since is None or person.id in self._settings.admin_ids or _is_about_rights(event):
            return await handler(event, data)
        query = event.callback_query if isinstance(event, Update) else None
        message = event.message if isinstance(event, Update) else None
        say: Say = data["say"]
        if query is not None:
            await acknowledge(query, say("maintenance"))
        elif message is not None and await self._is_news(person, since):
            await message.answer(say("maintenance"))
        return None

    async def _maintained_since(self) -> datetime | None:
        now = time.monotonic()
        if now - self._read_at > self.FRESH:
            async with self._database.unit() as session:
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


def is_money(spoken: Any) -> bool:
    return isinstance(spoken, Message) and bool(spoken.successful_payment or spoken.refunded_payment)
