"""Photos that nobody may see any more: the row forgets them at once, every worker deletes originals in S3."""

from datetime import timedelta

import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from generation.errors import StorageUnavailable
from generation.models import DiscardedObject, Photo, PhotoStatus
from generation.runtime.database import Database, in_seconds
from generation.storage import Storage, object_key

log = structlog.get_logger(__name__)

#: Originals deleted in one sweep.
BATCH = 100
_ENDED = (PhotoStatus.DELIVERED, PhotoStatus.FAILED, PhotoStatus.DROPPED)
#: How long a worker may still be storing a photo whose row is gone.
STILL_STORED = timedelta(minutes=10)


async def discard(session: AsyncSession, photo: Photo) -> None:
    """Forget what a photo shows; that there was one stays, for limits and counts."""
    if photo.object_key or photo.claimed_at:
        in_hand = photo.status is not PhotoStatus.DELIVERED and photo.object_key is None
        key = photo.object_key or object_key(photo.key, photo.queued_at)
        await discard_object(session, key, until=STILL_STORED if in_hand else timedelta())
    photo.object_key = photo.file_id = None
    photo.prompt = photo.negative_prompt = ""


async def erase(session: AsyncSession, owner_id: int) -> list[Photo]:
    """Delete all rows of a person's photos, those on their way included; the photos that waited for a GPU."""
    photos = (await session.scalars(select(Photo).where(Photo.owner_id == owner_id).with_for_update())).all()
    now = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    discarded = []
    for photo in photos:
        if photo.object_key or photo.attempt:
            # One that was dropped in a worker's hands may be stored all the same.
            in_hand = photo.claimed_at is not None and now - photo.claimed_at < STILL_STORED
            ended = photo.status in _ENDED and not (photo.status is PhotoStatus.DROPPED and in_hand)
            key = photo.object_key or object_key(photo.key, photo.queued_at)
            discarded.append({"object_key": key, "until": now + (timedelta() if ended else STILL_STORED)})
    for first in range(0, len(discarded), BATCH):
        portion = insert(DiscardedObject).values(discarded[first : first + BATCH])
        await session.execute(portion.on_conflict_do_nothing())
    await session.execute(delete(Photo).where(Photo.owner_id == owner_id))
    return [photo for photo in photos if photo.status is PhotoStatus.QUEUED]


async def sweep(database: Database, storage: Storage) -> None:
    """Delete originals that were discarded; any worker may. S3 that is away leaves them to the next sweep."""
    more = True
    while more:
        async with database.autocommit() as session:
            oldest = select(DiscardedObject.object_key).order_by(DiscardedObject.until).limit(BATCH)
            keys = list(await session.scalars(oldest))
        if not keys:
            return
        try:
            for key in keys:
                await storage.delete(key)
        except StorageUnavailable as error:
            log.warning("original.not_deleted", error=str(error))
            return
        async with database.autocommit() as session:
            done = DiscardedObject.object_key.in_(keys) & (DiscardedObject.until <= func.clock_timestamp())
            gone = await session.scalars(delete(DiscardedObject).where(done).returning(DiscardedObject.object_key))
            more = len(list(gone)) == BATCH


async def discard_object(session: AsyncSession, key: str, *, until: timedelta = timedelta()) -> None:
    """Have an original deleted from S3, again and again until `until` from now."""
    values = {"object_key": key, "until": in_seconds(until.total_seconds())}
    await session.execute(insert(DiscardedObject).values(**values).on_conflict_do_nothing())
