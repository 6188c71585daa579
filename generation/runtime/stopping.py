"""How a process of ours ends: told by a signal, or because something that should never end did."""

import asyncio
import signal
from collections.abc import Awaitable


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
