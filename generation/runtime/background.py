"""Work that a process does beside everything else: again and again, or for ever. One broken round ends nothing.

And what ends the process itself: a signal, or work that should never have ended.
"""

import asyncio
import signal
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


def stop_signal() -> asyncio.Event:
    """Set at SIGINT and SIGTERM, from now on: also what comes during a start ends the process in order."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def until_one_ends(*work: Awaitable[object]) -> None:
    """Run all until the first one has ended, and cancel the others; raises what the first one raised."""
    tasks = [asyncio.ensure_future(each) for each in work]
    done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for each in others:
        each.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    for each in done:
        each.result()
