"""What failed and no other row tells of: language model, payments, updates put away. Kept for a week."""

from datetime import timedelta

import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from generation.runtime.database import CONNECTION_ERRORS, Database
from generation.runtime.models import Incident

log = structlog.get_logger(__name__)

KEPT = timedelta(days=7)


async def note(database: Database, kind: str, detail: str) -> None:
    """Write one down; while PostgreSQL is away the log has to do. `detail` never holds what people wrote."""
    try:
        async with database.unit() as session:
            session.add(Incident(kind=kind, detail=detail[:200]))
    except CONNECTION_ERRORS as error:
        log.warning("incident.not_noted", kind=kind, error=type(error).__name__)


async def counts(session: AsyncSession, *, window: float) -> dict[str, int]:
    """How many of each kind in the last `window` seconds."""
    rows = await session.execute(
        select(Incident.kind, func.count().label("incidents"))
        .where(Incident.at > func.now() - timedelta(seconds=window))
        .group_by(Incident.kind)
    )
    return {row.kind: row.incidents for row in rows}


async def latest(session: AsyncSession, *, count: int) -> list[Incident]:
    """Newest first."""
    return list(await session.scalars(select(Incident).order_by(Incident.at.desc()).limit(count)))


async def forget_old(database: Database) -> None:
    """Delete those that are older than a week."""
    async with database.autocommit() as session:
        await session.execute(delete(Incident).where(Incident.at < func.now() - KEPT))


LANGUAGE_MODEL = "language_model"
PAYMENT = "payment"
UPDATE_PUT_AWAY = "update_put_away"
