"""Renders each named workflow once as soon as ComfyUI is well, so that no person pays for loading and compiling.

What one photo and a full batch take is known from it as well, before anybody's photo is put into a batch.
"""

import asyncio
import random
import time
import uuid
from collections.abc import Callable, Mapping, Sequence

import structlog

from generation.backends.base import Backend
from generation.backends.watchdog import Watchdog
from generation.errors import GenerationError
from generation.models import Orientation
from generation.runtime.settings import WrongSettings
from generation.worker.state import WorkerState
from generation.workflows.workflow import Filling, Workflow

log = structlog.get_logger(__name__)

#: Seconds; torch.compile takes minutes and says nothing meanwhile.
LONGEST = 900
#: Seconds between two looks whether ComfyUI was away.
LOOK_EVERY = 1.0
PROMPT = "a lighthouse on a cliff at dawn"


class WarmUp:
    """One per worker. The first name is rendered last, so that its model stays loaded.

    `workflows` gives those that are in use: `/reload` may bring others. It sets `state.warm`, before which
    no photo is claimed: it would wait behind a graph that takes minutes.
    """

    def __init__(
        self,
        backend: Backend,
        workflows: Callable[[], Mapping[str, Workflow]],
        names: Sequence[str],
        watchdog: Watchdog,
        state: WorkerState,
        learn: Callable[[str, int, float], None],
    ) -> None:
        """`learn` hears of a workflow, a batch size and its seconds, its model loaded and compiled."""
        if unknown := sorted(set(names) - workflows().keys()):
            raise WrongSettings(f"WARM_UP is wrong: there is no workflow {', '.join(unknown)}.")
        self._backend = backend
        self._workflows = workflows
        # A card of our own stays warm; a serverless one ends.
        self._names = tuple(reversed(names)) if backend.one_after_another else ()
        self._watchdog = watchdog
        self._state = state
        self._learn = learn
        if not self._names:
            state.warm.set()

    async def keep(self) -> None:
        """Again whenever ComfyUI was away, or the workflows are others."""
        losses, known = -1, None
        while self._names:
            await self._watchdog.healthy()
            if self._watchdog.losses != losses or self._workflows() is not known:
                losses, known = self._watchdog.losses, self._workflows()
                await self._render_all(known)
            self._state.warm.set()
            await asyncio.sleep(LOOK_EVERY)

    async def _render_all(self, workflows: Mapping[str, Workflow]) -> None:
        for workflow in (workflows[name] for name in self._names if name in workflows):
            # Each size is compiled by itself, of pictures and of batches.
            for count in sorted({1, len(workflow.seconds())}):
                seconds = [await self._render(workflow, orientation, count) for orientation in Orientation]
                # The first one loads and compiles.
                if len(seconds) > 1 and seconds[-1]:
                    self._learn(workflow.name, count, seconds[-1])

    async def _render(self, workflow: Workflow, orientation: Orientation, count: int) -> float | None:
        """Seconds that it took; None when it failed."""
        fillings = [
            Filling(
                prompt=PROMPT,
                negative_prompt="",
                # A new one: ComfyUI would answer a known graph from its cache and load nothing.
                seed=random.getrandbits(32),
                orientation=orientation,
                filename_prefix="vitte/warm-up",
            )
            for _ in range(count)
        ]
        began = time.monotonic()
        try:
            graph, _ = workflow.fill(fillings)
            rendered = await self._backend.render(
                graph, prompt_id=str(uuid.uuid4()), timeout=LONGEST, stall=LONGEST
            )
        except GenerationError as error:
            log.warning("warm_up.failed", workflow=workflow.name, error=f"{type(error).__name__}: {error}")
            return None
        log.info("warm_up.done", workflow=workflow.name, photos=count, seconds=rendered.seconds)
        return rendered.seconds or time.monotonic() - began
