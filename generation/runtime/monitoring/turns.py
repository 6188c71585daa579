"""Work that one process of many does at a time, and no more often than needed."""

from datetime import timedelta
from functools import cache

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import ReturningInsert

from generation.runtime.models import Turn

#: Looking at the figures for alerts.
ALERTS = "alerts"


async def take(session: AsyncSession, name: str, seconds: float) -> bool:
    """Whether nobody has had a turn at this for so long; if so it is the caller's."""
    taken = await session.execute(_taking(name, timedelta(seconds=seconds)))
    return taken.scalar_one_or_none() is not None


@cache
def _taking(name: str, pause: timedelta) -> ReturningInsert[str]:
    now = func.clock_timestamp()
    return (
        insert(Turn)
        .values(name=name)
        .on_conflict_do_update(
            index_elements=[Turn.name], set_={"taken_at": now}, where=Turn.taken_at < now - pause
        )
        .returning(Turn.name)
    )
