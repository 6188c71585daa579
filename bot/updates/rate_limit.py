"""How much one person may write in a minute, in all processes together; each counts alone while Redis is away."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from aiogram import BaseMiddleware
from aiogram.dispatcher.flags import get_flag
from aiogram.types import CallbackQuery, Message, TelegramObject
from arq import ArqRedis
from redis.exceptions import RedisError

from bot.models import Person
from bot.settings import Settings
from bot.texts import Say
from bot.updates.middlewares import Handler

log = structlog.get_logger(__name__)

#: Seconds that an update waits for Redis, and for which it is not asked again after it did not answer.
TIMEOUT, AWAY = 0.5, 5.0
#: A token bucket by Redis' own clock. ARGV: burst, tokens a second, what is taken (0 only looks).
#: Returns whether it is allowed, and whether the person is to be told that it is not.
_TAKE = """
local burst, per_second, taken = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local known = redis.call('HMGET', KEYS[1], 'left', 'at', 'told')
local since = math.max(0, now - (tonumber(known[2]) or now))
local left = math.min(burst, (tonumber(known[1]) or burst) + since * per_second)
local told = known[3] == '1'
local allowed = left >= 1
if taken == 0 then return {allowed and 1 or 0, 0} end
if allowed then
    left = left - taken
    if left >= burst / 2 then told = false end
end
redis.call('HSET', KEYS[1], 'left', tostring(left), 'at', string.format('%.6f', now),
           'told', (told or not allowed) and '1' or '0')
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / per_second * 1000) + 1000)
return {allowed and 1 or 0, (not allowed and not told) and 1 or 0}
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an update may be handled; `tell`: its person has not been told yet that it may not."""

    allowed: bool
    tell: bool = False


class RateLimit:
    """So many messages and presses a minute for each person, after a burst. One per process, built by `bot.app`."""

    def __init__(self, settings: Settings, redis: ArqRedis, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst = settings.messages_at_once
        self._per_second = settings.messages_a_minute / 60
        self._key = f"{settings.arq_queue}:rate"
        self._script = redis.register_script(_TAKE)
        self._clock = clock
        self._away_until = float("-inf")
        self._here = _Buckets(self._burst, self._per_second, clock)

    async def take(self, person_id: int) -> Verdict:
        """Count one more."""
        return await self._ask(person_id, 1)

    async def has_left(self, person_id: int) -> bool:
        """Whether one more would be allowed just now."""
        return (await self._ask(person_id, 0)).allowed

    async def _ask(self, person_id: int, taken: int) -> Verdict:
        if self._clock() < self._away_until:
            return self._here.ask(person_id, taken)
        try:
            async with asyncio.timeout(TIMEOUT):
                allowed, tell = await self._script(
                    keys=[f"{self._key}:{person_id}"], args=[self._burst, self._per_second, taken]
                )
        except (RedisError, OSError) as error:
            log.warning("rate_limit.redis_away", error=type(error).__name__)
            self._away_until = self._clock() + AWAY
            return self._here.ask(person_id, taken)
        return Verdict(bool(allowed), bool(tell))


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float
    told: bool = False


class _Buckets:
    """The same in this process' memory."""

    #: People who are remembered; the one who wrote longest ago goes first.
    KEPT = 20_000

    def __init__(self, burst: float, per_second: float, clock: Callable[[], float]) -> None:
        self._burst = burst
        self._per_second = per_second
        self._clock = clock
        self._people: OrderedDict[int, _Bucket] = OrderedDict()

    def ask(self, person_id: int, taken: int) -> Verdict:
        """As `RateLimit.take` with 1, as `has_left` with 0."""
        now = self._clock()
        bucket = self._people.setdefault(person_id, _Bucket(self._burst, now))
        self._people.move_to_end(person_id)
        if len(self._people) > self.KEPT:
            self._people.popitem(last=False)
        bucket.left = min(self._burst, bucket.left + (now - bucket.at) * self._per_second)
        bucket.at = now
        if bucket.left < 1:
            tell = bool(taken) and not bucket.told
            bucket.told = bucket.told or tell
            return Verdict(allowed=False, tell=tell)
        bucket.left -= taken
        if bucket.left >= self._burst / 2:
            bucket.told = False
        return Verdict(allowed=True)


class RateLimitMiddleware(BaseMiddleware):
    """Handles what is allowed; one calm answer to the rest."""

    def __init__(self, limit: RateLimit) -> None:
        self._limit = limit

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        """Runs right before the handler; reports of Telegram itself count for nothing."""
        person: Person = data["person"]
        if get_flag(data, "report"):
            return await handler(event, data)
        verdict = await self._limit.take(person.id)
        if verdict.allowed:
            return await handler(event, data)
        return await self._refuse(event, verdict, data["say"])

    async def _refuse(self, spoken: TelegramObject, verdict: Verdict, say: Say) -> None:
        if isinstance(spoken, CallbackQuery):
            await spoken.answer(say("too-fast"))
        elif verdict.tell and isinstance(spoken, Message) and spoken.chat.type == "private":
            log.warning("person.too_fast")
            await spoken.answer(say("too-fast"))
