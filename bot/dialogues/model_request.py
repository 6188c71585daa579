"""Everything that a persona must know to speak, gathered from the rows into one request."""

from datetime import UTC, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from bot.accounts import people
from bot.accounts.plans import plan_of
from bot.dialogues import repository as dialogues
from bot.dialogues.memory import known_facts
from bot.llm import prompts
from bot.llm.metered import MeteredModel
from bot.llm.prompts import AnswerRequest, Moment
from bot.models import Dialogue, Message, Person
from bot.personas.persona import Persona
from bot.personas.scene import Scene
from bot.photos import orders
from bot.settings import Settings
from generation.runtime import database


async def gather(
    session: AsyncSession,
    settings: Settings,
    model: MeteredModel,
    person: Person,
    dialogue: Dialogue,
    persona: Persona,
    *,
    no_photo_now: bool = False,
    instead_of: Message | None = None,
    first_words: bool = False,
    person_name: str = "",
) -> AnswerRequest:
    """The request for the next answer, for another one `instead_of` the last, or for `first_words`."""
    said = await dialogues.history(session, dialogue)
    last_photo = await orders.last_outcome(session, dialogue.id)
    facts = await known_facts(session, person.id, dialogue.persona)
    now = await database.database_now(session)
    allowed = plan_of(person, now, settings)
    return prompts.for_answer(
        persona,
        persona.story(dialogue.story),
        Scene.model_validate(dialogue.scene),
        dialogue.summary,
        [each for each in said if instead_of is None or each.id < instead_of.id],
        budget=allowed.memory_tokens,
        moment=Moment(
            photos=prompts.of_photos(person.photo_frequency, last_photo, none_now=no_photo_now),
            facts=[fact.text for fact in facts],
            instead_of=instead_of.text if instead_of else "",
            first_words=first_words,
            minor_said=dialogue.minor_said_at is not None,
            locale=person.locale,
            person_name=person_name,
            now=now.astimezone(UTC) + timedelta(minutes=people.utc_offset(person)),
        ),
        structured=model.is_structured,
        room=model.room,
        count=model.count,
    )
