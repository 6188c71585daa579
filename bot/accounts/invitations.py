"""Friends who were invited: a code for each person, and thanks to both once the new one has really talked."""

import secrets

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from bot.accounts import marks
from bot.models import Dialogue, Person, PhotoGrant
from bot.settings import Settings

log = structlog.get_logger(__name__)

#: Answers after which somebody who was invited counts as having come.
CAME_AFTER = 3
PREFIX = "ref_"


async def code(session: AsyncSession, person_id: int) -> str:
    """The person's own code, made at the first call."""
    await session.execute(
        update(Person)
        .where(Person.id == person_id, Person.invite_code.is_(None))
        .values(invite_code=secrets.token_hex(5))
    )
    return await session.scalar(select(Person.invite_code).where(Person.id == person_id)) or ""


async def invited(session: AsyncSession, person: Person, invite_code: str) -> None:
    """Note who invited a person; only the first time, never oneself, and not somebody who talks here already."""
    inviter = select(Person.id).where(Person.invite_code == invite_code, Person.id != person.id).scalar_subquery()
    talks = select(Dialogue.id).where(Dialogue.person_id == person.id).exists()
    await session.execute(
        update(Person).where(Person.id == person.id, Person.invited_by.is_(None), ~talks).values(invited_by=inviter)
    )


async def thank(session: AsyncSession, person: Person, dialogue: Dialogue, settings: Settings) -> None:
    """Photos for both when an invited person's first dialogue has come far enough. Runs twice without harm.

    Who came is known by a keyed hash: the inviter's rows do not hold another person's number, and whoever has
    everything deleted and comes back is not thanked for anew.
    """
    if person.invited_by is None or dialogue.answers != CAME_AFTER or not settings.invitation_photos:
        return
    rewarded = await session.scalar(
        select(func.count())
        .select_from(PhotoGrant)
        .where(PhotoGrant.person_id == person.invited_by, PhotoGrant.cause.startswith("invited:"))
    )
    photos = settings.invitation_photos
    guest = marks.pseudonym(person.id, settings)
    inviter = {
        "cause": f"invited:{guest}",
        "person_id": person.invited_by,
        "photos": photos if (rewarded or 0) < settings.invitations_rewarded else 0,
    }
    # The mark stays when both have everything deleted; the grants do not.
    if not await marks.put(session, marks.MarkKind.INVITED, person.id, settings):
        return
    await session.execute(insert(PhotoGrant).values(inviter).on_conflict_do_nothing())
    welcome = {"cause": f"welcome:{guest}", "person_id": person.id, "photos": photos}
    await session.execute(insert(PhotoGrant).values(welcome).on_conflict_do_nothing())
    log.info("invitation.thanked")
