"""How much one person may write in a minute."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from aiogram import BaseMiddleware
from aiogram.dispatcher.flags import get_flag
from aiogram.types import CallbackQuery, Message, TelegramObject

from bot.models import Person
from bot.settings import Settings
from bot.texts import Say
from bot.updates.middlewares import Handler

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Allowance:
    left: float
    at: float
    told: bool = False


class RateLimitMiddleware(BaseMiddleware):
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
        """Runs right before the handler; reports of Telegram itself count for nothing."""
        person: Person = data["person"]
        if get_flag(data, "report") or self.allows(person.id):
            return await handler(event, data)
        return await self._refuse(event, person, data["say"])

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

    async def _refuse(self, spoken: TelegramObject, person: Person, say: Say) -> None:
        allowance = self._people[person.id]
        told, allowance.told = allowance.told, True
        if isinstance(spoken, CallbackQuery):
            await spoken.answer(say("too-fast"))
        elif not told and isinstance(spoken, Message) and spoken.chat.type == "private":
            log.warning("person.too_fast")
            await spoken.answer(say("too-fast"))
