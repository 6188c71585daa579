"""Placing photos for a person: what stands in the way, what may not be drawn, and the words for a wait."""

import random
from dataclasses import dataclass
from datetime import timedelta

import structlog
from aiogram.types import InlineKeyboardMarkup
from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.accounts.photo_quota import PhotoQuota, pack_balance, photo_quota
from bot.accounts.plans import plan_of
from bot.llm.guard import GuardAway
from bot.models import Person
from bot.personas.persona import Persona
from bot.personas.scene import Scene
from bot.photos import orders, wait_texts
from bot.photos.prompt import describe
from bot.reading.text_analysis import TextAnalyzer
from bot.settings import Settings
from bot.telegram.callbacks import ShowPremium
from bot.telegram.messages import keyboard
from bot.texts import Say
from generation.errors import QueueFull
from generation.models import Photo, PhotoStatus
from generation.orders import queue
from triggers import Frequency

log = structlog.get_logger(__name__)

#: A limit that is reached is told once in so long a time, and not at each wish.
LIMIT_TOLD_FOR = timedelta(hours=12)
#: Photos that a person has asked for and that are not there yet, at most: one more wish is answered in words.
MOST_REQUESTED_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why no photo can be had now, and what helps."""

    words: str
    limit: bool = False
    buttons: InlineKeyboardMarkup | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PhotoService:
    """Whether a photo belongs to the moment is `triggers.decide`; this says whether it can be had.

    One per process, built by `bot.app`.
    """

    settings: Settings
    text_analyzer: TextAnalyzer
    rng: random.Random

    async def obstacle(self, session: AsyncSession, person: Person, say: Say) -> Obstacle | None:
        """Why a photo that is asked for cannot be had at all now."""
        quota = await photo_quota(session, person.id)
        if person.photo_frequency is Frequency.NEVER:
            return Obstacle(say("photo-switched-off"))
        allowed = plan_of(person, quota.now, self.settings).daily_limit
        if quota.today >= allowed and not await pack_balance(session, person.id):
            words = wait_texts.limit(say, allowed, quota.frees_in(allowed))
            return Obstacle(words, limit=True, buttons=keyboard([(say("button-premium"), ShowPremium().pack())]))
        words = self.too_many(say, quota)
        return Obstacle(words) if words else None

    async def told_once(self, session: AsyncSession, person: Person, obstacle: Obstacle | None) -> Obstacle | None:
        """The obstacle, unless it is a limit that this person has been told of lately."""
        if obstacle is None or not obstacle.limit:
            return obstacle
        fresh = func.now() - LIMIT_TOLD_FOR
        told = await session.execute(
            update(Person)
            .where(Person.id == person.id, (Person.limit_told_at.is_(None)) | (Person.limit_told_at < fresh))
            .values(limit_told_at=func.now())
            .returning(Person.id)
        )
        return obstacle if told.scalar_one_or_none() is not None else None

    async def refusal(self, person: Person, persona: Persona, story: str, scene: Scene, say: Say) -> str:
        """Why this scene is not drawn, in words; empty when it may be. Never within a unit of work: it waits."""
        allowed = orders.explicit_allowed(person, self.settings)
        prompt = describe(persona, story, scene, explicit_allowed=allowed).prompt
        try:
            refused = await self.text_analyzer.refusal_of_prompt(prompt, explicit_allowed=allowed)
        except GuardAway:
            log.warning("photo.waits_for_guard")
            return say("photo-guard-away")
        if refused:
            log.warning("scene.refused_by_policy", why=refused)
        # The person may have asked for something harmless: it is the scene that does not fit.
        return say("photo-not-this-moment") if refused else ""

    async def place(self, session: AsyncSession, wish: orders.Wish, say: Say) -> tuple[Photo | None, str]:
        """The order as a row, and what a long wait or a full queue gives to say."""
        try:
            photo = await orders.place(session, wish, say=say, settings=self.settings, rng=self.rng)
        except QueueFull as full:
            log.warning("photo.queue_full", waiting=full.waiting)
            return None, wait_texts.full(say, full.wait)
        if photo.status is PhotoStatus.DROPPED:
            log.info("photo.dropped", why=photo.error)
            return None, ""
        wait = await queue.expected_wait(session, lease=self.settings.lease, before=photo.rank_at)
        place = await queue.ahead(session, photo) + 1
        words = wait_texts.ahead(say, wait, place)
        if words and photo.requested:
            # Said with the answer; not once more when it has taken long (`bot.photos.delays`).
            await session.execute(update(Photo).where(Photo.id == photo.id).values(wait_told_at=func.now()))
        return photo, words

    async def from_pack(self, session: AsyncSession, person: Person) -> bool:
        """Whether one more photo that is asked for is one of a pack."""
        quota = await photo_quota(session, person.id)
        return quota.today >= plan_of(person, quota.now, self.settings).daily_limit

    def too_many(self, say: Say, quota: PhotoQuota) -> str:
        """What is said to one more wish while enough are on their way; empty while they are not."""
        return say("photo-already-waiting") if quota.requested_waiting >= MOST_REQUESTED_AT_ONCE else ""
