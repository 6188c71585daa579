"""People: found or written down at their first update."""

from datetime import datetime

from aiogram.types import User
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from bot.models import Person
from bot.settings import Settings


async def known(session: AsyncSession, user: User, locale: str) -> Person:
    """The person behind a Telegram user; new ones get `locale`."""
    person = await session.get(Person, user.id)
    if person is not None:
        return person
    # Two replicas may meet the same new person at once.
    await session.execute(insert(Person).values(id=user.id, locale=locale).on_conflict_do_nothing())
    return await session.get_one(Person, user.id)


def is_premium(person: Person, now: datetime, settings: Settings) -> bool:
    """Paid for, or given by the operator (PREMIUM_IDS)."""
    paid = person.premium_until is not None and person.premium_until > now
    return paid or person.id in settings.premium_ids
