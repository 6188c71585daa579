"""How long photos keep their prompt and their original: rows stay, for limits, counts and the gallery.

Tables are gone through in portions, so that nobody waits for it.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from generation.models import DiscardedObject, Photo, PhotoStatus
from generation.runtime.database import Database, Lock
from generation.settings import RetentionSettings

#: Rows of a portion, and portions of a round: with a round every ten minutes 1.4 million rows a day.
SIZE, PORTIONS = 500, 20
#: Is given the numbers behind the first and up to which a portion goes.
Work = Callable[[AsyncSession, int, int], Awaitable[object]]
#: Nothing of these is made any more.
_ENDED = (PhotoStatus.DELIVERED, PhotoStatus.DROPPED)


class PhotoRetention:
    """One per process; a `round` is due every few minutes."""

    def __init__(self, settings: RetentionSettings) -> None:
        self._prompts = settings.keep_prompts_days
        self._originals = settings.keep_originals_days
        self._after = 0

    async def round(self, database: Database) -> None:
        """Look at some more photos; after the last one at the first again."""
        if self._prompts or self._originals:
            self._after = await round_through(database, Photo.id, self._after, self._portion, lock=Lock.PHOTOS_KEPT)

    async def _portion(self, session: AsyncSession, after: int, upto: int) -> None:
        ended = and_(Photo.id > after, Photo.id <= upto, Photo.status.in_(_ENDED))
        if self._prompts:
            old = Photo.queued_at < func.now() - timedelta(days=self._prompts)
            spoken = update(Photo).where(ended, old, Photo.prompt != "")
            await session.execute(spoken.values(prompt="", negative_prompt=""))
        if self._originals:
            old = Photo.delivered_at < func.now() - timedelta(days=self._originals)
            stored = and_(ended, old, Photo.object_key.is_not(None))
            keys = select(Photo.object_key, func.now()).where(stored)
            discarded = insert(DiscardedObject).from_select(["object_key", "until"], keys)
            await session.execute(discarded.on_conflict_do_nothing())
            await session.execute(update(Photo).where(stored).values(object_key=None))


async def round_through(
    database: Database, number: InstrumentedAttribute[int], after: int, work: Work, *, lock: Lock
) -> int:
    """Do `work` for the next portions of a table, by its `number`, from `after` on; where the next round goes on.

    0 after the last row. Two processes do not do it at once.
    """
    for _ in range(PORTIONS):
        async with database.unit() as session:
            if not await session.scalar(select(func.pg_try_advisory_xact_lock(lock))):
                return after
            rows: Any = select(number).where(number > after).order_by(number).limit(SIZE).subquery()
            upto = await session.scalar(select(func.max(rows.c[0])))
            if upto is None:
                return 0
            await work(session, after, upto)
        after = upto
    return after
