"""The bot's tables: people, their dialogues, messages, and the updates that Telegram delivered."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Enum,
    ForeignKey,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from generation.database import Base
from generation.models import Timestamp
from triggers import Frequency


def _one_of(kind: type[StrEnum], name: str) -> Enum:
    return Enum(kind, native_enum=False, create_constraint=True, name=name, length=8,
                values_callable=lambda members: [member.value for member in members])  # fmt: skip


class Person(Base):
    """Somebody who has written to the bot. The id is Telegram's user id."""

    __tablename__ = "people"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    locale: Mapped[str] = mapped_column(Text)
    adult_confirmed_at: Mapped[datetime | None] = mapped_column(Timestamp)
    premium_until: Mapped[datetime | None] = mapped_column(Timestamp)
    # How often the person wants photos.
    photo_frequency: Mapped[Frequency] = mapped_column(
        _one_of(Frequency, "photo_frequency"), server_default="normal"
    )
    blocked_at: Mapped[datetime | None] = mapped_column(Timestamp)
    created_at: Mapped[datetime] = mapped_column(Timestamp, server_default=func.now())


class Dialogue(Base):
    """One conversation with one persona. A person has at most one that has not ended."""

    __tablename__ = "dialogues"
    __table_args__ = (
        Index("uq_dialogues_open", "person_id", unique=True, postgresql_where=text("ended_at IS NULL")),
        CheckConstraint("gap > 0", name="gap"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"))
    persona: Mapped[str] = mapped_column(Text)
    story: Mapped[str] = mapped_column(Text)
    # The lasting scene (place, outfit, atmosphere), in English.
    scene: Mapped[dict[str, Any]] = mapped_column(JSONB)
    # What happened before the messages that are still given to the model word for word.
    summary: Mapped[str] = mapped_column(Text, server_default="")
    summarised_to: Mapped[int] = mapped_column(BigInteger, server_default="0")
    answers: Mapped[int] = mapped_column(Integer, server_default="0")
    answers_since_photo: Mapped[int] = mapped_column(Integer, server_default="0")
    gap: Mapped[int] = mapped_column(SmallInteger)
    # Set when the person changes the story, until the next answer.
    story_changed: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime] = mapped_column(Timestamp, server_default=func.now())
    ended_at: Mapped[datetime | None] = mapped_column(Timestamp)


class Role(StrEnum):
    PERSON = "person"
    PERSONA = "persona"


class Message(Base):
    """One thing said in a dialogue. A role says at most one thing for one update of Telegram."""

    __tablename__ = "messages"
    __table_args__ = (
        Index("ix_messages_dialogue_id_id", "dialogue_id", "id"),
        Index("uq_messages_dialogue_id_update_id_role", "dialogue_id", "update_id", "role", unique=True),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    dialogue_id: Mapped[int] = mapped_column(ForeignKey("dialogues.id", ondelete="CASCADE"))
    role: Mapped[Role] = mapped_column(_one_of(Role, "role"))
    text: Mapped[str] = mapped_column(Text)
    # What the bot says in its own words after an answer, such as that a photo was refused.
    afterword: Mapped[str] = mapped_column(Text, server_default="")
    update_id: Mapped[int | None] = mapped_column(BigInteger)
    photo_id: Mapped[int | None] = mapped_column(ForeignKey("photos.id", ondelete="SET NULL"))
    # For an answer: when Telegram had taken all of it.
    sent_at: Mapped[datetime | None] = mapped_column(Timestamp)
    created_at: Mapped[datetime] = mapped_column(Timestamp, server_default=func.now())


class Reaction(StrEnum):
    LIKED = "liked"
    DISLIKED = "disliked"


class PhotoMoment(Base):
    """What a photo of a dialogue showed, and how the person received it."""

    __tablename__ = "photo_moments"
    __table_args__ = (Index("ix_photo_moments_dialogue_id", "dialogue_id", "photo_id"),)

    photo_id: Mapped[int] = mapped_column(ForeignKey("photos.id", ondelete="CASCADE"), primary_key=True)
    dialogue_id: Mapped[int] = mapped_column(ForeignKey("dialogues.id", ondelete="CASCADE"))
    story: Mapped[str] = mapped_column(Text)
    # The whole scene that was drawn, in English.
    scene: Mapped[dict[str, Any]] = mapped_column(JSONB)
    # How many times "again" led to it; each take has another camera.
    take: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    reaction: Mapped[Reaction | None] = mapped_column(_one_of(Reaction, "reaction"))
    # When the person first wrote or pressed something soon after it came.
    noticed_at: Mapped[datetime | None] = mapped_column(Timestamp)


class ReceivedUpdate(Base):
    """An update of Telegram, written down before it counts as received. The payload goes once it is handled."""

    __tablename__ = "updates"
    __table_args__ = (
        Index(
            "ix_updates_unhandled",
            "bot_id",
            "chat_id",
            "update_id",
            postgresql_where=text("handled_at IS NULL"),
        ),
        Index("ix_updates_handled_at", "handled_at", postgresql_where=text("handled_at IS NOT NULL")),
    )

    bot_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    update_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    # What is handled in order: the chat, or the person where an update has no chat.
    chat_id: Mapped[int] = mapped_column(BigInteger)
    payload: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    tries: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    claimed_by: Mapped[str | None] = mapped_column(Text)
    claimed_until: Mapped[datetime | None] = mapped_column(Timestamp)
    received_at: Mapped[datetime] = mapped_column(Timestamp, server_default=func.now())
    handled_at: Mapped[datetime | None] = mapped_column(Timestamp)
