"""Candidate faces for a persona that a person wrote, and the one that stays hers (docs/personas.md).

Candidates are photos of her looks alone, each with a seed and with words of its own. The chosen one is kept by a
copy in S3, for workflows that take reference pictures, and by its words in every prompt, for all others.
"""

import random
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256

import structlog
from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from bot.accounts.photo_quota import FACE, NOTHING_CAME
from bot.models import OwnPersona, Person
from bot.personas.catalog import PersonaCatalog
from bot.personas.persona import Persona
from bot.photos.orders import ON_THE_WAY
from bot.photos.prompt import NEVER_EXPLICIT, portrait
from bot.settings import Settings
from bot.telegram.callbacks import ChooseFace, SendAgain
from bot.telegram.topics import topic_of
from bot.texts import Say
from generation.models import Orientation, Photo, PhotoStatus
from generation.orders import erasure, lifecycle, placing
from generation.orders.placing import PhotoOrder, PhotoWords
from generation.storage import reference_key
from generation.workflows.workflow import OURS, reference_names

#: Faces that are shown together, and at most in 24 hours; those that failed do not count.
CANDIDATES, A_DAY = 4, 12
#: Any number that every workflow's sampler takes: the candidates shall differ as much as they can.
SEEDS = 2**40


@dataclass(frozen=True, kw_only=True, slots=True)
class Casting:
    """What an order of candidates needs to know."""

    person: Person
    own: OwnPersona
    persona: Persona
    chat_id: int
    premium: bool


def casting(catalog: PersonaCatalog, own: OwnPersona, person: Person, *, chat_id: int, premium: bool) -> Casting:
    """The persona as she is before a face was chosen."""
    bare = OwnPersona(name=own.name, gender=own.gender, age=own.age, character=own.character,
                      looks_english=own.looks_english)  # fmt: skip
    return Casting(person=person, own=own, persona=catalog.play(bare), chat_id=chat_id, premium=premium)


def prompts(each: Casting, words: tuple[str, ...]) -> list[str]:
    """The four prompts of a casting, one for each words of a face."""
    looks = each.persona.looks
    return [
        portrait(each.persona.model_copy(update={"looks": looks.model_copy(update={"person": person})}))
        for person in (f"{looks.person}, {face}" for face in words)
    ]


async def words_of_next(session: AsyncSession, catalog: PersonaCatalog, own: OwnPersona) -> tuple[str, ...]:
    """What tells the next four from each other: further words of the list than those of the last time."""
    made = await session.scalar(select(func.count()).select_from(Photo).where(of(own))) or 0
    return tuple(catalog.faces[(made + number) % len(catalog.faces)] for number in range(CANDIDATES))


async def obstacle(session: AsyncSession, own: OwnPersona, say: Say) -> str:
    """Why no faces can be had now, in words; empty when they can."""
    recent = select(Photo.status).where(
        Photo.owner_id == own.person_id,
        Photo.rule == FACE,
        Photo.queued_at > func.now() - timedelta(hours=24),
        # One that was dropped when a GPU had begun with it has cost as much.
        Photo.status.not_in(NOTHING_CAME) | (Photo.status == PhotoStatus.DROPPED) & Photo.claimed_at.is_not(None),
    )
    found = list(await session.scalars(recent))
    if any(status in ON_THE_WAY for status in found):
        return say("own-faces-coming")
    return say("own-faces-enough") if len(found) + CANDIDATES > A_DAY else ""


async def order(
    session: AsyncSession,
    each: Casting,
    words: tuple[str, ...],
    *,
    say: Say,
    settings: Settings,
    rng: random.Random,
) -> list[Photo]:
    """Write the orders of four candidates down. Raises QueueFull."""
    made = await session.scalar(select(func.count()).select_from(Photo).where(of(each.own))) or 0
    photos: list[Photo] = []
    for number, (face, prompt) in enumerate(zip(words, prompts(each, words), strict=True)):
        one = PhotoOrder(
            dedup_key=f"{_cause(each.own)}{made + number}",
            trace_id=structlog.contextvars.get_contextvars().get("trace_id"),
            chat_id=each.chat_id,
            owner_id=each.person.id,
            thread_id=topic_of(each.chat_id),
            reply_to_message_id=None,
            requested=True,
            premium=each.premium,
            rule=FACE,
            # What her prompts will say when this one is chosen.
            reason=face,
            workflow=each.persona.workflow.default,
            orientation=Orientation.PORTRAIT,
            prompt=prompt,
            negative_prompt=", ".join(filter(None, (each.persona.looks.negative, NEVER_EXPLICIT))),
            seed=rng.randrange(SEEDS),
            inputs=each.persona.looks.inputs(),
            face_due=True,
            expires_in=settings.requested_photo_expires,
            # One apology is enough for all four.
            words=_words(each.person, say) if not photos else replace(_words(each.person, say), failed=""),
        )
        photos.append(
            await placing.place(
                session,
                one,
                queue_limit=settings.queue_limit,
                premium_head_start=settings.premium_head_start,
                lease=settings.lease,
            )
        )
    return photos


async def of_photo(session: AsyncSession, photo: Photo) -> OwnPersona | None:
    """Whose candidate a photo is; None for any other photo, and where the persona is gone."""
    kind, _, rest = photo.dedup_key.partition(":")
    number = rest.partition(":")[0]
    if kind != FACE or not number.isdecimal():
        return None
    own = await session.get(OwnPersona, int(number))
    return own if own and own.person_id == photo.owner_id else None


def copy_key(content: bytes) -> str:
    """Where the chosen face is kept: originals go with time, and it shall not."""
    return reference_key(f"{OURS}{sha256(content).hexdigest()[:40]}.png")


async def choose(session: AsyncSession, own: OwnPersona, photo: Photo, key: str) -> list[Photo]:
    """Make this candidate her face, and forget the others; those that were in the chat."""
    if own.face_key and own.face_key != key:
        await _drawn_with_another(session, own, key)
        await erasure.discard_object(session, own.face_key)
    own.face_key, own.face_words = key, photo.reason
    return await _forget_candidates(session, own, Photo.id != photo.id)


async def forget(session: AsyncSession, own: OwnPersona) -> list[Photo]:
    """Forget her face and all candidates; those that were in the chat."""
    if own.face_key:
        await erasure.discard_object(session, own.face_key)
    own.face_key = own.face_words = None
    return await _forget_candidates(session, own)


def of(own: OwnPersona) -> ColumnElement[bool]:
    """Photos that are candidates for this persona."""
    mine = (Photo.owner_id == own.person_id) & (Photo.rule == FACE)
    return mine & Photo.dedup_key.startswith(_cause(own), autoescape=True)


def _cause(own: OwnPersona) -> str:
    return f"{FACE}:{own.id}:"


async def _drawn_with_another(session: AsyncSession, own: OwnPersona, key: str) -> None:
    """Photos that wait for a GPU are drawn with the new face: the old one will be gone."""
    first = next(iter(reference_names()))
    await session.execute(
        update(Photo)
        .where(
            Photo.owner_id == own.person_id,
            Photo.status == PhotoStatus.QUEUED,
            Photo.inputs[first].astext == own.face_key,
        )
        .values(inputs=Photo.inputs.concat(func.jsonb_build_object(first, key, type_=JSONB)))
    )


async def _forget_candidates(session: AsyncSession, own: OwnPersona, *but: ColumnElement[bool]) -> list[Photo]:
    await lifecycle.drop_waiting(session, own.person_id, of(own), *but, why="another face was chosen", held=True)
    photos = list(await session.scalars(select(Photo).where(of(own), *but)))
    in_chat = [photo for photo in photos if photo.file_id]
    for photo in photos:
        await erasure.discard(session, photo)
    return in_chat


def _words(person: Person, say: Say) -> PhotoWords:
    return PhotoWords(
        failed=say("own-faces-failed"),
        unconfirmed=say("photo-unconfirmed"),
        send_again=say("photo-send-again"),
        send_again_data=SendAgain.__prefix__,
        buttons=(((say("own-face-choose"), ChooseFace.__prefix__),),),
        silent=person.silent_photos,
    )
