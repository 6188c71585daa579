"""Placing photo orders for a dialogue: what to draw, words in the person's language, buttons under the photo."""

import random
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.camera import another
from bot.models import Person, PhotoMoment
from bot.persona import Persona
from bot.photo_prompt import PhotoDescription, describe
from bot.scene import Scene
from bot.settings import Settings
from bot.texts import Say
from generation import orders
from generation.models import Photo, PhotoStatus
from generation.orders import PhotoOrder, PhotoWords
from triggers import Decision, Kind

#: Callback data of the buttons; the photo's id follows.
SEND_AGAIN = "photo_again"
ANOTHER, LIKE, DISLIKE = "photo_another", "photo_like", "photo_dislike"

#: Seconds for which a photo waits for the words that it belongs to; sent words release it at once.
WORDS_FIRST = 15.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """One photo that is wanted; `cause` makes the same wish order once."""

    person: Person
    premium: bool
    dialogue_id: int
    story: str
    persona: Persona
    scene: Scene
    decision: Decision
    cause: str
    chat_id: int
    reply_to_message_id: int | None
    #: How many times "again" led to it.
    take: int = 0
    #: Whether it waits for the words of an answer.
    after_words: bool = True

    def description(self, settings: Settings) -> PhotoDescription:
        return describe(
            self.persona, self.story, self.scene, explicit_allowed=explicit_allowed(self.person, settings)
        )


def explicit_allowed(person: Person, settings: Settings) -> bool:
    """The operator turned it on, and this person has confirmed to be an adult."""
    return settings.explicit_content and person.adult_confirmed_at is not None


async def place(session: AsyncSession, wish: Wish, *, say: Say, settings: Settings, rng: random.Random) -> Photo:
    """Write the order and its moment down (as dropped, if no automatic photo can be made now). Raises QueueFull."""
    description = wish.description(settings)
    requested = wish.decision.kind is Kind.REQUESTED
    order = PhotoOrder(
        dedup_key=wish.cause,
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
        seed=wish.persona.seed(rng),
        inputs=description.inputs,
        expires_in=settings.requested_photo_expires if requested else settings.automatic_photo_expires,
        words=_words(wish, say, rng),
    )
    photo = await orders.place(
        session,
        order,
        queue_limit=settings.queue_limit,
        premium_head_start=settings.premium_head_start,
        lease=settings.lease,
        hold=WORDS_FIRST if wish.after_words else 0,
    )
    if photo.status is not PhotoStatus.DROPPED and await session.get(PhotoMoment, photo.id) is None:
        moment = PhotoMoment(photo_id=photo.id, dialogue_id=wish.dialogue_id, take=wish.take)
        moment.scene = wish.scene.model_dump(exclude={"visual"})
        session.add(moment)
    return photo


def other_take(moment: PhotoMoment) -> Scene:
    """The scene of a photo as another camera sees it."""
    scene = Scene.model_validate(moment.scene)
    return scene.model_copy(update={"camera": another(scene.camera, moment.take).words})


async def last_outcome(session: AsyncSession, dialogue_id: int) -> tuple[Scene, PhotoStatus] | None:
    """What the dialogue's newest photo shows, and what became of it."""
    row = (
        await session.execute(
            select(PhotoMoment.scene, Photo.status)
            .join(Photo, Photo.id == PhotoMoment.photo_id)
            .where(PhotoMoment.dialogue_id == dialogue_id)
            .order_by(PhotoMoment.photo_id.desc())
            .limit(1)
        )
    ).one_or_none()
    return (Scene.model_validate(row.scene), row.status) if row else None


def _words(wish: Wish, say: Say, rng: random.Random) -> PhotoWords:
    return PhotoWords(
        failed=rng.choice(wish.persona.photo_failed).to(wish.person.locale),
        unconfirmed=say("photo-unconfirmed"),
        send_again=say("photo-send-again"),
        send_again_data=SEND_AGAIN,
        too_late=say("photo-too-late"),
        buttons=((say("photo-another"), ANOTHER), ("👍", LIKE), ("👎", DISLIKE)),
    )
