"""Dialogues and their messages, as rows."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from itertools import takewhile
from typing import Any, cast

from sqlalchemy import BigInteger, Executable, Row, Select, Table, Text, bindparam, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from bot.accounts.photo_quota import unnoticed
from bot.llm.prompts import Said
from bot.models import Dialogue, Message, Role
from bot.personas.persona import Story
from generation.runtime.database import database_now
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


async def reopen(session: AsyncSession, person_id: int, dialogue_id: int, *, within: timedelta) -> Dialogue | None:
    """Go on with a dialogue that has just ended, in place of the one that began then; None when that is over."""
    dialogue = await session.get(Dialogue, dialogue_id, with_for_update=True)
    now = await database_now(session)
    if dialogue is None or dialogue.person_id != person_id or dialogue.ended_at is None:
        return None
    following = await current(session, person_id)
    if now - dialogue.ended_at > within or following is None or following.persona != dialogue.persona:
        return None
    following.ended_at = now
    # One at a time is open.
    await session.flush()
    dialogue.ended_at = None
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


_TABLE = cast("Table", Message.__table__)


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Talk:
    """A person's dialogue as it stands, read without a lock."""

    dialogue: Dialogue
    #: What was said since the summary and the newest messages in any case, oldest first.
    messages: Sequence[Row[Any]]
    #: Photos have come of which it is not known yet whether the person saw them.
    is_unnoticed: bool = False

    @property
    def history(self) -> list[Said]:
        """What was said since the summary, oldest first."""
        return [
            Said(row.id, row.role is Role.PERSON, row.text, row.scene)
            for row in self.messages
            if row.id > self.dialogue.summarised_to
        ]

    def number_of(self, role: Role, update_id: int) -> int | None:
        """The number of what this role already said for an update that is handled for the second time."""
        return next((row.id for row in self.messages if row.role is role and row.update_id == update_id), None)

    def before(self, update_id: int) -> Recent:
        """What is known of the dialogue before this update."""
        # Its own text is there when the update is handled for the second time.
        earlier = [row for row in self.messages if row.role is Role.PERSONA or row.update_id != update_id]
        newest = earlier[: -MOST_TOGETHER - 1 : -1]
        together = takewhile(lambda row: row.role is Role.PERSON and row.answered_with_next, newest)
        return Recent(
            together=[row.text for row in together][::-1],
            said=[row.text for row in newest[:JUDGED_TOGETHER]][::-1],
            minor_said=self.dialogue.minor_said_at is not None,
            after_photo=next((row.photo_id is not None for row in newest if row.role is Role.PERSONA), False),
        )


async def talk(session: AsyncSession, person_id: int) -> Talk | None:
    """The person's dialogue that has not ended."""
    row = (await session.execute(_open_dialogue(), {"person": person_id})).one_or_none()
    if row is None:
        return None
    dialogue: Dialogue = row[0]
    return Talk(dialogue=dialogue, messages=await _messages(session, dialogue), is_unnoticed=row[1])


async def history(session: AsyncSession, dialogue: Dialogue) -> list[Said]:
    """What was said since the summary, oldest first."""
    return Talk(dialogue=dialogue, messages=await _messages(session, dialogue)).history


async def _messages(session: AsyncSession, dialogue: Dialogue) -> Sequence[Row[Any]]:
    parameters = {"dialogue": dialogue.id, "summarised_to": dialogue.summarised_to}
    rows = await session.execute(_messages_of(), parameters)
    return rows.all()


@cache
def _open_dialogue() -> Select[Dialogue, bool]:
    person = bindparam("person", type_=BigInteger)
    return select(Dialogue, unnoticed()).where(Dialogue.person_id == person, Dialogue.ended_at.is_(None))


@cache
def _messages_of() -> Select[*tuple[Any, ...]]:
    of_dialogue = Message.dialogue_id == bindparam("dialogue", type_=BigInteger)
    oldest_of_newest = (
        # One more: the text of this update may be among them already.
        select(Message.id).where(of_dialogue).order_by(Message.id.desc()).offset(MOST_TOGETHER).limit(1)
    ).scalar_subquery()
    since = func.least(bindparam("summarised_to", type_=BigInteger), func.coalesce(oldest_of_newest - 1, 0))
    read = (Message.id, Message.role, Message.text, Message.scene)
    state = (Message.update_id, Message.answered_with_next, Message.photo_id)
    return select(*read, *state).where(of_dialogue, Message.id > since).order_by(Message.id)


async def write_down(
    session: AsyncSession, dialogue_id: int, text: str, *, update_id: int, telegram_message_id: int
) -> int | None:
    """Write down what a person said, once however often it is handled; None when the dialogue has ended."""
    parameters = {"dialogue": dialogue_id, "said": text, "update": update_id, "message": telegram_message_id}
    number: int | None = await session.scalar(_said_by_person(), parameters)
    return number


@cache
def _said_by_person() -> Executable:
    columns = ["dialogue_id", "role", "text", "update_id", "telegram_message_id"]
    values = select(
        Dialogue.id,
        literal(Role.PERSON, Message.role.type),
        bindparam("said", type_=Text),
        bindparam("update", type_=BigInteger),
        bindparam("message", type_=BigInteger),
    ).where(Dialogue.id == bindparam("dialogue", type_=BigInteger), Dialogue.ended_at.is_(None))
    new = insert(_TABLE).from_select(columns, values)
    once = new.on_conflict_do_update(
        index_elements=["dialogue_id", "update_id", "role"], set_={"text": new.excluded.text}
    )
    return once.returning(Message.id)


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


async def mark_sent(session: AsyncSession, answer: Message, telegram_message_id: int | None) -> int | None:
    """Write down that an answer is in the chat; the number of the answer before it, whose buttons are old now."""
    parameters = {"answer": answer.id, "dialogue": answer.dialogue_id, "number": telegram_message_id}
    before: int | None = await session.scalar(_sent(), parameters)
    return before


@cache
def _sent() -> Executable:
    answer, earlier = bindparam("answer", type_=BigInteger), aliased(Message)
    before = (
        select(earlier.telegram_message_id)
        .where(
            earlier.dialogue_id == bindparam("dialogue", type_=BigInteger),
            earlier.role == Role.PERSONA,
            earlier.id < answer,
            # An opening has no button.
            earlier.update_id.is_not(None),
        )
        .order_by(earlier.id.desc())
        .limit(1)
    )
    return (
        update(Message)
        .where(Message.id == answer)
        .values(sent_at=func.now(), telegram_message_id=bindparam("number", type_=BigInteger))
        .returning(before.scalar_subquery())
        .execution_options(synchronize_session=False)
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
