"""The arq jobs of a worker. Their only argument is a photo's id; what they work with is in arq's context."""

from typing import Any

import structlog

from generation.orders import jobs
from generation.runtime.database import CONNECTION_ERRORS, is_permanent
from generation.worker.app import GpuWorker

log = structlog.get_logger(__name__)


async def render_photo(ctx: dict[str, Any], _photo_id: int) -> None:
    """Serve the queue until nothing waits: the photo that was announced is only the reason to begin.

    A worker runs one such job at a time, so jobs go to workers that have nothing to do. One that falls sick, or
    stops, hands its job over and keeps its only place taken, so that it gets no other.
    """
    worker: GpuWorker = ctx["worker"]
    while not worker.stopping:
        if await worker.renderer.serve():
            return
        await jobs.hand_over(ctx["redis"])
        await worker.watchdog.healthy()
    await jobs.hand_over(ctx["redis"])
    await worker.stopped.wait()


async def deliver_photo(ctx: dict[str, Any], photo_id: int) -> None:
    """Deliver a stored photo that its worker left behind."""
    worker: GpuWorker = ctx["worker"]
    try:
        await worker.pipeline.deliver_stored(photo_id)
    except CONNECTION_ERRORS as error:
        _postponed("deliver", error)


async def sweep(ctx: dict[str, Any]) -> None:
    """The arq cron job; arq lets one worker of the queue run each tick."""
    worker: GpuWorker = ctx["worker"]
    try:
        await worker.recovery.sweep()
    except CONNECTION_ERRORS as error:
        _postponed("sweep", error)


def _postponed(job: str, error: BaseException) -> None:
    """One line: arq would print a traceback at ERROR. The next sweep does what this job left."""
    if is_permanent(error):
        raise error
    log.warning("job.postponed", job=job, error=type(error).__name__)
