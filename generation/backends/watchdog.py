"""The watchdog of a worker: whether the services that every photo needs can do their work.

A worker whose ComfyUI is sick takes nothing, so that the photos go to the others. The first healthy answer ends it.
"""

import asyncio
import shlex
from collections.abc import Callable

import structlog

from generation.backends.base import Backend
from generation.errors import ComfyUIUnreachable, GenerationError, StorageUnavailable
from generation.storage import Storage

log = structlog.get_logger(__name__)

#: Seconds between two runs of the restart command while it does not help, and that one run may take.
RESTART_EVERY = 60


class Watchdog:
    """One per worker. `on_sick` is called with a sentence each time that the worker falls sick.

    `look` is due every few seconds; `sick_after` is how long it may give no healthy answer, in seconds. One that
    refuses connections is sick at the second look, for nobody is there.
    """

    def __init__(
        self,
        backend: Backend,
        storage: Storage,
        *,
        sick_after: float,
        restart_command: str,
        on_sick: Callable[[str], None],
    ) -> None:
        self._backend = backend
        self._storage = storage
        self._sick_after = sick_after
        self._restart_command = restart_command
        self._on_sick = on_sick
        # Sick until proven healthy: before the first answer nothing is taken.
        self.problem: str | None = "not yet looked at"
        self._healthy = asyncio.Event()
        #: How often the renderer fell sick: what it had loaded may be gone.
        self.losses = 0
        self._storage_doubted = True
        self._bad_since: float | None = None
        self._refusals = 0
        self._restarted_at: float | None = None
        self._restarting: asyncio.Task[str] | None = None

    async def healthy(self) -> None:
        """Wait until all is well."""
        await self._healthy.wait()

    def give_up(self) -> None:
        """The worker stops: nobody needs to wait for health any more."""
        self._healthy.set()

    def doubt_storage(self) -> None:
        """Storing has failed: no further photo is rendered before S3 answers again."""
        self._storage_doubted = True

    async def look(self) -> None:
        """Ask ComfyUI, and S3 while it is doubted, once; fall sick or become healthy by the answer."""
        asked_at = asyncio.get_running_loop().time()
        try:
            await self._backend.check()
            if self._storage_doubted:
                await self._storage.check()
                self._storage_doubted = False
        except GenerationError as error:
            await self._bad(error, asked_at)
        else:
            self._good()

    def _good(self) -> None:
        if self.problem:
            log.info("worker.healthy", was=self.problem)
        self.problem = self._bad_since = None
        self._refusals = 0
        self._healthy.set()

    def restart(self) -> bool:
        """Run the restart command because an operator wants it; False when none is set."""
        if not self._restart_command:
            return False
        self._restarted_at = asyncio.get_running_loop().time()
        self._restarting = asyncio.create_task(self._restart())
        return True

    async def restarted(self) -> str:
        """Wait for a restart command that runs; what came of it, in words."""
        return await self._restarting if self._restarting else ""

    async def _bad(self, error: GenerationError, asked_at: float) -> None:
        now = asyncio.get_running_loop().time()
        self._bad_since = self._bad_since or asked_at
        self._refusals = self._refusals + 1 if isinstance(error, ComfyUIUnreachable) and error.refused else 0
        is_storage = isinstance(error, StorageUnavailable)
        if not (is_storage or self._refusals > 1 or now - self._bad_since >= self._sick_after or self.problem):
            return
        if self._healthy.is_set() or self.problem != str(error):
            log.warning("worker.sick", problem=str(error))
        was_healthy = self._healthy.is_set()
        self.problem = str(error)
        self._healthy.clear()
        if not is_storage:
            # Renders that are done can be stored later; those of a sick ComfyUI are another one's work now.
            if was_healthy:
                self.losses += 1
                self._on_sick(self.problem)
            if self._restart_command and (self._restarted_at is None or now - self._restarted_at >= RESTART_EVERY):
                self._restarted_at = now
                # Beside the looks: the first healthy answer ends the sickness, whatever the command still does.
                self._restarting = asyncio.create_task(self._restart())

    async def _restart(self) -> str:
        log.warning("comfyui.restarting")
        process = None
        try:
            process = await asyncio.create_subprocess_exec(*shlex.split(self._restart_command))
            code = await asyncio.wait_for(process.wait(), RESTART_EVERY)
        except TimeoutError:
            log.error("comfyui.restart_command_hangs")
            if process:
                process.kill()
            return "the restart command hangs"
        except (OSError, ValueError) as error:
            log.error("comfyui.restart_command_failed", error=repr(error))
            return f"the restart command failed: {error}"
        log.info("comfyui.restart_command_ended", exit_code=code)
        return "restarted" if code == 0 else f"the restart command ended with status {code}"
