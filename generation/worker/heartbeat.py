"""A worker's heartbeat: leases renewed, its row written, its card looked at; and what operators want of it done."""

import asyncio
import dataclasses
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import structlog

from generation import metrics, worker_registry
from generation.backends.base import Backend
from generation.backends.gpu import GpuReport, Nvml, disk_free
from generation.backends.watchdog import Watchdog
from generation.errors import GenerationError, WorkflowError
from generation.orders import lifecycle
from generation.runtime.database import CONNECTION_ERRORS, Database
from generation.runtime.monitoring import alert_rules
from generation.settings import Settings
from generation.worker.contact import Contact
from generation.worker.memory_watch import MemoryWatch, Remedy
from generation.worker.pipeline import Pipeline
from generation.worker.rendering.picking import BatchPicker
from generation.worker.state import WorkerState
from generation.workflows import workflow

log = structlog.get_logger(__name__)


class Heartbeat:
    """Renews the leases of the photos in hand, writes the worker's row, and obeys what is written there.

    One per worker process, built by `generation.worker.app`.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        worker: str,
        state: WorkerState,
        database: Database,
        backend: Backend,
        watchdog: Watchdog,
        pipeline: Pipeline,
        picker: BatchPicker,
        contact: Contact,
    ) -> None:
        self._contact = contact
        self._memory = MemoryWatch({"vram": settings.leak_vram, "ram": settings.leak_ram})
        self._settings = settings
        self._worker = worker
        self._state = state
        self._database = database
        self._backend = backend
        self._watchdog = watchdog
        self._pipeline = pipeline
        self._picker = picker
        self.rules = alert_rules.load_or_stop(settings.alerts_file, None)
        self._throttle = alert_rules.Throttle(self.rules)
        self._nvml = Nvml(settings.render_url, settings.gpu_index)
        self._read_files: int | None = None
        self._obeying: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """Obey no longer; leases are still renewed while photos are on their way."""
        if self._obeying:
            self._obeying.cancel()

    async def beat(self) -> None:
        """One round, due three times a lease. Raises what PostgreSQL raises: a lease that runs out is legal."""
        # First and alone: the card may take its time to answer, and the leases do not wait for it.
        if self._pipeline.held:
            async with self._database.autocommit() as session:
                await lifecycle.renew_leases(session, self._pipeline.held, lease=self._settings.lease)
        row = await self._row()
        # Asked before the row is read: a command that was done in between would be obeyed twice.
        is_free = self._obeying is None or self._obeying.done()
        async with self._database.autocommit() as session:
            command, now, reload = await worker_registry.heartbeat(
                session, self._worker, lease=self._settings.lease, backend=self._backend.name, **row
            )
        self._contact.heard(now)
        self._read_files = self._read_again(reload)
        if command and is_free:
            # Beside the heartbeat: a ComfyUI that hangs takes its time to refuse.
            self._obeying = asyncio.create_task(self._obey(command))

    async def _row(self) -> dict[str, Any]:
        """Columns of this worker's row. Looks at the card as well, and throttles when it must."""
        card = await self._backend.report()
        if told := await self._nvml.read():
            load, temperature = told
            card = dataclasses.replace(
                card,
                load=card.load if load is None else load,
                temperature=card.temperature if temperature is None else temperature,
            )
        for name, gauge in metrics.MODEL_CACHE.items():
            gauge.set(card.models.get(name, 0))
        hot = {"gpu_temperature": card.temperature, "gpu_load": card.load, "vram_used": card.vram_used}
        throttled = self._throttle.look(hot, datetime.now(UTC))
        if throttled != self._state.throttled:
            log.warning("worker.throttled" if throttled else "worker.cooled_down", temperature=card.temperature)
            self._state.throttled = throttled
        self._mind_memory(card)
        return {
            "problem": self._watchdog.problem,
            "model": self._state.model,
            "photo_seconds": self._state.photo_seconds,
            "photo_cost": (self._state.photo_seconds or 0) * self._settings.gpu_second_price or None,
            "in_hand": len(self._pipeline.held),
            "workflows": None if self._state.workflows is None else sorted(self._state.workflows),
            "lacks": self._state.lacks,
            "foreign_graphs": card.foreign_graphs,
            "warning": "; ".join([*card.warnings, *self._state.switched_off]) or None,
            "batch_size": self._state.batch_size,
            "gpu_name": card.name,
            "vram_used": card.vram_used,
            "vram_total": card.vram_total,
            "gpu_load": card.load,
            "gpu_temperature": card.temperature,
            "disk_free": disk_free(),
            "throttled": throttled,
            "last_error": self._state.last_error,
            "last_error_at": self._state.last_error_at,
        }

    def _mind_memory(self, card: GpuReport) -> None:
        """A ComfyUI that holds more and more is freed, and restarted when that was not enough."""
        remedy = self._memory.look(
            {"vram": card.vram_used, "ram": card.ram},
            model=self._state.model or "",
            idle_since=self._state.idle_since,
            now=time.monotonic(),
        )
        if remedy is None or self._watchdog.problem:
            return
        why = self._memory.problem
        log.warning("worker.memory_grows", remedy=remedy.name.lower(), why=why)
        metrics.LEAKS.labels(remedy.name.lower()).inc()
        self._state.note_error(why)
        if remedy is Remedy.RESTART:
            self._memory.restarted()
            if self._watchdog.can_restart:
                self._watchdog.doubt(why, restart=True)
        elif self._obeying is None or self._obeying.done():
            self._obeying = asyncio.create_task(self._obey(worker_registry.Command.FREE))

    async def _obey(self, command: str) -> None:
        """What an operator wants of this worker; the answer is in its row."""
        log.warning("worker.commanded", command=command)
        try:
            if command != worker_registry.Command.RESTART:
                await self._backend.free()
                result = "freed"
            elif self._watchdog.restart():
                result = await self._watchdog.restarted()
            else:
                await self._backend.restart()
                result = "restarted by its node"
        except GenerationError as error:
            result = str(error)
        with suppress(*CONNECTION_ERRORS):
            async with self._database.unit() as session:
                await worker_registry.done(session, self._worker, result)

    def _read_again(self, wanted: int) -> int:
        """Workflows and rules from their files, when an operator wants it; what is wrong changes nothing."""
        if self._read_files in {None, wanted}:
            return wanted
        try:
            workflows = workflow.load_all(self._settings.workflows_folder, own_nodes=self._settings.has_own_nodes)
            rules = alert_rules.load(self._settings.alerts_file, None)
        except (WorkflowError, alert_rules.RulesError) as error:
            log.error("worker.files_refused", error=str(error))
            self._state.note_error(f"reload refused: {error}")
            return wanted
        self._state.switched_off = []
        self._picker.use(workflows)
        self._watchdog.prove_again()
        self.rules, self._throttle = rules, alert_rules.Throttle(rules)
        log.info("worker.files_read_again", workflows=len(workflows), rules=len(rules.rules))
        return wanted
