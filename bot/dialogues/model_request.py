"""Everything that a persona must know to speak, gathered from the rows into one request."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Select, Text, bindparam, func, select, true
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession

from bot.accounts import people
from bot.accounts.plans import plan_of
from bot.llm import prompts
from bot.llm.metered import MeteredModel
from bot.llm.prompts import AnswerRequest, Moment, Said
from bot.models import Dialogue, Fact, Message, Person
from bot.personas.persona import Persona
from bot.personas.scene import Scene
from bot.photos import orders
from bot.settings import Settings
from generation.models import PhotoStatus


async def gather(
    session: AsyncSession,
    settings: Settings,
    model: MeteredModel,
    person: Person,
    dialogue: Dialogue,
    persona: Persona,
    said: Sequence[Said],
    *,
    no_photo_now: bool = False,
    instead_of: Message | None = None,
    manner: str = "",
    first_words: bool = False,
    person_name: str = "",
) -> AnswerRequest:
    """The request for the next answer, for another one `instead_of` the last (by `manner`), or for `first_words`.

    `said` is the dialogue since its summary, oldest first.
    """
    beside = await known(session, dialogue)
    allowed = plan_of(person, beside.now, settings)
    return prompts.for_answer(
        persona,
        persona.story(dialogue.story),
        Scene.model_validate(dialogue.scene),
        dialogue.summary,
        [each for each in said if instead_of is None or each.id < instead_of.id],
        budget=allowed.memory_tokens,
        moment=Moment(
            photos=prompts.of_photos(person.photo_frequency, beside.last_photo, none_now=no_photo_now),
            facts=beside.facts,
            instead_of=instead_of.text if instead_of else "",
            manner=manner,
            first_words=first_words,
            minor_said=dialogue.minor_said_at is not None,
            locale=person.locale,
            person_name=person_name,
            now=beside.now.astimezone(UTC) + timedelta(minutes=people.utc_offset(person)),
        ),
        structured=model.is_structured,
        room=model.room,
        count=model.count,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What is known beside the talk, of one moment."""

    now: datetime
    facts: Sequence[str]
    last_photo: tuple[Scene, PhotoStatus] | None


async def known(session: AsyncSession, dialogue: Dialogue) -> Known:
    """Facts, the last photo and the time, in one statement: this is read for each answer."""
    parameters = {"dialogue": dialogue.id, "person": dialogue.person_id, "persona": dialogue.persona}
    row = (await session.execute(_known_of(), parameters)).one()
    photo = (Scene.model_validate(row.scene), PhotoStatus(row.status)) if row.status else None
    return Known(now=row.now, facts=row.facts or (), last_photo=photo)


@cache
def _known_of() -> Select[Any]:
    facts = select(func.array_agg(aggregate_order_by(Fact.text, Fact.id))).where(
        Fact.person_id == bindparam("person", type_=BigInteger),
        Fact.persona == bindparam("persona", type_=Text),
        Fact.forgotten_at.is_(None),
    )
    photo = orders.last_outcome(bindparam("dialogue", type_=BigInteger)).subquery()
    now = select(func.now().label("now"), facts.scalar_subquery().label("facts")).subquery()
    return select(now, photo.c.scene, photo.c.status).outerjoin_from(now, photo, true())
