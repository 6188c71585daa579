"""The bot's tables: people, their dialogues, what was said, remembered and paid, and Telegram's updates."""

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    Enum,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Text,
    func,
    or_,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from generation.runtime.database import Base
from generation.runtime.models import Timestamp
from triggers import Frequency


def _one_of(kind: type[StrEnum], name: str) -> Enum:
    return Enum(kind, native_enum=False, create_constraint=True, name=name, length=8,
                values_callable=lambda members: [member.value for member in members])  # fmt: skip


class Person(Base):
    """Somebody who has written to the bot. The id is Telegram's user id."""

    __tablename__ = "people"
    __table_args__ = (
        # What `bot.chat.proactive` looks for once a minute, among however many people.
        Index("ix_people_writes_first", "wrote_first_at", postgresql_where=sql("writes_first")),
        Index("ix_people_premium_until", "premium_until", postgresql_where=sql("premium_until IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    locale: Mapped[str] = mapped_column(Text)
    adult_confirmed_at: Mapped[datetime | None] = mapped_column(Timestamp)
    premium_until: Mapped[datetime | None] = mapped_column(Timestamp)
    photo_frequency: Mapped[Frequency] = mapped_column(
        _one_of(Frequency, "photo_frequency"), server_default="normal"
    )
    blocked_at: Mapped[datetime | None] = mapped_column(Timestamp)
    created_at: Mapped[datetime] = mapped_column(Timestamp, server_default=func.now())

    # Said to be under 18: nothing opens until /start asks again.
    adult_refused_at: Mapped[datetime | None] = mapped_column(Timestamp)
    # The parameter of the link that led here, until it has been followed.
    started_with: Mapped[str | None] = mapped_column(Text)
    invite_code: Mapped[str | None] = mapped_column(Text, unique=True)
    invited_by: Mapped[int | None] = mapped_column(ForeignKey("people.id", ondelete="SET NULL"), index=True)

    blur_photos: Mapped[bool] = mapped_column(server_default=sql("false"))
    silent_photos: Mapped[bool] = mapped_column(server_default=sql("false"))
    # Whether a persona may begin a talk by herself, and when one last did.
    writes_first: Mapped[bool] = mapped_column(server_default=sql("false"))
    wrote_first_at: Mapped[datetime | None] = mapped_column(Timestamp)
    # When they were asked whether she may: once, after a good talk.
    first_offered_at: Mapped[datetime | None] = mapped_column(Timestamp)
    # Minutes that the person's clock is ahead of UTC, for quiet hours; guessed from the language until set.
    utc_offset: Mapped[int | None] = mapped_column(SmallInteger)

    # When the person was last told that the day's photos are used up, and that premium has ended.
    limit_told_at: Mapped[datetime | None] = mapped_column(Timestamp)
    premium_end_told_at: Mapped[datetime | None] = mapped_column(Timestamp)

    # When they last wrote or pressed something, to five minutes.
    seen_at: Mapped[datetime | None] = mapped_column(Timestamp)
    # Banned by an operator.
    banned_at: Mapped[datetime | None] = mapped_column(Timestamp)
    maintenance_told_at: Mapped[datetime | None] = mapped_column(Timestamp)
    # Questions about payments that were passed on since then (`bot.accounts.support`).
    support_since: Mapped[datetime | None] = mapped_column(Timestamp)
    support_questions: Mapped[int] = mapped_column(SmallInteger, server_default="0")

    def is_premium(self, now: datetime, given: Collection[int]) -> bool:
        """Paid for until after `now`, or one of those whom the operator gave it (`given`, PREMIUM_IDS)."""
        return (self.premium_until is not None and self.premium_until > now) or self.id in given

    @classmethod
    def with_premium(cls, given: Collection[int]) -> ColumnElement[bool]:
        """The same of rows, by PostgreSQL's clock."""
        return func.coalesce(or_(cls.premium_until > func.now(), cls.id.in_(given)), False)


class Dialogue(Base):
    """One conversation with one persona. A person has at most one that has not ended."""

    __tablename__ = "dialogues"
    __table_args__ = (
        Index("uq_dialogues_open", "person_id", unique=True, postgresql_where=sql("ended_at IS NULL")),
        Index("ix_dialogues_person_id", "person_id"),
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
    # Set when the person changes the story or the atmosphere, until the next answer.
    story_changed: Mapped[bool] = mapped_column(server_default=sql("false"))
    atmosphere_changed: Mapped[bool] = mapped_column(server_default=sql("false"))
    # When somebody in it was said to be under age: no photos and nothing tender until a new story begins.
    minor_said_at: Mapped[datetime | None] = mapped_column(Timestamp)
    # When the persona last spoke.
    said_at: Mapped[datetime | None] = mapped_column(Timestamp)
    # Messages that the lasting facts have been gathered from already.
    facts_to: Mapped[int] = mapped_column(BigInteger, server_default="0")
    created_at: Mapped[datetime] = mapped_column(Timestamp, server_default=func.now())
    ended_at: Mapped[datetime | None] = mapped_column(Timestamp)


class Role(StrEnum):
    """Who said a message."""

    PERSON = "person"
    PERSONA = "persona"


#: What a persona of one's own is drawn as.
Gender = StrEnum("Gender", {"WOMAN": "woman", "MAN": "man"})
_BRIN: Any = {"postgresql_using": "brin", "postgresql_with": {"autosummarize": "on"}}


class Message(Base):
    """One thing said in a dialogue. A role says at most one thing for one update of Telegram."""

    __tablename__ = "messages"
    __table_args__ = (
        Index("ix_messages_dialogue_id_id", "dialogue_id", "id"),
        # So that photos can be deleted without reading all messages.
        Index("ix_messages_photo_id", "photo_id", postgresql_where=sql("photo_id IS NOT NULL")),
        Index("uq_messages_dialogue_id_update_id_role", "dialogue_id", "update_id", "role", unique=True),
        # What the language model's figures of late are read from.
        Index("ix_messages_created_at", "created_at", **_BRIN),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    dialogue_id: Mapped[int] = mapped_column(ForeignKey("dialogues.id", ondelete="CASCADE"))
    role: Mapped[Role] = mapped_column(_one_of(Role, "role"))
    text: Mapped[str] = mapped_column(Text)
    # What the bot says in its own words after an answer, such as that a photo was refused.
    afterword: Mapped[str] = mapped_column(Text, server_default="")
    update_id: Mapped[int | None] = mapped_column(BigInteger)
    photo_id: Mapped[int | None] = mapped_column(ForeignKey("photos.id", ondelete="SET NULL"))
    # Its number in the chat; of an answer in several parts, that of the last one.
    telegram_message_id: Mapped[int | None] = mapped_column(BigInteger)
    # Of a person's message that another one followed at once: the next answer is for both.
    answered_with_next: Mapped[bool] = mapped_column(server_default=sql("false"))
    # Of an answer: the scene that went with it.
    scene: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    # Of an answer: the lasting scene before it, which another answer in its place begins with.
    scene_before: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    # Of an answer: how often it was written anew.
    rewrites: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    # Of an answer: seconds that the language model took for it.
    model_seconds: Mapped[float | None] = mapped_column(Float)
    # For an answer: when Telegram had taken all of it.
    sent_at: Mapped[datetime | None] = mapped_column(Timestamp)
    created_at: Mapped[datetime] = mapped_column(Timestamp, server_default=func.now())


class ModelServerRow(Base):
    """What is known of one language model on one server, by address and name (`bot.llm.record`)."""

    __tablename__ = "model_servers"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    profile: Mapped[dict[str, Any]] = mapped_column(JSONB)
    last_answer_at: Mapped[datetime | None] = mapped_column(Timestamp)
    last_error: Mapped[str] = mapped_column(Text, server_default="")
    last_error_at: Mapped[datetime | None] = mapped_column(Timestamp)
    error_lasts: Mapped[bool] = mapped_column(server_default=sql("false"))
    last_finish: Mapped[str] = mapped_column(Text, server_default="")
    first_text_seconds: Mapped[float | None] = mapped_column(Float)
    prompt_tokens: Mapped[int] = mapped_column(BigInteger, server_default="0")
    completion_tokens: Mapped[int] = mapped_column(BigInteger, server_default="0")
    cached_tokens: Mapped[int] = mapped_column(BigInteger, server_default="0")


class Reaction(StrEnum):
    """What a person thought of a photo."""

    LIKED = "liked"
    DISLIKED = "disliked"


class DislikeReason(StrEnum):
    """Why a photo was disliked."""

    FACE = "face"
    SCENE = "scene"
    QUALITY = "quality"
    OTHER = "other"


class PhotoMoment(Base):
    """What a photo of a dialogue showed, and how the person received it."""

    __tablename__ = "photo_moments"
    __table_args__ = (Index("ix_photo_moments_dialogue_id", "dialogue_id", "photo_id"),)

    photo_id: Mapped[int] = mapped_column(ForeignKey("photos.id", ondelete="CASCADE"), primary_key=True)
    dialogue_id: Mapped[int] = mapped_column(ForeignKey("dialogues.id", ondelete="CASCADE"))
    story: Mapped[str] = mapped_column(Text)
    # The whole scene that was drawn, in English.
    scene: Mapped[dict[str, Any]] = mapped_column(JSONB)
    # Photos of the same moment before it, by 🔄 (the same camera) or 📷 (another one).
    take: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    reaction: Mapped[Reaction | None] = mapped_column(_one_of(Reaction, "reaction"))
    dislike_reason: Mapped[DislikeReason | None] = mapped_column(_one_of(DislikeReason, "dislike_reason"))
    # Paid with a photo of a pack, and not with one of the day's.
    from_pack: Mapped[bool] = mapped_column(server_default=sql("false"))
    # When the person first wrote or pressed something soon after it came.
    noticed_at: Mapped[datetime | None] = mapped_column(Timestamp)


class Fact(Base):
    """Something lasting that a persona knows about a person. /memory shows and deletes it."""

    __tablename__ = "facts"
    __table_args__ = (Index("uq_facts_person_id_persona_text", "person_id", "persona", "text", unique=True),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"))
    persona: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Timestamp, server_default=func.now())
    # By /reset; for some minutes that can be taken back.
    forgotten_at: Mapped[datetime | None] = mapped_column(Timestamp)


class OwnPersona(Base):
    """A persona that a person wrote. The first of its fields without a value is asked for next."""

    __tablename__ = "own_personas"
    __table_args__ = (
        CheckConstraint("age >= 21", name="adult"),
        Index("uq_own_personas_unfinished", "person_id", unique=True, postgresql_where=sql("finished_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    name: Mapped[str | None] = mapped_column(Text)
    gender: Mapped[Gender | None] = mapped_column(_one_of(Gender, "gender"))
    age: Mapped[int | None] = mapped_column(SmallInteger)
    character: Mapped[str | None] = mapped_column(Text)
    # As the person wrote it, and in English for the image model.
    looks: Mapped[str | None] = mapped_column(Text)
    looks_english: Mapped[str | None] = mapped_column(Text)
    # The chosen face (`bot.photos.faces`): its key in S3, and its words in English.
    face_key: Mapped[str | None] = mapped_column(Text)
    face_words: Mapped[str | None] = mapped_column(Text)
    finished_at: Mapped[datetime | None] = mapped_column(Timestamp)
    created_at: Mapped[datetime] = mapped_column(Timestamp, server_default=func.now())


class Payment(Base):
    """Stars that a person paid. Telegram's charge id makes the same payment count once."""

    __tablename__ = "payments"

    charge_id: Mapped[str] = mapped_column(Text, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    product: Mapped[str] = mapped_column(Text)
    stars: Mapped[int] = mapped_column(Integer)
    # Until when it gives premium; nothing for a pack.
    premium_until: Mapped[datetime | None] = mapped_column(Timestamp)
    paid_at: Mapped[datetime] = mapped_column(Timestamp, server_default=func.now(), index=True)
    thanked_at: Mapped[datetime | None] = mapped_column(Timestamp)
    refunded_at: Mapped[datetime | None] = mapped_column(Timestamp)


class Receipt(Base):
    """What is left of a payment when its person had everything deleted: what accounts need, and nobody's number."""

    __tablename__ = "receipts"

    charge_id: Mapped[str] = mapped_column(Text, primary_key=True)
    product: Mapped[str] = mapped_column(Text)
    stars: Mapped[int] = mapped_column(Integer)
    paid_at: Mapped[datetime] = mapped_column(Timestamp, index=True)
    refunded_at: Mapped[datetime | None] = mapped_column(Timestamp)


class PhotoGrant(Base):
    """Photos beyond the plan's: a pack, or thanks for an invitation. The same cause never grants twice."""

    __tablename__ = "photo_grants"

    cause: Mapped[str] = mapped_column(Text, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    photos: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(Timestamp, server_default=func.now())


#: In place of who handled it, of an update that waits for the end of the maintenance.
POSTPONED = "postponed"


class ReceivedUpdate(Base):
    """An update of Telegram, written down before it counts as received. The payload goes once it is handled."""

    __tablename__ = "updates"
    __table_args__ = (
        Index(
            "ix_updates_unhandled",
            "bot_id",
            "chat_id",
            "update_id",
            postgresql_where=sql("handled_at IS NULL"),
        ),
        Index("ix_updates_handled_at", "handled_at", postgresql_where=sql("handled_at IS NOT NULL")),
    )

    bot_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    update_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    # What is handled in order: the chat, or the person where an update has no chat.
    chat_id: Mapped[int] = mapped_column(BigInteger)
    payload: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    tries: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    # Processes that ended without a word while they had it in hand.
    deaths: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    claimed_by: Mapped[str | None] = mapped_column(Text)
    claimed_until: Mapped[datetime | None] = mapped_column(Timestamp)
    received_at: Mapped[datetime] = mapped_column(Timestamp, server_default=func.now())
    handled_at: Mapped[datetime | None] = mapped_column(Timestamp)


class Mark(Base):
    """A fact that outlives a person's rows, under a keyed hash of their number (`bot.accounts.marks`)."""

    __tablename__ = "marks"

    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    pseudonym: Mapped[str] = mapped_column(Text, primary_key=True)
    created_at: Mapped[datetime] = mapped_column(Timestamp, server_default=func.now())


class Usage(Base):
    """What the language model did for a person in one hour (`bot.accounts.usage`).

    Under a keyed hash, so that a day's budget does not begin anew for somebody who has everything deleted.
    """

    __tablename__ = "usage"
    __table_args__ = (Index("ix_usage_person_id_hour", "person_id", "hour"), Index("ix_usage_hour", "hour"))

    pseudonym: Mapped[str] = mapped_column(Text, primary_key=True)
    hour: Mapped[datetime] = mapped_column(Timestamp, primary_key=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id", ondelete="SET NULL"))
    calls: Mapped[int] = mapped_column(Integer, server_default="0")
    prompt_tokens: Mapped[int] = mapped_column(BigInteger, server_default="0")
    completion_tokens: Mapped[int] = mapped_column(BigInteger, server_default="0")
    voice_seconds: Mapped[int] = mapped_column(Integer, server_default="0")
    pictures: Mapped[int] = mapped_column(Integer, server_default="0")
    # Photos of the plan that they had before everything was deleted.
    photos: Mapped[int] = mapped_column(Integer, server_default="0")


class AdminAction(Base):
    """What an operator did, for whoever wants to know later."""

    __tablename__ = "admin_actions"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(Timestamp, server_default=func.now())
    admin_id: Mapped[int] = mapped_column(BigInteger)
    action: Mapped[str] = mapped_column(Text)
    target: Mapped[str] = mapped_column(Text, server_default="")


class BroadcastStatus(StrEnum):
    """From a question to an operator to its end."""

    DRAFT = "draft"
    RUNNING = "running"
    STOPPED = "stopped"
    DONE = "done"


class Broadcast(Base):
    """One message to many people, sent one by one in the order of their numbers."""

    __tablename__ = "broadcasts"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    admin_id: Mapped[int] = mapped_column(BigInteger)
    # The operator's own message, which is copied.
    from_chat_id: Mapped[int] = mapped_column(BigInteger)
    message_id: Mapped[int] = mapped_column(BigInteger)
    audience: Mapped[str] = mapped_column(Text)
    status: Mapped[BroadcastStatus] = mapped_column(_one_of(BroadcastStatus, "broadcast_status"))
    total: Mapped[int] = mapped_column(Integer, server_default="0")
    sent: Mapped[int] = mapped_column(Integer, server_default="0")
    # Those that could not be reached.
    missed: Mapped[int] = mapped_column(Integer, server_default="0")
    # Everybody up to this number has been written to. Moved before the sending: nobody gets it twice.
    last_person_id: Mapped[int] = mapped_column(BigInteger, server_default="0")
    progress_message_id: Mapped[int | None] = mapped_column(BigInteger)
    lease_until: Mapped[datetime | None] = mapped_column(Timestamp)
    created_at: Mapped[datetime] = mapped_column(Timestamp, server_default=func.now())
    ended_at: Mapped[datetime | None] = mapped_column(Timestamp)
