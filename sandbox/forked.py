"""Starts the product's processes without importing everything anew each time, which takes seconds.

A server process imports once and forks; what comes out is a process of its own that can be killed like any other.
The command lines themselves are tried by the tests that start `python -m ...`.
"""

import asyncio
import multiprocessing
import os
import runpy
import signal
import sys
from multiprocessing.process import BaseProcess

from pydantic import SecretStr
from pydantic_settings import BaseSettings

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["bot.app", "generation.worker.arq_settings", "arq.cli"])


def _run(arguments: list[str], environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    os.dup2(devnull, 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # The product starts processes of its own, which a daemon of multiprocessing may not.
    multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]
    sys.argv = arguments
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)


class Forked:
    """A process with the interface of asyncio's, as far as tests need it."""

    def __init__(self, process: BaseProcess) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        pid = self._process.pid
        if pid is None:
            raise RuntimeError("not started")
        return pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    async def wait(self) -> int:
        while self.returncode is None:
            await asyncio.sleep(0.01)
        return self.returncode


async def python_m(*arguments: str, environment: dict[str, str]) -> Forked:
    """Like `python -m ARGUMENTS`, output thrown away."""
    process = _CONTEXT.Process(target=_run, args=(list(arguments), environment), daemon=True)
    await asyncio.to_thread(process.start)
    return Forked(process)


def environment(settings: BaseSettings) -> dict[str, str]:
    """Our own environment with these settings, as a process of the product reads them."""
    variables = dict(os.environ)
    for name, value in settings.model_dump().items():
        if isinstance(value, SecretStr):
            variables[name.upper()] = value.get_secret_value()
        elif isinstance(value, frozenset):
            variables[name.upper()] = ",".join(map(str, value))
        elif isinstance(value, tuple):
            variables[name.upper()] = written(value)
        elif value is not None:
            variables[name.upper()] = str(value)
    return variables


def written(value: tuple[object, ...]) -> str:
    """As .env writes it: `5-7`, or pairs as `20:100,60:250`."""
    if value and isinstance(value[0], tuple):
        return ",".join(":".join(map(str, pair)) for pair in value if isinstance(pair, tuple))
    return "-".join(map(str, value))
