"""The one supervised place that starts tasks which nobody waits for."""

import asyncio
import contextvars
from collections.abc import Coroutine
from typing import Any, Protocol

import structlog
from aiogram.exceptions import (
    ClientDecodeError,
)

from bot.telegram import own_time

log = structlog.get_logger(__name__)


class BackgroundTasks:
    """Tasks that nobody waits for: kept alive, their errors logged, ended with the process."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, work: Coroutine[Any, Any, None]) -> None:
        """Start it now; it ends with the process at the latest."""
        # Not on the time of the update that started it.
        task = contextvars.copy_context().run(_start, self._guard(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # One that is cancelled before its first step leaves the work as it was handed over.
        task.add_done_callback(lambda _task: work.close())

    async def close(self) -> None:
        """Cancel all of them and wait until they have ended."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except ClientDecodeError as error:
            # Its text repeats what Telegram answered, and with it what was said.
            log.warning("background.failed", error=type(error).__name__)
        except Exception:
            log.exception("background.failed")


def _start(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    own_time.forget()
    return asyncio.create_task(work)


class Background(Protocol):
    """Starts work that nobody waits for; the one supervised place of the process (`bot.app`)."""

    def __call__(self, work: Coroutine[Any, Any, None]) -> None:
        """Start `work`; its errors are logged."""
