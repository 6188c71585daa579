"""Placing photo orders for a dialogue: words in the person's language, limits per person."""

import random
from dataclasses import dataclass

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from bot.models import Dialogue, Person
from bot.persona import Persona
from bot.photo_prompt import describe
from bot.scene import Scene
from bot.settings import Settings
from bot.texts import Say
from generation import orders
from generation.models import Photo, PhotoStatus
from generation.orders import PhotoOrder, PhotoWords
from triggers import Decision, Kind

#: Callback data of the button under a doubtful delivery; the photo's id follows.
SEND_AGAIN = "photo_again"
#: Seeds that every sampler takes and JSON keeps exact.
MAX_SEED = 2**48

#: Seconds for which a photo waits for the words that it belongs to; sent words release it at once.
WORDS_FIRST = 15.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """One photo that a turn wants."""

    person: Person
    premium: bool
    dialogue: Dialogue
    persona: Persona
    scene: Scene
    decision: Decision
    update_id: int
    chat_id: int
    reply_to_message_id: int


async def on_the_way(session: AsyncSession, person_id: int, *, requested: bool) -> int:
    """How many photos of a person were ordered and have not ended yet."""
    counted = await session.scalar(
        select(func.count())
        .select_from(Photo)
        .where(Photo.owner_id == person_id, Photo.requested == requested)
        # Spelled as text so that the planner sees the constants of the partial index.
        .where(text("status IN ('queued', 'rendering', 'stored', 'sending')"))
    )
    return counted or 0


async def seconds_since_automatic(session: AsyncSession, person_id: int) -> float | None:
    """Since the person's last automatic photo was ordered, failed and dropped ones left out; None without one."""
    since = await session.scalar(
        select(func.extract("epoch", func.now() - Photo.queued_at))
        .where(
            Photo.owner_id == person_id,
            Photo.requested.is_(False),
            Photo.status.not_in([PhotoStatus.FAILED, PhotoStatus.DROPPED]),
        )
        # The newest by id: walks the owner's photos backwards and stops at the first.
        .order_by(Photo.id.desc())
        .limit(1)
    )
    return None if since is None else float(since)


async def place(session: AsyncSession, wish: Wish, *, say: Say, settings: Settings, rng: random.Random) -> Photo:
    """Write the order down (as dropped, if no automatic photo can be made now). Raises QueueFull."""
    description = describe(wish.persona, wish.dialogue.story, wish.scene)
    requested = wish.decision.kind is Kind.REQUESTED
    order = PhotoOrder(
        dedup_key=f"update:{wish.dialogue.id}:{wish.update_id}",
        chat_id=wish.chat_id,
        owner_id=wish.person.id,
        reply_to_message_id=wish.reply_to_message_id,
        requested=requested,
        premium=wish.premium,
        rule=wish.decision.rule,
        reason=wish.decision.reason,
        workflow=description.workflow,
        orientation=description.orientation,
        prompt=description.prompt,
        negative_prompt=description.negative_prompt,
        seed=rng.randrange(MAX_SEED),
        expires_in=settings.requested_photo_expires if requested else settings.automatic_photo_expires,
        words=PhotoWords(
            failed=say("photo-failed"),
            unconfirmed=say("photo-unconfirmed"),
            send_again=say("photo-send-again"),
            send_again_data=SEND_AGAIN,
            too_late=say("photo-too-late"),
        ),
    )
    return await orders.place(
        session,
        order,
        queue_limit=settings.queue_limit,
        premium_head_start=settings.premium_head_start,
        lease=settings.lease,
        hold=WORDS_FIRST,
    )
