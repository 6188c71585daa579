"""Actions on the queue and on one photo."""

from sqlalchemy import Select, select
from sqlalchemy.dialects.postgresql import insert

from bot.admin.actions.action import Done, Refused, Result, action
from bot.admin.tools import AdminTools, number_of
from bot.models import Person, PhotoGrant
from bot.texts import Say
from generation.models import Photo
from generation.orders import jobs, placing
from generation.runtime import operator_switches


@action(page="queue")
async def pause(tools: AdminTools, _target: str, say: Say) -> Result:
    """Nobody claims photos; they wait."""
    await tools.switch(operator_switches.QUEUE_PAUSED, on=True)
    return Done(say("admin-done"))


@action(danger=True)
async def drain(tools: AdminTools, _target: str, say: Say) -> Result:
    """No new orders are taken; those that wait are made."""
    await tools.switch(operator_switches.QUEUE_DRAINING, on=True)
    return Done(say("admin-done"))


@action(page="queue")
async def resume(tools: AdminTools, _target: str, say: Say) -> Result:
    """The end of both, and a job that wakes the workers."""
    await tools.switch(operator_switches.QUEUE_PAUSED, on=False)
    await tools.switch(operator_switches.QUEUE_DRAINING, on=False)
    async with tools.database.unit() as session:
        head = await placing.head(session)
    if head is not None:
        await _announce(tools, head)
    return Done(say("admin-done"))


def people_gone() -> Select[int]:
    """Those who cannot or must not get anything."""
    return select(Person.id).where(Person.banned_at.is_not(None) | Person.blocked_at.is_not(None))


@action(danger=True)
async def retry_failed(tools: AdminTools, _target: str, say: Say) -> Result:
    """Every photo that failed within a day is tried again, except those of people who are gone or banned."""
    async with tools.database.unit() as session:
        photos = await placing.retry_failed(session, not_of=people_gone())
    for photo in photos:
        await _announce(tools, photo)
    return Done(say("admin-retried", count=len(photos)))


@action(danger=True)
async def drop_waiting(tools: AdminTools, _target: str, say: Say) -> Result:
    """Everything that waits for a GPU is dropped, with words to whoever asked for it."""
    async with tools.database.unit() as session:
        count = await placing.expire_waiting(session)
    return Done(say("admin-dropped", count=count))


@action()
async def retry_photo(tools: AdminTools, target: str, say: Say) -> Result:
    """One failed photo is tried again."""
    async with tools.database.unit() as session:
        photo = await session.get(Photo, number_of(target))
        person = await session.get(Person, photo.owner_id) if photo else None
        is_welcome = person is not None and person.banned_at is None
        retried = photo is not None and is_welcome and await placing.retry(session, photo)
    if photo is not None and retried:
        await _announce(tools, photo)
    return Done(say("admin-done")) if retried else Refused(say("admin-not-possible"))


@action()
async def refund_photo(tools: AdminTools, target: str, say: Say) -> Result:
    """One more photo for its person, once."""
    async with tools.database.unit() as session:
        photo = await session.get(Photo, number_of(target))
        if photo is None or await session.get(Person, photo.owner_id) is None:
            return Refused(say("admin-not-possible"))
        granted = await session.execute(
            insert(PhotoGrant)
            .values(cause=f"refund:photo:{photo.id}", person_id=photo.owner_id, photos=1)
            .on_conflict_do_nothing()
            .returning(PhotoGrant.cause)
        )
        given = granted.scalar_one_or_none() is not None
    return Done(say("admin-done" if given else "admin-done-before"))


async def _announce(tools: AdminTools, photo: Photo) -> None:
    head_start = tools.settings.premium_head_start
    await jobs.enqueue_render(tools.redis, photo, premium_head_start=head_start, afresh=True)
