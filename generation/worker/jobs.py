"""The arq jobs of a worker. Their only argument is a photo's id; what they work with is in arq's context."""

from typing import TYPE_CHECKING, Any

from generation.orders import jobs

if TYPE_CHECKING:
    from generation.worker.app import Process


async def render_photo(ctx: dict[str, Any], _photo_id: int) -> None:
    """Serve the queue until nothing waits: the photo that rang is only the reason to begin.

    A worker runs one such job at a time, so tokens go to workers that have nothing to do. One that falls sick, or
    stops, gives its token on and keeps its only place taken, so that it gets no other.
    """
    process: Process = ctx["process"]
    while not process.stopping:
        if await process.renderer.serve():
            return
        await jobs.hand_over(ctx["redis"])
        await process.watchdog.healthy()
    await jobs.hand_over(ctx["redis"])
    await process.stopped.wait()


async def deliver_photo(ctx: dict[str, Any], photo_id: int) -> None:
    """Deliver a stored photo that its worker left behind."""
    process: Process = ctx["process"]
    await process.pipeline.deliver_stored(photo_id)


async def sweep(ctx: dict[str, Any]) -> None:
    """The arq cron job; arq lets one worker of the queue run each tick."""
    process: Process = ctx["process"]
    await process.sweeper.sweep()
