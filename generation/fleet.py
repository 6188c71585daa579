"""The workers that live, as each says of itself: what expected waits and the operator's view rest on."""

from datetime import timedelta

from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from generation.models import RenderWorker

#: A worker that was killed is forgotten after a day; until then its row tells when it was last seen.
REMEMBERED = timedelta(days=1)


async def say_alive(
    session: AsyncSession,
    name: str,
    *,
    backend: str,
    problem: str | None,
    model: str | None,
    photo_seconds: float | None,
    in_hand: int,
) -> None:
    """Write down that this worker lives and how it is."""
    state = {
        "seen_at": func.clock_timestamp(),
        "problem": problem,
        "model": model,
        "photo_seconds": photo_seconds,
        "in_hand": in_hand,
    }
    await session.execute(
        insert(RenderWorker)
        .values(name=name, backend=backend, **state)
        .on_conflict_do_update(index_elements=[RenderWorker.name], set_=state)
    )


async def leave(session: AsyncSession, name: str) -> None:
    """Take back a worker that stops on purpose."""
    await session.execute(delete(RenderWorker).where(RenderWorker.name == name))


async def forget_silent(session: AsyncSession) -> None:
    """Take back workers that nobody has seen for a day."""
    await session.execute(delete(RenderWorker).where(RenderWorker.seen_at < func.clock_timestamp() - REMEMBERED))
