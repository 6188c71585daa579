"""Dialogues and their messages, as rows."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.llm.prompts import Said
from bot.models import Dialogue, Message, Role
from bot.personas.persona import Story
from triggers import Gap, draw_gap

#: Answers after which the first photo of a dialogue comes at the latest, however long the plan's gap is.
FIRST_PHOTO_AFTER = 3
#: Messages of a person that get one answer together, at most.
MOST_TOGETHER = 6
#: Messages that the policy looks back at.
JUDGED_TOGETHER = 4


async def current(session: AsyncSession, person_id: int) -> Dialogue | None:
    """The person's dialogue that has not ended, locked for this unit of work."""
    return await session.scalar(
        select(Dialogue)
        .where(Dialogue.person_id == person_id, Dialogue.ended_at.is_(None))
        .with_for_update()
        .execution_options(populate_existing=True)
    )


async def begin(
    session: AsyncSession,
    *,
    person_id: int,
    persona: str,
    story_key: str,
    story: Story,
    locale: str,
    gap: Gap,
    rng: random.Random,
) -> Dialogue:
    """End whatever went on and open a new dialogue with the persona's opening words."""
    await session.execute(
        update(Dialogue)
        .where(Dialogue.person_id == person_id, Dialogue.ended_at.is_(None))
        .values(ended_at=func.now())
    )
    dialogue = Dialogue(
        person_id=person_id,
        persona=persona,
        story=story_key,
        scene=story.scene.model_dump(),
        gap=min(FIRST_PHOTO_AFTER, draw_gap(rng, gap)),
        answers=0,
        answers_since_photo=0,
        summary="",
        summarised_to=0,
    )
    session.add(dialogue)
    await session.flush()
    session.add(
        Message(
            dialogue_id=dialogue.id,
            role=Role.PERSONA,
            text=story.opening.to(locale),
            scene=story.scene.model_dump(),
            sent_at=func.now(),
        )
    )
    return dialogue


async def change_story(
    session: AsyncSession, dialogue: Dialogue, *, story_key: str, story: Story, locale: str
) -> None:
    """Go on with the same persona in another story; what was said stays remembered."""
    dialogue.story = story_key
    dialogue.scene = story.scene.model_dump()
    dialogue.story_changed = True
    dialogue.minor_said_at = None
    session.add(
        Message(
            dialogue_id=dialogue.id,
            role=Role.PERSONA,
            text=story.opening.to(locale),
            scene=story.scene.model_dump(),
            sent_at=func.now(),
        )
    )


def change_atmosphere(dialogue: Dialogue, atmosphere: str) -> None:
    """Go on in another mood; the next answer plays in it, and its photo shows it."""
    dialogue.scene = {**dialogue.scene, "atmosphere": atmosphere}
    dialogue.atmosphere_changed = True


async def history(session: AsyncSession, dialogue: Dialogue) -> list[Said]:
    """What was said since the summary, oldest first."""
    rows = await session.execute(
        select(Message.id, Message.role, Message.text, Message.scene)
        .where(Message.dialogue_id == dialogue.id, Message.id > dialogue.summarised_to)
        .order_by(Message.id)
    )
    return [Said(id_, role is Role.PERSON, text, scene) for id_, role, text, scene in rows]


async def last(session: AsyncSession, dialogue_id: int, role: Role | None = None) -> Message | None:
    """The newest message, of this role."""
    newest = select(Message).where(Message.dialogue_id == dialogue_id).order_by(Message.id.desc()).limit(1)
    return await session.scalar(newest if role is None else newest.where(Message.role == role))


async def asked(session: AsyncSession, answer: Message) -> list[Message]:
    """What the person said between the answer before this one and this one, oldest first."""
    before = (
        select(func.coalesce(func.max(Message.id), 0))
        .where(Message.dialogue_id == answer.dialogue_id, Message.role == Role.PERSONA, Message.id < answer.id)
        .scalar_subquery()
    )
    said = await session.scalars(
        select(Message)
        .where(Message.dialogue_id == answer.dialogue_id, Message.id > before, Message.id < answer.id)
        .order_by(Message.id)
    )
    return list(said)


@dataclass(frozen=True, kw_only=True, slots=True)
class Recent:
    """The end of a person's dialogue, oldest first."""

    #: Texts that the next answer is for as well.
    together: Sequence[str] = ()
    #: What was said just before, by either.
    said: Sequence[str] = ()
    #: Somebody in this dialogue was said to be under age.
    minor_said: bool = False
    #: The last answer came with a photo.
    after_photo: bool = False


async def recent(session: AsyncSession, person_id: int, *, update_id: int) -> Recent:
    """What is known of the dialogue before this update."""
    newest = await session.execute(
        select(Message.role, Message.text, Message.answered_with_next, Message.photo_id, Dialogue.minor_said_at)
        .join(Dialogue, Dialogue.id == Message.dialogue_id)
        .where(
            Dialogue.person_id == person_id,
            Dialogue.ended_at.is_(None),
            # Its own text, when the update is handled for the second time.
            Message.update_id.is_distinct_from(update_id) | (Message.role == Role.PERSONA),
        )
        .order_by(Message.id.desc())
        .limit(MOST_TOGETHER)
    )
    rows = newest.all()
    together = takewhile(lambda row: row.role is Role.PERSON and row.answered_with_next, rows)
    return Recent(
        together=[row.text for row in together][::-1],
        said=[row.text for row in rows[:JUDGED_TOGETHER]][::-1],
        minor_said=any(row.minor_said_at for row in rows),
        after_photo=next((row.photo_id is not None for row in rows if row.role is Role.PERSONA), False),
    )


async def note_minor(session: AsyncSession, person_id: int) -> None:
    """Somebody in the person's dialogue was said to be under age."""
    await session.execute(
        update(Dialogue)
        .where(Dialogue.person_id == person_id, Dialogue.ended_at.is_(None))
        .values(minor_said_at=func.coalesce(Dialogue.minor_said_at, func.now()))
    )


async def await_joint_answer(session: AsyncSession, dialogue_id: int, update_id: int) -> None:
    """Mark what a person said: the answer to their next message is for it as well."""
    await session.execute(
        update(Message)
        .where(Message.dialogue_id == dialogue_id, Message.update_id == update_id, Message.role == Role.PERSON)
        .values(answered_with_next=True)
    )


async def of_chat(session: AsyncSession, dialogue_id: int, telegram_message_id: int) -> Message | None:
    """What the person said in a message of the chat."""
    return await session.scalar(
        select(Message).where(
            Message.dialogue_id == dialogue_id,
            Message.telegram_message_id == telegram_message_id,
            Message.role == Role.PERSON,
        )
    )


async def of_update(session: AsyncSession, dialogue_id: int, update_id: int, role: Role) -> Message | None:
    """What this role already said for an update, when the update is handled for the second time."""
    return await session.scalar(
        select(Message).where(
            Message.dialogue_id == dialogue_id, Message.update_id == update_id, Message.role == role
        )
    )


async def mark_sent(session: AsyncSession, answer: Message, telegram_message_id: int | None) -> int | None:
    """Write down that an answer is in the chat; the number of the answer before it, whose buttons are old now."""
    await session.execute(
        update(Message)
        .where(Message.id == answer.id)
        .values(sent_at=func.now(), telegram_message_id=telegram_message_id)
    )
    return await session.scalar(
        select(Message.telegram_message_id)
        .where(
            Message.dialogue_id == answer.dialogue_id,
            Message.role == Role.PERSONA,
            Message.id < answer.id,
            # An opening has no button.
            Message.update_id.is_not(None),
        )
        .order_by(Message.id.desc())
        .limit(1)
    )


async def remember_summary(session: AsyncSession, read: Dialogue, summary: str, summarised_to: int) -> None:
    """Replace the summary, unless a newer one is there, or the person had it forgotten meanwhile."""
    await session.execute(
        update(Dialogue)
        .where(
            Dialogue.id == read.id,
            Dialogue.ended_at.is_(None),
            Dialogue.summarised_to < summarised_to,
            Dialogue.summary == read.summary,
            Dialogue.facts_to == read.facts_to,
        )
        .values(summary=summary, summarised_to=summarised_to)
    )
