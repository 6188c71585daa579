"""The watchdog of a worker: whether the services that every photo needs can do their work.

A worker whose ComfyUI is sick takes nothing, so that the photos go to the others. It is well again when ComfyUI
answers and has rendered a tiny picture.
"""

import asyncio
import shlex
from collections.abc import Awaitable, Callable, Iterable

import structlog

from generation.backends.base import Backend
from generation.errors import ComfyUIUnreachable, GenerationError, StorageUnavailable
from generation.storage import Storage

log = structlog.get_logger(__name__)

#: Seconds between two runs of the restart command while it does not help, and that one run may take.
RESTART_EVERY = 60
#: Renders in a row, of as many photos, that fail before the worker and not the photos is to blame.
FAILURES = 3
#: Seconds between two proofs while they fail; each pause is twice the one before.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0


class Watchdog:
    """One per worker. `on_sick` is called with a sentence each time that the worker falls sick; `prove` renders
    something and raises GenerationError where that does not work.

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
        prove: Callable[[], Awaitable[None]],
    ) -> None:
        self._backend = backend
        self._storage = storage
        self._sick_after = sick_after
        self._restart_command = restart_command
        self._on_sick = on_sick
        self._prove = prove
        #: It must show that it can render before it is well; not again before the time, after it could not.
        self._doubted = True
        self._prove_again_at = 0.0
        self._failed_proofs = 0
        self._failed_photos: list[frozenset[int]] = []
        self._doubts = 0
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
        """Storing has failed: no further photo is rendered before an object could be stored again."""
        self._storage_doubted = True
        self.problem = self.problem or "S3 does not take originals"
        self._healthy.clear()

    def doubt(self, why: str, *, restart: bool = False, pause: float = 0.0) -> None:
        """Fall sick at once, until ComfyUI has shown that it can render, and for `pause` seconds at least.

        `restart`: it will not by itself. Doubts in a row, with no picture between them, last longer and longer.
        """
        self._doubted = True
        self._doubts += 1
        rest = max(pause, FIRST_PAUSE * 2 ** (self._doubts - 2)) if self._doubts > 1 or pause else 0.0
        self._prove_again_at = asyncio.get_running_loop().time() + min(LONGEST_PAUSE, rest)
        self._failed_photos.clear()
        log.warning("worker.doubted", why=why)
        self._fall_sick(why)
        if restart:
            self._restart_soon(asyncio.get_running_loop().time())

    @property
    def can_restart(self) -> bool:
        """Whether somebody starts ComfyUI anew; without a command, ending it might be for good."""
        return bool(self._restart_command)

    def prove_again(self) -> None:
        """The workflows are others: show what can be rendered now, and go on meanwhile."""
        self._doubted, self._prove_again_at = True, 0.0

    def failed(self, photos: Iterable[int], why: str) -> None:
        """A render came to nothing; so many in a row, of different photos, are no photo's fault."""
        self._failed_photos.append(frozenset(photos))
        if len(self._failed_photos) >= FAILURES and len(frozenset().union(*self._failed_photos)) >= FAILURES:
            self.doubt(f"{len(self._failed_photos)} renders in a row failed: {why}", restart=True)

    def succeeded(self) -> None:
        """A render came to a picture."""
        self._failed_photos.clear()
        self._doubts = 0

    async def look(self) -> None:
        """Ask ComfyUI, and S3 while it is doubted, once; fall sick or become healthy by the answer."""
        asked_at = asyncio.get_running_loop().time()
        try:
            await self._backend.check()
            if self._storage_doubted:
                await self._storage.check()
                self._storage_doubted = False
            if self._doubted and not await self._is_proven():
                return
        except GenerationError as error:
            await self._bad(error, asked_at)
        else:
            self._good()

    async def _is_proven(self) -> bool:
        """Whether it can render; False before it is time to try again. Raises what the proof raises."""
        now = asyncio.get_running_loop().time()
        if now < self._prove_again_at:
            return False
        try:
            await self._prove()
        except GenerationError:
            self._failed_proofs += 1
            self._prove_again_at = now + min(LONGEST_PAUSE, FIRST_PAUSE * 2**self._failed_proofs)
            raise
        self._doubted, self._failed_proofs = False, 0
        return True

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
        if is_storage:
            # Renders that are done can be stored later.
            self.problem = str(error)
            self._healthy.clear()
            return
        self._doubted = True
        self._fall_sick(str(error))
        self._restart_soon(now)

    def _fall_sick(self, why: str) -> None:
        was_healthy = self._healthy.is_set()
        self.problem = why
        self._healthy.clear()
        if was_healthy:
            # What a sick ComfyUI has in its hands is another one's work now.
            self.losses += 1
            self._on_sick(why)

    def _restart_soon(self, now: float) -> None:
        if self._restarted_at is not None and now - self._restarted_at < RESTART_EVERY:
            return
        # Beside the looks: the first proof ends the sickness, whatever the command still does.
        if self._restart_command:
            self._restarted_at = now
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
