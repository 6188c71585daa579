"""Real processes of the product, on the test's own database and queue."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from generation.storage import Storage
from sandbox.forked import Forked, environment, python_m
from sandbox.scaled_worker import TIMINGS
from sandbox.settings import ProductSettings

ROOT = Path(__file__).parents[2]

Process = asyncio.subprocess.Process | Forked


class Processes:
    """Real processes of the product, all killed at the end."""

    def __init__(self, settings: ProductSettings) -> None:
        self._environment = environment(settings) | {"LOG_FORMAT": "json", TIMINGS: json.dumps({"sweep_every": 1})}
        self._running: list[Process] = []
        self._kept_up: list[asyncio.Task[None]] = []

    async def bot(self) -> Process:
        return self._keep(await python_m("bot", environment=self._environment))

    async def worker(self) -> Process:
        """A worker, forked from a process that has imported everything, which sweeps every second."""
        return self._keep(
            await python_m("arq", "sandbox.scaled_worker.WorkerSettings", environment=self._environment)
        )

    async def started_bot(self, **variables: str) -> asyncio.subprocess.Process:
        """A bot by its own command line."""
        return await self._spawn("-m", "bot", **variables)

    async def started_worker(self, **variables: str) -> asyncio.subprocess.Process:
        """A worker by its own command line."""
        return await self._spawn("-m", "arq", "generation.worker.WorkerSettings", **variables)

    async def kept_up_worker(self) -> None:
        """A worker that a service manager starts again whenever it ends."""

        async def keep_up() -> None:
            while True:
                await (await self.worker()).wait()

        self._kept_up.append(asyncio.create_task(keep_up()))

    async def skewed_worker(self, seconds: int) -> asyncio.subprocess.Process:
        """A worker on a machine whose clock is wrong by so much."""
        return await self._spawn(
            "-m", "tests.journeys.skewed", str(seconds), "sandbox.scaled_worker.WorkerSettings"
        )

    async def check_worker(self) -> asyncio.subprocess.Process:
        """arq's own question, for whoever runs workers without the HTTP endpoint."""
        return await self._spawn("-m", "arq", "--check", "generation.worker.WorkerSettings")

    async def _spawn(self, *arguments: str, **variables: str) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            env=self._environment | variables,
            cwd=ROOT,
            stderr=asyncio.subprocess.DEVNULL,
        )
        self._running.append(process)
        return process

    def _keep(self, process: Forked) -> Forked:
        self._running.append(process)
        return process

    async def end(self) -> None:
        for task in self._kept_up:
            task.cancel()
        await asyncio.gather(*self._kept_up, return_exceptions=True)
        for process in self._running:
            if process.returncode is None:
                process.kill()
            await process.wait()


@pytest_asyncio.fixture
async def processes(settings: ProductSettings, bucket: Storage) -> AsyncIterator[Processes]:
    processes = Processes(settings)
    yield processes
    await processes.end()


async def kill(process: Process) -> None:
    process.send_signal(signal.SIGKILL)
    await process.wait()
