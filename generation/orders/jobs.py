"""The arq jobs that announce photos: a job only says that work waits; PostgreSQL says which.

So a lost or a doubled job does no harm. A job's only argument is the row's id.
"""

import asyncio
import json
import secrets
import time
from collections.abc import Iterable
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
    """A pool that gets over a Redis that is away, as long as `retries` last; connects on first use.

    redis-py raises a bare OSError when a connection is refused, so OSError is among the retried ones. It has
    no socket time limit on purpose: redis-py then sends under `asyncio.wait_for`, which in Python 3.11 can
    swallow a cancellation, and arq cancels its main task only once. Callers here set their own limit.
    """
    pool = ConnectionPool.from_url(
        url,
        socket_connect_timeout=2,
        socket_keepalive=True,
        retry=Retry(ExponentialBackoff(cap=2, base=0.05), retries),
        retry_on_error=[RedisConnectionError, RedisTimeoutError, OSError],
    )
    redis = _PatientRedis(connection_pool=pool, default_queue_name=queue)
    # Closing the client closes its connections too; redis-py does so only for pools it made itself.
    redis.auto_close_connection_pool = True
    redis.job_serializer = serialize
    redis.job_deserializer = deserialize
    return redis


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
    except (RedisError, OSError) as error:
        log.warning("job.not_enqueued", photo_id=photo_id, error=repr(error))
        return False
    return True
