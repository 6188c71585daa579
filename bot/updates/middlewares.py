"""Before every handler: who it is, in which words, and whether they write too fast."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from aiogram import BaseMiddleware
from aiogram.types import CallbackQuery, Message, TelegramObject, Update, User
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


class WhoIsIt(BaseMiddleware):
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
    return _is_money(event.message) or (event.message.text or "").lower().startswith(_RIGHTS)


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


@dataclass(slots=True)
class _Allowance:
    left: float
    at: float
    told: bool = False


class RateLimit(BaseMiddleware):
    """So many messages and presses a minute for each person, after a burst; one calm answer to the rest.

    Counted in this process: with several replicas a person has as many allowances.
    """

    #: People whose allowance is kept; the one who wrote longest ago goes first.
    KEPT = 20_000

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst = settings.messages_at_once
        self._per_second = settings.messages_a_minute / 60
        self._clock = clock
        self._people: OrderedDict[int, _Allowance] = OrderedDict()

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        spoken = (
            event.message or event.callback_query or event.edited_message if isinstance(event, Update) else None
        )
        if spoken is None or _is_money(spoken) or self.allows(data["person"].id):
            return await handler(event, data)
        return await self._calm(spoken, data["person"], data["say"])

    def has_left(self, person_id: int) -> bool:
        """Whether one more would be allowed just now."""
        return self._allowance(person_id).left >= 1

    def allows(self, person_id: int) -> bool:
        """Count one more; False when the person has none left."""
        allowance = self._allowance(person_id)
        if allowance.left < 1:
            return False
        allowance.left -= 1
        if allowance.left >= self._burst / 2:
            allowance.told = False
        return True

    def _allowance(self, person_id: int) -> _Allowance:
        now = self._clock()
        allowance = self._people.setdefault(person_id, _Allowance(self._burst, now))
        self._people.move_to_end(person_id)
        if len(self._people) > self.KEPT:
            self._people.popitem(last=False)
        allowance.left = min(self._burst, allowance.left + (now - allowance.at) * self._per_second)
        allowance.at = now
        return allowance

    async def _calm(self, spoken: Any, person: Person, say: Say) -> None:
        allowance = self._people[person.id]
        told, allowance.told = allowance.told, True
        if isinstance(spoken, CallbackQuery):
            await spoken.answer(say("too-fast"))
        elif not told and isinstance(spoken, Message) and spoken.chat.type == "private":
            log.warning("person.too_fast")
            await spoken.answer(say("too-fast"))


def _is_money(spoken: Any) -> bool:
    return isinstance(spoken, Message) and bool(spoken.successful_payment or spoken.refunded_payment)
