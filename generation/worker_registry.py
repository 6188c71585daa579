"""The workers that live, as each says of itself: what expected waits and the operator's view rest on."""

import os
import secrets
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from generation.models import RenderWorker
from generation.runtime import operator_switches
from generation.runtime.models import OperatorSwitch

#: A worker that was killed is forgotten after a day; until then its row tells when it was last seen.
REMEMBERED = timedelta(days=1)


class Command(StrEnum):
    """What an operator can want of one worker."""

    #: Run COMFYUI_RESTART_COMMAND.
    RESTART = "restart"
    #: Have ComfyUI unload its models.
    FREE = "free"


def name_of(place: str) -> str:
    """The name of one process at a place (a machine and its ComfyUI), unlike that of the one before it there."""
    return f"{place}:{os.getpid()}:{secrets.token_hex(2)}"


def place_of(name: str) -> str:
    """The machine and the ComfyUI of a worker: what stays the same when it is started anew."""
    return name.rsplit(":", 2)[0]


async def heartbeat(
    session: AsyncSession, name: str, *, lease: float, backend: str, **state: Any
) -> tuple[str | None, datetime, int]:
    """Write down that this worker lives and how it is (columns of `RenderWorker`).

    What an operator wants of it, PostgreSQL's time, and the counter of /reload; all in one statement.

    One that was killed at the same place is replaced by it.
    """
    silent = RenderWorker.seen_at < func.clock_timestamp() - timedelta(seconds=lease)
    same_place = RenderWorker.name.startswith(f"{place_of(name)}:", autoescape=True)
    replaced = delete(RenderWorker).where(same_place, RenderWorker.name != name, silent).cte("replaced")
    reload = select(OperatorSwitch.value).where(OperatorSwitch.name == operator_switches.RELOAD).scalar_subquery()
    values = {"seen_at": func.clock_timestamp(), **state}
    said = await session.execute(
        insert(RenderWorker)
        .values(name=name, backend=backend, **values)
        .on_conflict_do_update(index_elements=[RenderWorker.name], set_=values)
        .returning(RenderWorker.command, RenderWorker.seen_at, func.coalesce(reload, 0))
        .add_cte(replaced)
    )
    command, now, reload_count = said.one()
    return command, now, reload_count


async def remembered(session: AsyncSession, *, lease: float) -> list[tuple[RenderWorker, bool]]:
    """All workers that are remembered, by name, and whether each has been heard of lately."""
    is_alive = RenderWorker.seen_at > func.clock_timestamp() - timedelta(seconds=lease)
    rows = await session.execute(select(RenderWorker, is_alive).order_by(RenderWorker.name))
    return [(worker, alive) for worker, alive in rows]


async def send_command(session: AsyncSession, name: str, command: Command) -> bool:
    """Have a worker do something the next time it says that it lives; False when it is not there."""
    ordered = await session.execute(
        update(RenderWorker)
        .where(RenderWorker.name == name)
        .values(command=command.value, command_result=None)
        .returning(RenderWorker.name)
    )
    return ordered.scalar_one_or_none() is not None


async def done(session: AsyncSession, name: str, result: str) -> None:
    """Write down what came of a command."""
    await session.execute(
        update(RenderWorker).where(RenderWorker.name == name).values(command=None, command_result=result[:300])
    )


async def deregister(session: AsyncSession, name: str) -> None:
    """Take back a worker that stops on purpose."""
    await session.execute(delete(RenderWorker).where(RenderWorker.name == name))


async def forget_silent(session: AsyncSession) -> None:
    """Take back workers that nobody has seen for a day."""
    await session.execute(delete(RenderWorker).where(RenderWorker.seen_at < func.clock_timestamp() - REMEMBERED))
