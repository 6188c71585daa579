"""Picks and claims what a GPU renders next; what was measured of this GPU decides the size of a batch."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from generation.backends.base import Backend
from generation.models import Photo
from generation.orders import lifecycle, queue
from generation.runtime.database import Database
from generation.scheduling import batching
from generation.scheduling.batching import Batch, Limits, Loaded, Wait, Waiting
from generation.scheduling.cost_model import CostModel
from generation.settings import Settings
from generation.worker.state import WorkerState
from generation.workflows.workflow import Workflow


@dataclass(frozen=True, slots=True)
class Claimed:
    """Photos that belong to this worker now, and the model that they need ("" where nobody knows)."""

    photos: Sequence[Photo]
    model: str


class BatchPicker:
    """One per worker process, built by `generation.worker.app`; knows the workflows and what their graphs cost."""

    def __init__(
        self,
        *,
        settings: Settings,
        worker: str,
        database: Database,
        backend: Backend,
        workflows: Mapping[str, Workflow],
        state: WorkerState,
    ) -> None:
        self._state = state
        self._settings = settings
        self._worker = worker
        self._database = database
        self._backend = backend
        self.workflows = workflows
        self.costs = CostModel(_priors(workflows), trusted=_trusted(workflows))

    def use(self, workflows: Mapping[str, Workflow]) -> None:
        """Go on with other workflows; what was measured of those that stay is kept."""
        self.workflows = workflows
        self.costs.use(_priors(workflows), trusted=_trusted(workflows))

    async def claim(self, loaded: Loaded, *, idle: bool) -> Claimed | Wait | None:
        """Choose the next batch and claim it.

        `loaded` is the model on the GPU, `idle` whether nothing renders. None when nothing may be taken, Wait when
        a batch should fill first. Raises what PostgreSQL raises.
        """
        async with self._database.autocommit() as session:
            takes = "everything"
            if self._backend.is_overflow:
                takes = await queue.overflow(
                    session, depth=self._settings.overflow_depth, lease=self._settings.lease
                )
            if takes == "nothing":
                return None
            chooser = queue.Chooser(
                worker=self._worker, workflows=self._state.workflows, lease=self._settings.lease
            )
            return await self._claim(session, chooser, loaded, idle=idle, free_only=takes == "free")

    async def _claim(
        self, session: AsyncSession, chooser: queue.Chooser, loaded: Loaded, *, idle: bool, free_only: bool
    ) -> Claimed | Wait | None:
        """Other workers choose at the same time: whom they took is passed over, and the next ones are looked at."""
        gone: list[int] = []
        while True:
            waiting = await queue.candidates(session, chooser, free_only=free_only, without=gone)
            choice = self._choose(waiting, loaded, idle=idle)
            if not isinstance(choice, Batch):
                return choice
            ids = [photo.id for photo in (*choice.photos, *choice.others)]
            photos = await lifecycle.claim(
                session, ids, at_most=len(choice.photos), worker=self._worker, lease=self._settings.lease
            )
            if photos:
                return Claimed(photos, choice.model)
            gone += ids

    def kind(self, workflow: str, inputs: Mapping[str, str | float]) -> str:
        """Under which name is learnt what such a photo costs."""
        known = self.workflows.get(workflow)
        return known.kind(inputs) if known else workflow

    def seconds(self, kind: str, size: int) -> float:
        """What a graph of so many photos is expected to take, its model loaded."""
        costs = self._costs(kind)
        return costs[min(size, len(costs)) - 1]

    def _choose(self, rows: Sequence[Any], loaded: Loaded, *, idle: bool) -> Batch | Wait | None:
        if not rows:
            return None
        waiting = [self._waiting(row) for row in rows]
        work = sum(self._costs(photo.workflow)[0] for photo in waiting)
        limits = Limits(
            costs={photo.workflow: self._costs(photo.workflow) for photo in waiting},
            model_slice=self._settings.model_slice,
            window=self._settings.batch_window,
            load=self.costs.load(time.monotonic(), work / (1 + rows[0].others)),
            gpus=1 + rows[0].others,
            idle=1 + rows[0].others_idle,
        )
        return batching.choose(waiting, float(rows[0].now), loaded, limits, idle=idle)

    def _waiting(self, row: Any) -> Waiting:
        workflow = self.workflows.get(row.workflow)
        return Waiting(
            id=row.id,
            # Photos with other numbers of pictures share no graph.
            workflow=self.kind(row.workflow, row.inputs or {}),
            model=workflow.model if workflow else "",
            shape=workflow.shape(row.orientation, row.inputs or {}) if workflow else "",
            premium=row.premium,
            rank=float(row.rank),
            since=float(row.since),
            alone=row.alone,
        )

    def _costs(self, kind: str) -> list[float]:
        """A workflow that is not there costs a moment: its photos are claimed to be told so."""
        if not {kind, kind.rpartition("+")[0]} & self.workflows.keys():
            return [0.0]
        costs = self.costs.costs(kind)
        return costs if self._backend.one_after_another else costs[:1]


def _priors(workflows: Mapping[str, Workflow]) -> dict[str, Sequence[float]]:
    return {kind: workflow.seconds() for workflow in workflows.values() for kind in workflow.kinds}


def _trusted(workflows: Mapping[str, Workflow]) -> set[str]:
    return {kind for workflow in workflows.values() if workflow.is_measured for kind in workflow.kinds}
