"""What outlives a person who had everything deleted: single facts under a keyed hash, and no number.

The key is the bot's token: whoever has the database alone cannot try numbers until one fits. With another token the
marks are lost.
"""

import hmac
from enum import StrEnum

from sqlalchemy import delete, func, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from bot.models import AdminAction, Mark
from bot.settings import Settings


class MarkKind(StrEnum):
    """What is remembered."""

    BANNED = "banned"
    INVITED = "invited"
    """Their coming was rewarded once."""


def pseudonym(person_id: int, settings: Settings) -> str:
    """The keyed hash of a person's number, 32 hexadecimal digits."""
    key = settings.bot_token.get_secret_value().encode()
    return hmac.new(key, str(person_id).encode(), "sha256").hexdigest()[:32]


async def put(session: AsyncSession, kind: MarkKind, person_id: int, settings: Settings) -> bool:
    """Remember it; False when it was remembered already."""
    values = {"kind": kind, "pseudonym": pseudonym(person_id, settings)}
    new = insert(Mark).values(values).on_conflict_do_nothing().returning(Mark.kind)
    return await session.scalar(new) is not None


async def is_there(session: AsyncSession, kind: MarkKind, person_id: int, settings: Settings) -> bool:
    """Whether it is remembered."""
    return await session.get(Mark, (kind, pseudonym(person_id, settings))) is not None


async def lift(session: AsyncSession, kind: MarkKind, person_id: int, settings: Settings) -> None:
    """Remember it no longer."""
    hashed = pseudonym(person_id, settings)
    await session.execute(delete(Mark).where(Mark.kind == kind, Mark.pseudonym == hashed))


async def hide_in_actions(session: AsyncSession, person_id: int, settings: Settings) -> None:
    """Put the hash in the place of a person's number in what operators did to them, and to their payments."""
    own = rf"^{person_id}(?!\d)"
    of_people = AdminAction.action.in_(("ban", "unban", "give_premium", "give_photos", "refund"))
    hidden = func.regexp_replace(AdminAction.target, own, pseudonym(person_id, settings))
    await session.execute(
        update(AdminAction).where(of_people, AdminAction.target.regexp_match(own)).values(target=hidden)
    )
