"""Dialogues and their messages, as rows."""

import random
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.context import Said
from bot.models import Dialogue, Message, Role
from bot.persona import Story
from triggers import Gap, draw_gap


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
        gap=draw_gap(rng, gap),
        answers=0,
        answers_since_photo=0,
        summary="",
        summarised_to=0,
    )
    session.add(dialogue)
    await session.flush()
    session.add(
        Message(dialogue_id=dialogue.id, role=Role.PERSONA, text=story.opening.to(locale), sent_at=func.now())
    )
    return dialogue


async def change_story(
    session: AsyncSession, dialogue: Dialogue, *, story_key: str, story: Story, locale: str
) -> None:
    """Go on with the same persona in another story; what was said stays remembered."""
    dialogue.story = story_key
    dialogue.scene = story.scene.model_dump()
    dialogue.story_changed = True
    session.add(
        Message(dialogue_id=dialogue.id, role=Role.PERSONA, text=story.opening.to(locale), sent_at=func.now())
    )


async def history(session: AsyncSession, dialogue: Dialogue) -> list[Said]:
    """What was said since the summary, oldest first."""
    rows = await session.execute(
        select(Message.id, Message.role, Message.text)
        .where(Message.dialogue_id == dialogue.id, Message.id > dialogue.summarised_to)
        .order_by(Message.id)
    )
    return [Said(id_, role is Role.PERSON, text) for id_, role, text in rows]


async def of_update(session: AsyncSession, dialogue_id: int, update_id: int, role: Role) -> Message | None:
    """What this role already said for an update, when the update is handled for the second time."""
    return await session.scalar(
        select(Message).where(
            Message.dialogue_id == dialogue_id, Message.update_id == update_id, Message.role == role
        )
    )


async def mark_sent(session: AsyncSession, message_id: int) -> None:
    await session.execute(update(Message).where(Message.id == message_id).values(sent_at=func.now()))


async def remember_summary(session: AsyncSession, dialogue_id: int, summary: str, summarised_to: int) -> None:
    """Replace the summary, unless a newer one is there."""
    await session.execute(
        update(Dialogue)
        .where(Dialogue.id == dialogue_id, Dialogue.summarised_to < summarised_to)
        .values(summary=summary, summarised_to=summarised_to)
    )


async def database_now(session: AsyncSession) -> datetime:
    """PostgreSQL's clock, which every time stamp here comes from."""
    return (await session.execute(select(func.now()))).scalar_one()
