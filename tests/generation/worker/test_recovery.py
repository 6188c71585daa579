"""What becomes of photos whose worker ended without a word."""

from datetime import timedelta
from unittest.mock import AsyncMock

import pytest
from arq import ArqRedis
from sqlalchemy import func, update

from generation.models import Photo
from generation.runtime.database import Database
from generation.worker.recovery import Recovery
from sandbox.settings import ProductSettings
from tests.generation.conftest import PlaceOrder


async def abandoned(database: Database, photo_id: int, **values: object) -> Photo:
    """The row as a dead worker leaves it."""
    async with database.unit() as session:
        await session.execute(
            update(Photo)
            .where(Photo.id == photo_id)
            .values(
                lease_until=func.now() - timedelta(seconds=1), worker="dead", attempt=Photo.attempt + 1, **values
            )
        )
        return await session.get_one(Photo, photo_id)


async def swept(settings: ProductSettings, database: Database, redis: ArqRedis, photo_id: int) -> Photo:
    await Recovery(settings, database, redis, AsyncMock(), every=1, judges_until=lambda now: now).sweep()
    async with database.unit() as session:
        return await session.get_one(Photo, photo_id)


async def test_a_stored_picture_that_ends_every_worker_comes_to_an_end(
    settings: ProductSettings, database: Database, redis: ArqRedis, place: PlaceOrder
) -> None:
    """A picture that kills Pillow would be delivered for ever."""
    photo = await place()
    statuses = []
    for _ in range(settings.photo_attempts):
        await abandoned(database, photo.id, status="stored", object_key="photos/x.png", error=None)
        row = await swept(settings, database, redis, photo.id)
        statuses.append((row.status.value, row.failures))
    assert statuses == [("stored", 1), ("stored", 2), ("failed", 3)]


@pytest.mark.parametrize("why", ["TelegramRetryAfter: 30", "StorageUnavailable: away"])
async def test_a_pause_is_no_death(
    settings: ProductSettings, database: Database, redis: ArqRedis, place: PlaceOrder, why: str
) -> None:
    photo = await place()
    for _ in range(settings.photo_attempts + 2):
        await abandoned(database, photo.id, status="stored", object_key="photos/x.png", error=why)
        row = await swept(settings, database, redis, photo.id)
    assert (row.status.value, row.failures) == ("stored", 0)


async def test_a_photo_that_ends_every_worker_while_it_renders_fails_after_its_attempts(
    settings: ProductSettings, database: Database, redis: ArqRedis, place: PlaceOrder
) -> None:
    photo = await place()
    statuses = []
    for _ in range(settings.photo_attempts):
        await abandoned(database, photo.id, status="rendering", batch_size=1)
        statuses.append((await swept(settings, database, redis, photo.id)).status.value)
    assert statuses == ["queued", "queued", "failed"]
