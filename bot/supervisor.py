"""One process that takes updates and several that answer people (`BOT_PROCESSES`), or the latter alone.

A process that ends is started again. When this one is killed the others notice and end: they ask for their parent.
"""

import asyncio
import os
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Awaitable
from contextlib import AsyncExitStack, suppress

import structlog

from bot import receiver
from bot.reading import text_analysis
from bot.settings import Settings
from generation.runtime import logs
from generation.runtime.background import stop_signal, until_one_ends

log = structlog.get_logger(__name__)

#: Seconds before a process that ended is started again; more each time, unless it lived for a while.
FIRST_PAUSE, LONGEST_PAUSE, A_WHILE = 1.0, 30.0, 60.0
#: Seconds beyond SHUTDOWN_WAIT until a process that should stop is killed.
GRACE = 15.0
#: The endpoint of the first process that answers people, above that of this one.
PORTS_ABOVE = 10


async def main(settings: Settings, *, receives: bool) -> None:
    """Run until SIGINT or SIGTERM."""
    logs.configure(settings.log_format, settings.log_level, process="bot", sentry_dsn=settings.sentry_dsn)
    stop = stop_signal()
    keeping = [asyncio.create_task(_keep(settings, number)) for number in range(settings.bot_processes)]
    try:
        async with AsyncExitStack() as stack:
            work: list[Awaitable[object]] = [stop.wait()]
            if receives:
                taking = await stack.enter_async_context(receiver.receiving(settings))
                work.append(taking.receive())
            await until_one_ends(*work)
    finally:
        for each in keeping:
            each.cancel()
        await asyncio.gather(*keeping, return_exceptions=True)
        log.info("bot.stopped")


async def _keep(settings: Settings, number: int) -> None:
    """Start a process that answers people, for ever; stop it when cancelled."""
    pause = FIRST_PAUSE
    while True:
        began = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "handle", "--parent", str(os.getpid())),
            env=os.environ | _changed(settings, number),
        )
        try:
            status = await process.wait()
        except asyncio.CancelledError:
            await _stop(process, settings.shutdown_wait + GRACE)
            raise
        log.error("handler.ended", number=number, status=status)
        pause = FIRST_PAUSE if time.monotonic() - began > A_WHILE else min(LONGEST_PAUSE, pause * 2)
        await asyncio.sleep(pause)


def _changed(settings: Settings, number: int) -> dict[str, str]:
    """What is different for one of several: it is one, has an endpoint of its own, and shares the cores."""
    readers = max(1, text_analysis.PROCESSES // settings.bot_processes)
    port = receiver.METRICS_PORT if settings.metrics_port is None else settings.metrics_port
    return {
        "BOT_PROCESSES": "1",
        "METRICS_PORT": str(port + PORTS_ABOVE + number if port else 0),
        "TEXT_READERS": str(settings.text_readers or readers),
    }


async def _stop(process: Process, within: float) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
        try:
            async with asyncio.timeout(within):
                await process.wait()
        except TimeoutError:
            log.error("handler.killed", pid=process.pid)
            process.kill()
            await process.wait()
