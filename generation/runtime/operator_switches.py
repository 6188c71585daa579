"""What an operator has switched, in PostgreSQL: every process of every machine reads it there."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from generation.runtime.models import OperatorSwitch

#: Nobody claims photos; they wait.
QUEUE_PAUSED = "queue_paused"
#: No new orders are taken; those that wait are made.
QUEUE_DRAINING = "queue_draining"
#: People are answered with one sentence.
MAINTENANCE = "maintenance"
#: Counts up: files (workflows, personas, rules) shall be read again.
RELOAD = "reload"


@dataclass(frozen=True, kw_only=True, slots=True)
class OperatorSwitches:
    """How everything is switched at the moment of reading."""

    queue_paused: bool = False
    queue_draining: bool = False
    maintenance_since: datetime | None = None
    reload: int = 0


async def read(session: AsyncSession) -> OperatorSwitches:
    """All switches, in one query."""
    rows = {row.name: row for row in await session.scalars(select(OperatorSwitch))}

    def is_on(name: str) -> bool:
        return name in rows and rows[name].value > 0

    return OperatorSwitches(
        queue_paused=is_on(QUEUE_PAUSED),
        queue_draining=is_on(QUEUE_DRAINING),
        maintenance_since=rows[MAINTENANCE].changed_at if is_on(MAINTENANCE) else None,
        reload=rows[RELOAD].value if RELOAD in rows else 0,
    )


async def is_on(session: AsyncSession, name: str) -> bool:
    """Whether one switch is on."""
    return bool(await session.scalar(select(OperatorSwitch.value).where(OperatorSwitch.name == name)))


async def switch(session: AsyncSession, name: str, *, on: bool) -> bool:
    """Turn a switch; False when it stood so already."""
    return await _write(session, name, int(on), OperatorSwitch.value != int(on), begin=int(on) != 0)


async def count_up(session: AsyncSession, name: str) -> None:
    """Raise a counter by one; processes that know the old number act."""
    await _write(session, name, OperatorSwitch.value + 1, None, begin=True)


async def _write(session: AsyncSession, name: str, value: Any, only: Any, *, begin: bool) -> bool:
    if not begin and not await session.scalar(select(OperatorSwitch.name).where(OperatorSwitch.name == name)):
        return False
    first = value if isinstance(value, int) else 1
    written = await session.execute(
        insert(OperatorSwitch)
        .values(name=name, value=first)
        .on_conflict_do_update(
            index_elements=[OperatorSwitch.name],
            set_={"value": value, "changed_at": func.clock_timestamp()},
            where=only,
        )
        .returning(OperatorSwitch.name)
    )
    return written.scalar_one_or_none() is not None
