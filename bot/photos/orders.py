"""Placing photo orders for a dialogue: what to draw, words in the person's language, buttons under the photo."""

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.models import Person, PhotoMoment, Reaction
from bot.personas import camera
from bot.personas.persona import Persona
from bot.personas.scene import OF_THE_TURN, Scene
from bot.photos.buttons import photo_buttons
from bot.photos.prompt import describe
from bot.settings import Settings
from bot.telegram import callbacks
from bot.telegram.topics import topic_of
from bot.texts import Say
from generation.models import Photo, PhotoStatus
from generation.orders import placing
from generation.orders.placing import PhotoOrder, PhotoWords
from generation.workflows.workflow import EDITED_PHOTO, SCENE_PHOTO
from triggers import PROMISE, Decision, Kind

#: Seconds for which a photo waits for the words that it belongs to; sent words release it at once.
WORDS_FIRST = 15.0
#: For so long a photo shows what she wears in the same scene; tomorrow it is another day.
SAME_SCENE = timedelta(hours=12)
#: States of a photo that may still come.
ON_THE_WAY = (PhotoStatus.QUEUED, PhotoStatus.RENDERING, PhotoStatus.STORED, PhotoStatus.SENDING)


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
    #: Photos of the same moment before it, by 🔄 or 📷.
    take: int = 0
    #: Paid with a photo of a pack, since the day's are used up.
    from_pack: bool = False
    #: Where the photo lies in S3 that the person wants otherwise.
    edited: str | None = None
    #: Whether it waits for the words of an answer.
    after_words: bool = True


def explicit_allowed(person: Person, settings: Settings) -> bool:
    """The operator turned it on, and this person has confirmed to be an adult."""
    return settings.explicit_content and person.adult_confirmed_at is not None


async def place(session: AsyncSession, wish: Wish, *, say: Say, settings: Settings, rng: random.Random) -> Photo:
    """Write the order and its moment down (as dropped, if no automatic photo can be made now). Raises QueueFull."""
    allowed = explicit_allowed(wish.person, settings)
    description = describe(wish.persona, wish.story, wish.scene, explicit_allowed=allowed)
    inputs = description.inputs
    has_face = bool(wish.persona.looks.reference_keys)
    if wish.edited:
        inputs = inputs | {EDITED_PHOTO: wish.edited}
    elif has_face and (last := await _last_of_scene(session, wish, explicit_allowed=allowed)):
        # Her clothes and the room, where the workflow takes it; the face is that of her own pictures.
        inputs = inputs | {SCENE_PHOTO: last}
    requested = wish.decision.kind is Kind.REQUESTED
    # A promised photo is waited for like one that was asked for.
    awaited = requested or wish.decision.rule == PROMISE
    order = PhotoOrder(
        dedup_key=wish.cause,
        trace_id=structlog.contextvars.get_contextvars().get("trace_id"),
        chat_id=wish.chat_id,
        owner_id=wish.person.id,
        thread_id=topic_of(wish.chat_id),
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
        inputs=inputs,
        explicit=allowed,
        face_due=camera.shows_face(wish.scene.camera),
        expires_in=settings.requested_photo_expires if awaited else settings.automatic_photo_expires,
        words=_words(wish, say, rng, owed=awaited),
    )
    photo = await placing.place(
        session,
        order,
        queue_limit=settings.queue_limit,
        premium_head_start=settings.premium_head_start,
        lease=settings.lease,
        hold=WORDS_FIRST if wish.after_words else 0,
    )
    if photo.status is not PhotoStatus.DROPPED and await session.get(PhotoMoment, photo.id) is None:
        moment = PhotoMoment(photo_id=photo.id, dialogue_id=wish.dialogue_id, story=wish.story, take=wish.take)
        moment.from_pack = wish.from_pack
        moment.scene = wish.scene.model_dump(exclude=set(OF_THE_TURN))
        session.add(moment)
    return photo


async def _last_of_scene(session: AsyncSession, wish: Wish, *, explicit_allowed: bool) -> str | None:
    """Where the newest delivered photo of the same place and clothes lies in S3; None when there is none."""
    scene = {"place": wish.scene.place, "outfit": wish.scene.outfit}
    if not all(scene.values()):
        return None
    newest = (
        select(Photo.object_key)
        .join(PhotoMoment, PhotoMoment.photo_id == Photo.id)
        .where(
            PhotoMoment.dialogue_id == wish.dialogue_id,
            PhotoMoment.scene.contains(scene),
            PhotoMoment.reaction.is_distinct_from(Reaction.DISLIKED),
            Photo.status == PhotoStatus.DELIVERED,
            Photo.object_key.is_not(None),
            Photo.explicit.is_(False) | explicit_allowed,
            Photo.delivered_at > func.now() - SAME_SCENE,
        )
        .order_by(Photo.id.desc())
        .limit(1)
    )
    return await session.scalar(newest)


async def of_message(
    session: AsyncSession, person: Person, dialogue_id: int, message_id: int, settings: Settings
) -> tuple[Scene, str | None] | None:
    """What the photo of this message shows, and where its original lies if it may be used.

    None for one of another talk, and for one of which nobody knows any more what it shows.
    """
    row = (
        await session.execute(
            select(Photo, PhotoMoment.scene)
            .join(PhotoMoment, PhotoMoment.photo_id == Photo.id)
            .where(
                Photo.owner_id == person.id,
                Photo.telegram_message_id == message_id,
                PhotoMoment.dialogue_id == dialogue_id,
            )
            .limit(1)
        )
    ).first()
    if row is None or not row.scene:
        return None
    usable = explicit_allowed(person, settings) or not row.Photo.explicit
    return Scene.model_validate(row.scene), row.Photo.object_key if usable else None


async def own_photo(session: AsyncSession, person: Person, photo_id: int) -> Photo | None:
    """Only one's own: callback data can be forged."""
    photo = await session.get(Photo, photo_id)
    return photo if photo and photo.owner_id == person.id else None


async def own_moment(session: AsyncSession, person: Person, photo_id: int) -> PhotoMoment | None:
    """Only of a person's own photos: callback data can be forged."""
    return await session.scalar(
        select(PhotoMoment)
        .join(Photo, Photo.id == PhotoMoment.photo_id)
        .where(PhotoMoment.photo_id == photo_id, Photo.owner_id == person.id)
    )


def other_camera_scene(moment: PhotoMoment, *, further: int = 0) -> Scene:
    """The scene of a photo as another camera sees it; `further` takes of it have been made before."""
    scene = Scene.model_validate(moment.scene)
    return scene.model_copy(update={"camera": camera.another(scene.camera, moment.take + further).words})


def same_camera_scene(moment: PhotoMoment, *, further: int = 0) -> Scene:
    """The scene of a photo once more, with another composition."""
    scene = Scene.model_validate(moment.scene)
    return scene.model_copy(update={"camera": camera.once_more(scene.camera, moment.take + further)})


def last_outcome(dialogue_id: ColumnElement[int]) -> Select[dict[str, Any], PhotoStatus]:
    """What the dialogue's newest photo shows (`scene`), and what became of it (`status`)."""
    return (
        select(PhotoMoment.scene, Photo.status)
        .join(Photo, Photo.id == PhotoMoment.photo_id)
        .where(PhotoMoment.dialogue_id == dialogue_id)
        .order_by(PhotoMoment.photo_id.desc())
        .limit(1)
    )


def _words(wish: Wish, say: Say, rng: random.Random, *, owed: bool) -> PhotoWords:
    return PhotoWords(
        failed=rng.choice(wish.persona.photo_failed).to(wish.person.locale),
        unconfirmed=say("photo-unconfirmed"),
        send_again=say("photo-send-again"),
        send_again_data=callbacks.SendAgain.__prefix__,
        too_late=say("photo-too-late"),
        unfit=say("photo-unfit"),
        owed=owed,
        buttons=photo_buttons(say),
        spoiler=wish.person.blur_photos,
        silent=wish.person.silent_photos,
    )
