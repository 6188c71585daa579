"""Shows what this worker can render before it claims anything: its workflows in its ComfyUI, by tiny pictures."""

import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from generation.backends.base import Backend
from generation.errors import BadImage, ComfyUIError, ComfyUISick, GraphRejected, RenderFailed
from generation.models import Orientation
from generation.worker.state import WorkerState
from generation.workflows.compatibility import ObjectInfo, fitted, problems
from generation.workflows.workflow import Filling, Workflow

log = structlog.get_logger(__name__)

#: Pixels of a probe's sides, and its steps: what is asked is whether it works.
SIDE, STEPS = 256, 1
#: Seconds; a model is loaded first, perhaps from a slow disk, and says nothing meanwhile.
LONGEST = 600
#: Seconds between two looks whether what could not be rendered can be by now.
LOOK_AGAIN_EVERY = 60
PROMPT = "a lighthouse on a cliff at dawn"
#: Inputs that photos bring: what the file has in their place may be missing without harm.
BROUGHT = ("lora_name",)


class Prover:
    """One per worker, asked by the watchdog before the worker is well. Writes the state's workflows and lacks."""

    def __init__(
        self,
        backend: Backend,
        workflows: Callable[[], Mapping[str, Workflow]],
        state: WorkerState,
        *,
        renders: bool,
        use: Callable[[Mapping[str, Workflow]], None],
    ) -> None:
        """`renders`: tiny pictures are made, and not only nodes and files compared.

        `use` is told of the workflows without the switches that this ComfyUI cannot do.
        """
        self._use = use
        self._renders = renders
        self._backend = backend
        self._workflows = workflows
        self._state = state

    async def prove(self) -> None:
        """Raise a ComfyUIError when nothing can be rendered, or nobody can tell."""
        known = await self._backend.object_info()
        self._fit(known)
        workflows = self._workflows()
        found = {name: await self._found(workflow, known) for name, workflow in workflows.items()}
        self._note({name: shown.why for name, shown in found.items() if shown.why})
        if any(shown.rendered for shown in found.values()):
            return
        # Broken, and not without some file: the first failed picture says how.
        for shown in sorted(found.values(), key=lambda shown: not shown.failed):
            if shown.why:
                raise ComfyUISick(f"it can render nothing: {shown.why}")

    def _fit(self, known: ObjectInfo | None) -> None:
        """An optimisation that is missing here must not cost the workflow."""
        if known is None:
            return
        found = {name: fitted(workflow, known) for name, workflow in self._workflows().items()}
        why = [sentence for _, sentences in found.values() for sentence in sentences]
        if why:
            log.warning("worker.switches_off", why=why)
            self._state.switched_off = why
            self._use({name: workflow for name, (workflow, _) in found.items()})

    async def look_again(self) -> None:
        """Whether what could not be rendered can be by now: a file was brought, or a node installed."""
        if not self._state.lacks:
            return
        try:
            known = await self._backend.object_info()
            workflows = {name: each for name, each in self._workflows().items() if name in self._state.lacks}
            found = {name: await self._found(workflow, known) for name, workflow in workflows.items()}
        except ComfyUIError as error:
            log.info("worker.not_proven_again", error=str(error))
            return
        self._note({name: shown.why for name, shown in found.items() if shown.why})

    def _note(self, lacks: dict[str, str]) -> None:
        for name, why in lacks.items():
            if self._state.lacks.get(name) != why:
                log.warning("worker.cannot_render", workflow=name, why=why)
        self._state.lacks = lacks
        self._state.workflows = frozenset(self._workflows()) - lacks.keys()
        log.info("worker.proven", workflows=sorted(self._state.workflows))

    def _lacking(self, workflow: Workflow, known: ObjectInfo | None) -> str:
        only = self._backend.renders_only
        if only is not None and workflow.name not in only:
            return f"{workflow.name}: this engine renders {', '.join(sorted(only))} alone"
        return "" if known is None else next(problems(workflow, known), "")

    async def _found(self, workflow: Workflow, known: ObjectInfo | None) -> "_Shown":
        if lacking := self._lacking(workflow, known):
            return _Shown(lacking)
        if not self._renders or known is None:
            return _Shown(rendered=True)
        graph = workflow.probe(_probe(), side=SIDE, steps=STEPS)
        try:
            rendered = await self._backend.render(
                graph, prompt_id=str(uuid.uuid4()), timeout=LONGEST, stall=LONGEST
            )
        except GraphRejected as error:
            # What photos bring may be missing in the file without harm: nothing is shown by that.
            return _Shown("" if any(map(workflow.takes, BROUGHT)) else f"{workflow.name}: {error.told()}")
        except (RenderFailed, BadImage) as error:
            return _Shown(f"{workflow.name}: {error}", failed=True)
        if not rendered.outputs.get(workflow.output):
            return _Shown(f"{workflow.name}: it gives no image", failed=True)
        return _Shown(rendered=True)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a proof came to: why the workflow cannot be rendered, whether a picture failed or was made."""

    why: str = ""
    failed: bool = False
    rendered: bool = False


def _probe() -> Filling:
    return Filling(
        prompt=PROMPT,
        negative_prompt="",
        # A new one: ComfyUI would answer a known graph from its cache.
        seed=random.getrandbits(32),
        orientation=Orientation.PORTRAIT,
        filename_prefix="vitte/probe",
    )
