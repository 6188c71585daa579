"""Work that a process does beside everything else: again and again, or for ever. One broken round ends nothing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import structlog
from redis.exceptions import RedisError

from generation.runtime.database import CONNECTION_ERRORS, is_permanent

log = structlog.get_logger(__name__)

#: Seconds before work that should go on for ever is begun again.
RESTART_PAUSE = 1.0


async def periodically(
    every: float,
    work: Callable[[], Awaitable[object]],
    *,
    name: str,
    at_once: bool = False,
    woken: asyncio.Event | None = None,
) -> None:
    """Do `work` for ever, with `every` seconds between the end of a round and the beginning of the next one.

    Setting `woken` ends a pause early.

    The first round comes after a pause as well (a start has enough to do), unless `at_once`. A service that is
    away is one line at WARNING under this `name`, any other error is logged whole; the next round comes anyhow.
    """
    if not at_once:
        await asyncio.sleep(every)
    while True:
        await _guarded(work, name)
        if woken is None:
            await asyncio.sleep(every)
            continue
        with suppress(TimeoutError):
            async with asyncio.timeout(every):
                await woken.wait()
        woken.clear()


async def kept_up(work: Callable[[], Awaitable[object]], *, name: str) -> None:
    """Run work that should never end; whatever breaks it is logged as above, and it begins again."""
    ended = await _guarded(work, name)
    while not ended:
        await asyncio.sleep(RESTART_PAUSE)
        ended = await _guarded(work, name)


async def _guarded(work: Callable[[], Awaitable[object]], name: str) -> bool:
    """Whether it went through."""
    try:
        await work()
    except (RedisError, *CONNECTION_ERRORS) as error:
        if is_permanent(error):
            # The service is there and refuses a value: a fault of ours.
            log.exception("background.failed", work=name)
            return False
        log.warning("background.service_away", work=name, error=type(error).__name__)
        return False
    except Exception:
        log.exception("background.failed", work=name)
        return False
    return True


@asynccontextmanager
async def running(*works: Awaitable[object]) -> AsyncIterator[None]:
    """Run these beside the block; they are cancelled, and have ended, when it is left."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
