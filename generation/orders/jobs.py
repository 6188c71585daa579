"""The arq jobs that announce photos: a job only says that work waits; PostgreSQL says which.

So a lost or a doubled job does no harm. A job's only argument is the row's id.
"""

import asyncio
import json
import secrets
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import structlog
from arq import ArqRedis
from arq.constants import job_key_prefix
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from generation.models import Photo
from generation.runtime.settings import WrongSettings

log = structlog.get_logger(__name__)

RENDER = "render_photo"
DELIVER = "deliver_photo"

#: Seconds between two looks of a worker at its queue when nobody rings; arq's own default.
LOOK_EVERY = 0.5
#: Seconds that a caller waits for Redis at most. A TimeoutError is an OSError.
TIMEOUT = 2
#: Seconds; more than any head start, less than the 24 h from which on arq fails.
_BEFORE_ALL = 23 * 3600
#: A worker starts what its own clock says is due. Seconds by which it may be behind the clock of whoever enqueues.
_CLOCK_SKEW = 300
#: A job outlives every reasonable queue; the recovery replaces one that ran out.
_EXPIRES = timedelta(hours=24)


def serialize(job: dict[str, Any]) -> bytes:
    """JSON instead of arq's pickle, so that whoever can write to Redis cannot run code in a worker."""
    return json.dumps(job, default=repr).encode()


def deserialize(data: bytes) -> dict[str, Any]:
    """The other direction of `serialize`."""
    job: dict[str, Any] = json.loads(data)
    return job


class _PatientRedis(ArqRedis):
    """Where arq asks for nothing that matters, a Redis that is away or full is no reason to end a worker."""

    async def psetex(self, name: Any, time_ms: Any, value: Any) -> Any:
        """arq records its health with it, every few seconds."""
        try:
            return await super().psetex(name, time_ms, value)
        except (RedisError, OSError) as error:
            log.warning("redis.health_not_recorded", error=type(error).__name__)

    async def delete(self, *names: Any) -> Any:
        """arq deletes its health record with it at its end."""
        with suppress(RedisError, OSError):
            async with asyncio.timeout(TIMEOUT):
                return await super().delete(*names)


class ListeningRedis(_PatientRedis):
    """What a worker's arq looks at its queue with: when somebody has rung, and every `LOOK_EVERY` seconds.

    arq asks by itself every few milliseconds. While `listen` hears nothing it may do so.
    """

    #: Whether the bell is heard.
    hears = False
    _rung: asyncio.Event
    _found: Sequence[Any] = ()
    _is_news = True

    async def listen(self, queue: str) -> None:
        """Hear the bell of this queue, for ever; raises what Redis raises."""
        self._rung = asyncio.Event()
        try:
            async with self.pubsub(ignore_subscribe_messages=True) as bell:
                await bell.subscribe(_bell(queue))
                self.hears = True
                async for _ in bell.listen():
                    self._rung.set()
        finally:
            self.hears = False

    async def zrangebyscore(self, *arguments: Any, **options: Any) -> Any:
        """The one command with which arq looks."""
        # Unless there was something new just now: more may have come with it.
        if self.hears and not self._is_news:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await self._rung.wait()
            self._rung.clear()
        found = await super().zrangebyscore(*arguments, **options)
        # Jobs that run stay in the set.
        self._is_news, self._found = found != self._found, found
        return found


async def refuse_cluster(redis: ArqRedis) -> None:
    """Raise WrongSettings for a Redis in cluster mode, where every job would fail; one that is away is let be."""
    try:
        async with asyncio.timeout(TIMEOUT):
            server = await redis.info("server")
    except (RedisError, OSError):
        return
    # Redis' word and Valkey's.
    if "cluster" in {server.get("redis_mode"), server.get("server_mode")}:
        raise WrongSettings("REDIS_URL is a Redis in cluster mode, which arq cannot use: take a single one.")


def connect(url: str, *, queue: str, retries: int) -> ArqRedis:
    """A pool that gets over a Redis that is away, as long as `retries` last; connects on first use."""
    return _ready(_PatientRedis(connection_pool=_pool(url, retries), default_queue_name=queue))


def listening(url: str, *, queue: str) -> ListeningRedis:
    """The same for a worker's arq: it gets over a Redis that is away for as long as it likes."""
    redis = ListeningRedis(connection_pool=_pool(url, retries=-1), default_queue_name=queue)
    _ready(redis)
    return redis


def _pool(url: str, retries: int) -> ConnectionPool:
    """Redis-py raises a bare OSError when a connection is refused, so OSError is among the retried ones.

    It has no socket time limit on purpose: redis-py then sends under `asyncio.wait_for`, which in Python 3.11 can
    swallow a cancellation, and arq cancels its main task only once. Callers here set their own limit.
    """
    return ConnectionPool.from_url(
        url,
        socket_connect_timeout=2,
        socket_keepalive=True,
        retry=Retry(ExponentialBackoff(cap=2, base=0.05), retries),
        retry_on_error=[RedisConnectionError, RedisTimeoutError, OSError],
    )


def _ready(redis: ArqRedis) -> ArqRedis:
    # Closing the client closes its connections too; redis-py does so only for pools it made itself.
    redis.auto_close_connection_pool = True
    redis.job_serializer = serialize
    redis.job_deserializer = deserialize
    return redis


def _bell(queue: str) -> str:
    return f"{queue}:bell"


def chores(queue: str) -> str:
    """The queue of sweeps and deliveries: on the photos' own they would wait until a GPU is idle."""
    return f"{queue}:chores"


async def enqueue_render(
    redis: ArqRedis, photo: Photo, *, premium_head_start: float, defer: float = 0, afresh: bool = False
) -> bool:
    """Enqueue the job that makes an idle worker look for photos; premium jobs get an earlier score.

    `afresh` gives the job an id of its own, where the ordinary one may be blocked. `defer` is in seconds; a
    deferred job has no head start, since it must not come before its time.
    Never raises for Redis being away: the row is written down and the recovery enqueues later. False then.
    """
    if not defer:
        defer = -_CLOCK_SKEW - (premium_head_start if photo.premium else 0)
    job_id = f"{photo.id}:{photo.attempt}"
    if afresh:
        job_id += f":{secrets.token_hex(4)}"
    return await _enqueue(redis, RENDER, photo.id, job_id, defer)


async def hand_over(redis: ArqRedis) -> bool:
    """Hand a job that this worker cannot work on to whoever can, under a new id."""
    return await _enqueue(redis, RENDER, 0, f"passed:{secrets.token_hex(8)}", -_CLOCK_SKEW)


async def withdraw(redis: ArqRedis, photos: Iterable[Photo]) -> None:
    """Take back the jobs of photos that are gone. One that stays does no harm: it finds nothing."""
    queue = redis.default_queue_name
    jobs = [f"{queue}:{RENDER}:{photo.id}:{photo.attempt}" for photo in photos]
    if not jobs:
        return
    try:
        async with asyncio.timeout(TIMEOUT):
            await redis.zrem(queue, *jobs)
            await redis.unlink(*(job_key_prefix + job for job in jobs))
    except (RedisError, OSError) as error:
        log.warning("job.not_withdrawn", error=type(error).__name__)


async def enqueue_delivery(redis: ArqRedis, photo: Photo) -> bool:
    """Enqueue the job that delivers a photo which is stored already."""
    queue = chores(redis.default_queue_name)
    return await _enqueue(redis, DELIVER, photo.id, f"{photo.id}:{photo.attempt}", -_BEFORE_ALL, queue=queue)


async def enqueue_overflow(redis: ArqRedis, queue: str) -> bool:
    """Enqueue the job that makes an overflow worker look."""
    # A new id every minute: the job of an overflow worker that was killed keeps its own for an hour.
    return await _enqueue(redis, RENDER, 0, f"overflow:{time.time() // 60:.0f}", -_CLOCK_SKEW, queue=queue)


async def is_writable(redis: ArqRedis) -> bool:
    """Whether Redis takes a write in time; one whose memory is full still answers a ping."""
    try:
        async with asyncio.timeout(TIMEOUT):
            await redis.set(f"{redis.default_queue_name}:heard", 1, ex=60)
    except (RedisError, OSError):
        return False
    return True


async def _enqueue(
    redis: ArqRedis, function: str, photo_id: int, job_id: str, defer: float, *, queue: str | None = None
) -> bool:
    queue = queue or redis.default_queue_name
    try:
        async with asyncio.timeout(TIMEOUT):
            await redis.enqueue_job(
                function,
                photo_id,
                # arq's ids are global in a Redis, whatever the queue: two deployments may share one.
                _job_id=f"{queue}:{function}:{job_id}",
                _queue_name=queue,
                _defer_by=timedelta(seconds=defer),
                _expires=_EXPIRES,
            )
            await redis.publish(_bell(queue), "")
    except (RedisError, OSError) as error:
        log.warning("job.not_enqueued", photo_id=photo_id, error=repr(error))
        return False
    return True
