"""The bot's own time for an update: what it took, less the waiting for Telegram and the language model."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_running: ContextVar["Stopwatch | None"] = ContextVar("stopwatch", default=None)


class Stopwatch:
    """Lives as long as one update is handled. Calls to others that overlap count once."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._calls = 0
        self._left = 0.0
        self._away = 0.0

    @property
    def seconds(self) -> float:
        """Seconds since it was started."""
        return time.perf_counter() - self._began

    @property
    def own_seconds(self) -> float:
        """Seconds less the waiting for other services."""
        return self.seconds - self._away

    def leave(self) -> None:
        """A call to somebody else begins."""
        if not self._calls:
            self._left = time.perf_counter()
        self._calls += 1

    def come_back(self) -> None:
        """A call to somebody else has ended."""
        self._calls -= 1
        if not self._calls:
            self._away += time.perf_counter() - self._left


@contextmanager
def timing() -> Iterator[Stopwatch]:
    """Time everything in the block, and in the tasks that it starts."""
    stopwatch = Stopwatch()
    token = _running.set(stopwatch)
    try:
        yield stopwatch
    finally:
        _running.reset(token)


def forget() -> None:
    """What follows in this context belongs to no update."""
    _running.set(None)


@contextmanager
def away() -> Iterator[None]:
    """The block waits for another service: its time is not the bot's own."""
    stopwatch = _running.get()
    if stopwatch is None:
        yield
        return
    stopwatch.leave()
    try:
        yield
    finally:
        stopwatch.come_back()
