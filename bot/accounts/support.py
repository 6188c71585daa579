"""How many questions about payments a person may pass on to the operators."""

from datetime import timedelta

from sqlalchemy import and_, case, func, or_, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.models import Person

#: Questions within a day. Somebody who is banned has one, since they may have paid.
A_DAY, DAY = 3, timedelta(days=1)


async def may_ask(session: AsyncSession, person_id: int) -> bool:
    """Whether one more may be passed on; it is counted then, also when two come at once."""
    is_over = or_(Person.support_since.is_(None), Person.support_since < func.now() - DAY)
    allowed = case(
        (
            Person.banned_at.is_not(None),
            or_(Person.support_since.is_(None), Person.support_since < Person.banned_at),
        ),
        else_=or_(is_over, Person.support_questions < A_DAY),
    )
    counted = await session.execute(
        update(Person)
        .where(Person.id == person_id, allowed)
        .values(
            support_since=case(
                (and_(~is_over, Person.banned_at.is_(None)), Person.support_since), else_=func.now()
            ),
            support_questions=case((is_over, 1), else_=Person.support_questions + 1),
        )
        .returning(Person.id)
    )
    return counted.scalar_one_or_none() is not None
