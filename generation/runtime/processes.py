"""Processes for native code that reads what strangers send: with a time limit, and none takes the bot along."""

import asyncio
import multiprocessing
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from pebble import CONSTS, ProcessExpired, ProcessPool

T = TypeVar("T")

#: Between two looks of a pool's threads for processes that ended or took too long; results are noticed at once.
#: With Pebble's own 0.1 s two idle pools cost 9 CPU seconds an hour.
CONSTS.sleep_unit = 0.5
#: Seconds that a call may wait for a free process, its own time included.
QUEUED = 30


class ProcessLost(Exception):
    """The process ended, or took too long, or none was free in time."""


class Processes:
    """Starts them with the first call and again when one ends; whoever builds it closes it."""

    def __init__(self, count: int, *, begin: Callable[[], None], patience: float) -> None:
        """`begin` runs first in each process; one call may take `patience` seconds."""
        self._count = count
        self._begin = begin
        self._patience = patience
        self._pool = self._new_pool()
        self._closing = False

    async def close(self) -> None:
        """End the processes; what waits for them is dropped."""
        self._closing = True
        await asyncio.to_thread(_end, self._pool)

    async def run(self, function: Callable[..., T], *arguments: object, within: float | None = None) -> T:
        """One call, in `within` seconds or the usual ones. Raises ProcessLost, and what `function` raises."""
        await self._renew(self._pool)
        pool = self._pool
        try:
            return await self._run(pool, function, arguments, within)
        except BrokenProcessPool:
            # Pebble gives the whole pool up when a process ends before it has said which call it took, or with
            # nothing to do. Most likely this call is not the one that ended it.
            await self._renew(pool)
        except (ProcessExpired, RuntimeError, TimeoutError) as error:
            await self._renew(pool)
            raise ProcessLost(type(error).__name__) from error
        try:
            return await self._run(self._pool, function, arguments, within)
        except (ProcessExpired, RuntimeError, TimeoutError) as error:
            raise ProcessLost(type(error).__name__) from error

    async def _run(
        self, pool: ProcessPool, function: Callable[..., T], arguments: tuple[object, ...], within: float | None
    ) -> T:
        async with asyncio.timeout(QUEUED if within is None else within):
            done: Future[T] = pool.schedule(function, args=arguments, timeout=self._patience)
            # Shielded: whoever waits no longer would end the process with what it reads.
            return await asyncio.shield(asyncio.wrap_future(done))

    async def _renew(self, pool: ProcessPool) -> None:
        """Another pool in the place of one that was given up."""
        if not pool.active and pool is self._pool and not self._closing:
            self._pool = self._new_pool()
            await asyncio.to_thread(_end, pool)

    def _new_pool(self) -> ProcessPool:
        # Spawned: a fork would take the threads' locks along.
        return ProcessPool(self._count, initializer=self._begin, context=multiprocessing.get_context("spawn"))


def _end(pool: ProcessPool) -> None:
    pool.stop()  # type: ignore[no-untyped-call]
    pool.join()
