"""Who may change a photo, and to what."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from generation.models import Photo, PhotoStatus
from generation.orders import lifecycle, queue
from generation.runtime.database import Database
from tests.generation.conftest import PlaceOrder


async def claim(database: Database, worker: str = "w") -> Photo | None:
    async with database.unit() as session:
        waiting = await queue.candidates(session, queue.Chooser(worker=worker, workflows=None, lease=10))
        claimed = await lifecycle.claim(session, [row.id for row in waiting], at_most=1, worker=worker, lease=10)
    return claimed[0] if claimed else None


async def test_premium_goes_first_and_equals_go_in_order(database: Database, place: PlaceOrder) -> None:
    free = [await place() for _ in range(3)]
    premium = [await place(premium=True) for _ in range(2)]
    claimed = [await claim(database) for _ in range(5)]
    assert [photo.id for photo in claimed if photo] == [photo.id for photo in premium + free]
    assert await claim(database) is None


async def test_a_free_photo_that_waited_longer_than_the_head_start_goes_before_premium(
    database: Database, place: PlaceOrder
) -> None:
    old = await place()
    async with database.unit() as session:
        await session.execute(
            update(Photo).where(Photo.id == old.id).values(rank_at=Photo.rank_at - timedelta(hours=2))
        )
    await place(premium=True)
    claimed = await claim(database)
    assert claimed is not None
    assert claimed.id == old.id


async def test_many_workers_never_claim_the_same_photo(database: Database, place: PlaceOrder) -> None:
    for _ in range(20):
        await place()
    claimed = await asyncio.gather(*(claim(database, f"w{n}") for n in range(30)))
    ids = [photo.id for photo in claimed if photo]
    assert len(ids) == len(set(ids)) == 20


async def test_a_worker_that_lost_its_photo_changes_nothing(database: Database, place: PlaceOrder) -> None:
    await place()
    first = await claim(database)
    assert first is not None
    async with database.unit() as session:
        await session.execute(update(Photo).values(status=PhotoStatus.QUEUED))
    second = await claim(database)
    assert second is not None
    assert second.attempt == first.attempt + 1
    async with database.unit() as session:
        assert not await lifecycle.move(session, first, PhotoStatus.STORED, object_key="late")
    async with database.unit() as session:
        assert await lifecycle.move(session, second, PhotoStatus.STORED, object_key="mine")
    assert second.object_key == "mine"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pair
        for pair in itertools.product(PhotoStatus, PhotoStatus)
        if pair[1] not in lifecycle.TRANSITIONS.get(pair[0], ())
    ],
)
async def test_a_transition_that_is_not_in_the_table_is_a_bug(before: PhotoStatus, after: PhotoStatus) -> None:
    photo = Photo(id=1, attempt=1, status=before)
    with pytest.raises(ValueError, match="cannot go"):
        await lifecycle.move(None, photo, after)  # type: ignore[arg-type]


def test_every_status_can_be_reached_and_every_end_is_an_end() -> None:
    reached = set().union(*lifecycle.TRANSITIONS.values()) | {PhotoStatus.QUEUED}
    assert reached == set(PhotoStatus)
    assert set(PhotoStatus) - set(lifecycle.TRANSITIONS) == {
        PhotoStatus.DELIVERED,
        PhotoStatus.DROPPED,
    }


async def test_only_leases_of_the_own_attempt_are_renewed(database: Database, place: PlaceOrder) -> None:
    await place()
    await place()
    mine, lost = await claim(database), await claim(database)
    assert mine is not None
    assert lost is not None
    async with database.unit() as session:
        await session.execute(update(Photo).values(lease_until=func.now() - timedelta(seconds=5)))
        await lifecycle.renew_leases(session, {mine.id: mine.attempt, lost.id: lost.attempt - 1}, lease=10)
    async with database.unit() as session:
        rows = (await session.execute(text("SELECT id, lease_until > now() FROM photos ORDER BY id"))).all()
    assert [tuple(row) for row in rows] == [(mine.id, True), (lost.id, False)]


class _ForgetfulDatabase(Database):
    """Commits, and then breaks off before it says so, as a connection does that is lost in that moment."""

    broken = False

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[AsyncSession]:
        async with super().unit() as session:
            yield session
        if not self.broken:
            self.broken = True
            raise OSError("the connection is lost")


async def test_a_move_whose_confirmation_got_lost_is_found_done(
    database: Database, database_url: str, place: PlaceOrder
) -> None:
    await place()
    photo = await claim(database)
    assert photo is not None
    forgetful = _ForgetfulDatabase(database_url, pool_size=1)
    assert await lifecycle.move_with_retry(forgetful, photo, PhotoStatus.STORED, object_key="here")
    assert (photo.status, photo.object_key) == (PhotoStatus.STORED, "here")
    # But what another worker did meanwhile is respected.
    forgetful.broken = False
    photo.attempt += 1
    assert not await lifecycle.move_with_retry(forgetful, photo, PhotoStatus.SENDING)
    await forgetful.close()


async def test_a_worker_that_froze_while_it_claimed_keeps_nobody_from_claiming(
    database: Database, place: PlaceOrder
) -> None:
    held, free = await place(), await place()
    async with database.unit() as frozen:
        await frozen.execute(select(Photo).where(Photo.id == held.id).with_for_update())
        claimed = await asyncio.wait_for(claim(database), 10)
    assert claimed is not None
    assert claimed.id == free.id
