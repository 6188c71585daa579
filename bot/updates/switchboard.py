"""Which process answers which chat, and how it hears that something came: over Redis.

Every process that answers people says so every few seconds. A chat belongs to one of them as long as it lives, so
quick texts meet the answer that they interrupt. What Redis loses, `Inbox.look_around` finds: the claims in
PostgreSQL alone decide who handles an update.
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from hashlib import blake2b

import structlog
from arq import ArqRedis
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

#: Seconds after which a process that says nothing is taken for gone.
SILENT = 8.0
#: Seconds that the receiver waits for Redis, and for which it is not asked again after it did not answer.
TIMEOUT, AWAY = 0.5, 5.0
#: A beat by Redis' own clock, which returns who is there. ARGV: who (empty only looks), seconds until one is gone.
_BEAT = """
local now = tonumber(redis.call('TIME')[1])
if ARGV[1] ~= '' then redis.call('ZADD', KEYS[1], now, ARGV[1]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
redis.call('EXPIRE', KEYS[1], 3600)
return redis.call('ZRANGE', KEYS[1], 0, -1)
"""


class Switchboard:
    """One per process, built by `bot.app`; `beat` is due every few seconds."""

    def __init__(self, redis: ArqRedis, *, name: str, replica: str, answers: bool = True) -> None:
        """`name` is the bot's in this Redis; `answers`: whether this process answers people."""
        self._redis = redis
        self._name = f"{name}:processes"
        self.replica = replica
        self._answers = answers
        self._script = redis.register_script(_BEAT)
        self._there: set[str] = {replica} if answers else set()
        self._away_until = float("-inf")

    @property
    def is_alone(self) -> bool:
        """Whether no other process answers people."""
        return not self._there - {self.replica}

    async def beat(self) -> None:
        """Say that this process is there, and hear who else is."""
        who = self.replica if self._answers else ""
        try:
            async with asyncio.timeout(TIMEOUT):
                there = await self._script(keys=[self._name], args=[who, SILENT])
        except (RedisError, OSError) as error:
            log.warning("switchboard.redis_away", error=type(error).__name__)
            return
        self._there = {each.decode() for each in there}

    async def leave(self) -> None:
        """Say that this process answers nobody any more."""
        try:
            async with asyncio.timeout(TIMEOUT):
                await self._redis.zrem(self._name, self.replica)
        except (RedisError, OSError) as error:
            log.warning("switchboard.redis_away", error=type(error).__name__)

    async def ring(self, chat_ids: Iterable[int]) -> set[int]:
        """Tell whom the chats belong to that something came; those that this process has to look after itself."""
        mine, chats = set[int](), set(chat_ids)
        while chats:
            owner = self._owner(next(iter(chats)))
            theirs = {chat for chat in chats if self._owner(chat) == owner}
            if owner is None or owner == self.replica or await self._tell(owner, {"chats": sorted(theirs)}) is None:
                mine |= theirs
                chats -= theirs
            elif owner in self._there:
                chats -= theirs
        return mine

    async def tell_all(self, *, pause: float) -> None:
        """Telegram wants a pause of so many seconds: nobody shows drafts meanwhile."""
        if not self.is_alone:
            await self._tell("", {"pause": pause})

    async def listen(self, *, came: Callable[[Iterable[int]], None], pushed_back: Callable[[float], None]) -> None:
        """Hear of chats and of pauses, for ever; raises what Redis raises."""
        async with self._redis.pubsub(ignore_subscribe_messages=True) as line:
            await line.subscribe(self._channel(self.replica), self._channel(""))
            async for message in line.listen():
                said = json.loads(message["data"])
                if "pause" in said:
                    pushed_back(float(said["pause"]))
                came(map(int, said.get("chats", ())))

    def _owner(self, chat_id: int) -> str | None:
        """Highest random weight: when a process comes or goes, only its own chats move."""
        return max(self._there, key=lambda each: blake2b(f"{each} {chat_id}".encode()).digest(), default=None)

    async def _tell(self, whom: str, said: dict[str, object]) -> int | None:
        """How many heard it; None while Redis is away. Who does not hear is gone."""
        if time.monotonic() < self._away_until:
            return None
        try:
            async with asyncio.timeout(TIMEOUT):
                heard = int(await self._redis.publish(self._channel(whom), json.dumps(said)))
        except (RedisError, OSError) as error:
            log.warning("switchboard.redis_away", error=type(error).__name__)
            self._away_until = time.monotonic() + AWAY
            return None
        if not heard:
            self._there.discard(whom)
        return heard

    def _channel(self, whom: str) -> str:
        return f"{self._name}:{whom}"
