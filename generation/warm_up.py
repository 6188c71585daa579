"""Renders each named workflow once as soon as ComfyUI is well, so that no person pays for loading and compiling."""

import random
import uuid
from collections.abc import Mapping, Sequence

import structlog

from generation.backend import Backend
from generation.errors import GenerationError
from generation.health import Watchdog
from generation.models import Orientation
from generation.settings import WrongSettings
from generation.workflow import Filling, Workflow

log = structlog.get_logger(__name__)

#: Seconds; torch.compile takes minutes.
LONGEST = 900
PROMPT = "a lighthouse on a cliff at dawn"


class WarmUp:
    """One per worker. The first name is rendered last, so that its model stays loaded."""

    def __init__(
        self,
        backend: Backend,
        workflows: Mapping[str, Workflow],
        names: Sequence[str],
        watchdog: Watchdog,
    ) -> None:
        if unknown := sorted(set(names) - workflows.keys()):
            raise WrongSettings(f"WARM_UP is wrong: there is no workflow {', '.join(unknown)}.")
        self._backend = backend
        self._workflows = [workflows[name] for name in reversed(names)]
        self._watchdog = watchdog

    async def keep(self) -> None:
        """Again whenever ComfyUI comes back."""
        while self._workflows:
            await self._watchdog.healthy()
            for workflow in self._workflows:
                # Each size is compiled by itself.
                for orientation in Orientation:
                    await self._render(workflow, orientation)
            await self._watchdog.sick()

    async def _render(self, workflow: Workflow, orientation: Orientation) -> None:
        filling = Filling(
            prompt=PROMPT,
            negative_prompt="",
            # A new one: ComfyUI would answer a known graph from its cache and load nothing.
            seed=random.getrandbits(32),
            orientation=orientation,
            filename_prefix="vitte/warm-up",
        )
        graph, _ = workflow.fill([filling])
        try:
            rendered = await self._backend.render(graph, prompt_id=str(uuid.uuid4()), timeout=LONGEST)
        except GenerationError as error:
            log.warning("warm_up.failed", workflow=workflow.name, error=f"{type(error).__name__}: {error}")
        else:
            log.info("warm_up.done", workflow=workflow.name, size=orientation.value, seconds=rendered.seconds)
