"""One machine with everything on it: the parts, the migrations, the bot and one worker, watched until Ctrl-C."""

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from bot.settings import Settings as BotSettings
from generation.runtime.background import stop_signal
from generation.runtime.settings import load
from generation.workflows import workflow
from sandbox.parts import Parts
from sandbox.servers import end_with_parent
from sandbox.settings import SandboxSettings
from sandbox.sockets import HOST, free_port

#: A process that ends is started again after this many seconds.
RESTART_PAUSE = 1.0
#: Longer than the processes' own SHUTDOWN_WAIT.
STOP_SECONDS = 40

PREPARATIONS = (["-m", "alembic", "upgrade", "head"], ["-m", "generation", "create-bucket"])
COMMANDS = {
    "bot": ["-m", "bot"],
    "worker": ["-m", "arq", "generation.worker.WorkerSettings"],
}
#: Where each tells Prometheus its figures, if nobody has the port.
METRICS_PORTS = {"bot": 9101, "worker": 9102}


async def run(settings: SandboxSettings, given: Mapping[str, str]) -> int:
    """Start everything, say where it is, and stop it at SIGINT or SIGTERM. Returns the exit status."""
    stop = stop_signal()
    async with AsyncExitStack() as stack:
        stack.enter_context(_alone(settings.data))
        print("Starting ...", flush=True)
        parts = Parts(settings, given, stack)
        await parts.start()
        os.environ.update(parts.environment)
        # Said here once instead of by two processes that would be started again and again.
        workflow.load_or_stop(load(BotSettings).workflows_folder)
        for arguments in PREPARATIONS:
            if await _finished(arguments):
                print(f"`python {' '.join(arguments)}` failed; see above.", file=sys.stderr)
                return 1
        ports = {name: free_port(port) for name, port in METRICS_PORTS.items()}
        _introduce(parts, ports)
        watching = [
            asyncio.create_task(_keep_running(name, arguments, stop, METRICS_PORT=str(ports[name])))
            for name, arguments in COMMANDS.items()
        ]
        await asyncio.wait([*watching, asyncio.create_task(stop.wait())], return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        print("\nStopping; a photo that renders is finished first (SHUTDOWN_WAIT) ...", flush=True)
        statuses = await asyncio.gather(*watching)
    print("Stopped.", flush=True)
    return max(statuses)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two machines over one folder would ruin each other's files. Raises SystemExit with a sentence."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SystemExit(f"Another `make run` uses {folder}: stop it, or set SANDBOX_DATA.") from None
        yield


def _introduce(parts: Parts, ports: Mapping[str, int]) -> None:
    lines = ["", "Vitte is running."]
    for part in parts.parts:
        lines.append(f"  {part.name:<15} {'STAND-IN: ' if part.stand_in else ''}{part.what}")
    if parts.page:
        lines += [
            "",
            f"  Chat page       {parts.page}/",
            f"  Bot API         {parts.page}/bot<token>/  (token {parts.environment['BOT_TOKEN']})",
            f"  Page API        {parts.page}/api/  (docs/telegram-stand-in.md)",
        ]
    else:
        lines += ["", "  Write to your bot in Telegram."]
    figures = ", ".join(f"http://{HOST}:{port}/metrics ({name})" for name, port in ports.items())
    lines += [f"  Figures         {figures}"]
    print("\n".join([*lines, "", "  Ctrl-C stops everything.", ""]), flush=True)


async def _finished(arguments: list[str]) -> int:
    process = await _spawn(arguments)
    return await process.wait()


async def _keep_running(name: str, arguments: list[str], stop: asyncio.Event, **environment: str) -> int:
    """Run a process of the product until `stop`, starting it again when it dies."""
    while True:
        process = await _spawn(arguments, **environment)
        ended = asyncio.create_task(process.wait())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if stop.is_set():
            await _stop(process)
            return 0
        print(f"The {name} ended with status {ended.result()}; starting it again.", file=sys.stderr, flush=True)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), RESTART_PAUSE)
            return 0


async def _stop(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()


async def _spawn(arguments: list[str], **environment: str) -> asyncio.subprocess.Process:
    # A session of its own: Ctrl-C in the terminal reaches only us, and we stop the others in order.
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=Path(__file__).parent.parent,
        env=os.environ | environment,
        stdin=asyncio.subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=end_with_parent,
    )
