"""From an answer to a photo: the moment as the rules see it, the order, and what the person must be told.

A promise is kept or taken back: an answer that speaks of a photo goes out as it is only when one is on its way.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from aiogram.types import InlineKeyboardMarkup
from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.accounts.people import is_premium
from bot.accounts.photo_quota import PhotoQuota, pack_balance, photo_quota
from bot.accounts.plans import Plan, plan
from bot.chat.turn import Turn
from bot.llm.text_analysis import AnswerAnalysis, TextAnalyzer
from bot.models import Person
from bot.personas.persona import Persona
from bot.personas.scene import Scene
from bot.photos import orders, wait_texts
from bot.photos.prompt import describe
from bot.settings import Settings
from bot.telegram.callbacks import Cancel, HowLong, ShowPremium
from bot.telegram.messages import keyboard
from bot.texts import Say
from generation.errors import QueueFull
from generation.models import Photo, PhotoStatus
from generation.orders import queue
from triggers import PROMISE, Decision, Frequency, Kind, Moment, draw_gap

log = structlog.get_logger(__name__)


#: A limit that is reached is told once in so long a time, and not at each wish.
LIMIT_TOLD_FOR = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why no photo can be had now, and what helps."""

    words: str
    limit: bool = False
    buttons: InlineKeyboardMarkup | None = None


class PhotoService:
    """Decides nothing itself (`triggers.decide` does); one per process, built by `bot.app`."""

    def __init__(self, *, settings: Settings, text_analyzer: TextAnalyzer, rng: random.Random) -> None:
        self._settings = settings
        self._text_analyzer = text_analyzer
        self._rng = rng

    async def obstacle(self, session: AsyncSession, person: Person, say: Say) -> Obstacle | None:
        """Why a photo that is asked for cannot be had at all now."""
        quota = await photo_quota(session, person.id)
        if person.photo_frequency is Frequency.NEVER:
            return Obstacle(say("photo-switched-off"))
        allowed = self._plan(person, quota.now).daily_limit
        if quota.today >= allowed and not await pack_balance(session, person.id):
            words = wait_texts.limit(say, allowed, quota.frees_in(allowed))
            return Obstacle(words, limit=True, buttons=keyboard([(say("button-premium"), ShowPremium().pack())]))
        words = self._too_many(say, quota)
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

    async def moment(
        self,
        session: AsyncSession,
        turn: Turn,
        reading: AnswerAnalysis,
        scene_visual: bool | None,
        *,
        changed: bool,
    ) -> tuple[Moment, PhotoQuota]:
        """What the rules look at; `changed` is the atmosphere."""
        quota = await photo_quota(session, turn.person.id, dialogue_id=turn.dialogue.id)
        allowed = self._plan(turn.person, quota.now)
        wished = turn.incoming.wants_photo or turn.heard.asks
        # Packs are for what the person asks for: automatic photos never use them up.
        beyond = await pack_balance(session, turn.person.id) if wished and quota.today >= allowed.daily_limit else 0
        moment = Moment(
            answer_number=turn.dialogue.answers + 1,
            answers_since_photo=turn.dialogue.answers_since_photo + 1,
            gap=turn.dialogue.gap,
            seconds_since_photo=quota.seconds_since_automatic,
            cooldown=allowed.cooldown,
            photos_today=quota.today,
            daily_limit=allowed.daily_limit + beyond,
            photo_waiting=quota.automatic_waiting > 0,
            frequency=turn.person.photo_frequency,
            unwelcome=quota.unwelcome,
            asked_by_command=turn.incoming.wants_photo,
            asked=turn.heard.asks,
            promised=reading.promise,
            shows=reading.visual,
            scene_visual=scene_visual,
            story_changed=turn.dialogue.story_changed,
            atmosphere_changed=changed or turn.dialogue.atmosphere_changed,
        )
        return moment, quota

    async def carry_out(
        self, session: AsyncSession, turn: Turn, scene: Scene, decision: Decision, quota: PhotoQuota, refused: str
    ) -> tuple[Photo | None, str]:
        """The photo that was ordered, if any, and what the person must be told beside the answer.

        `refused` says why the scene may not be drawn. An automatic photo that cannot be made is dropped quietly.
        """
        if decision.kind is Kind.REFUSED:
            obstacle = await self.obstacle(session, turn.person, turn.say)
            told = await self.told_once(session, turn.person, obstacle)
            turn.afterword_buttons = told.buttons if told else None
            return None, told.words if told else ""
        if not decision.wants_photo:
            return None, ""
        requested = decision.kind is Kind.REQUESTED
        if requested and (words := self._too_many(turn.say, quota)):
            return None, words
        if refused:
            return None, refused if requested else ""
        wish = self._wish(turn, scene, decision, quota)
        photo, words = await self.place(session, wish, turn.say)
        words = words if requested or decision.rule == PROMISE else ""
        if photo:
            turn.afterword_buttons = waiting_buttons(turn.say, photo.id) if words else None
            turn.dialogue.answers_since_photo = 0
            gap = self._plan(turn.person, quota.now).gap
            turn.dialogue.gap = draw_gap(self._rng, gap)
        return photo, words

    async def policy(self, person: Person, persona: Persona, story: str, scene: Scene, say: Say) -> str:
        """Why this scene is not drawn, in words; empty when it may be. Never within a unit of work: it waits."""
        allowed = orders.explicit_allowed(person, self._settings)
        prompt = describe(persona, story, scene, explicit_allowed=allowed).prompt
        refused = await self._text_analyzer.refusal_of_prompt(prompt, explicit_allowed=allowed)
        if refused:
            log.warning("scene.refused_by_policy", why=refused)
        # The person may have asked for something harmless: it is the scene that does not fit.
        return say("photo-not-this-moment") if refused else ""

    async def place(self, session: AsyncSession, wish: orders.Wish, say: Say) -> tuple[Photo | None, str]:
        """The order as a row, and what a long wait or a full queue gives to say."""
        try:
            photo = await orders.place(session, wish, say=say, settings=self._settings, rng=self._rng)
        except QueueFull as full:
            log.warning("photo.queue_full", waiting=full.waiting)
            return None, wait_texts.full(say, full.wait)
        if photo.status is PhotoStatus.DROPPED:
            log.info("photo.dropped", why=photo.error)
            return None, ""
        wait = await queue.expected_wait(session, lease=self._settings.lease, before=photo.rank_at)
        place = await queue.ahead(session, photo) + 1
        return photo, wait_texts.ahead(say, wait, place)

    async def from_pack(self, session: AsyncSession, person: Person) -> bool:
        """Whether one more photo that is asked for is one of a pack."""
        quota = await photo_quota(session, person.id)
        return quota.today >= self._plan(person, quota.now).daily_limit

    def _plan(self, person: Person, now: datetime) -> Plan:
        return plan(self._settings, premium=is_premium(person, now, self._settings))

    def _wish(self, turn: Turn, scene: Scene, decision: Decision, quota: PhotoQuota) -> orders.Wish:
        return orders.Wish(
            person=turn.person,
            premium=is_premium(turn.person, quota.now, self._settings),
            dialogue_id=turn.dialogue.id,
            story=turn.dialogue.story,
            persona=turn.persona,
            scene=scene,
            decision=decision,
            cause=f"update:{turn.dialogue.id}:{turn.incoming.update_id}",
            chat_id=turn.incoming.chat_id,
            reply_to_message_id=turn.incoming.message_id,
            from_pack=decision.kind is Kind.REQUESTED
            and quota.today >= self._plan(turn.person, quota.now).daily_limit,
        )

    def _too_many(self, say: Say, quota: PhotoQuota) -> str:
        enough = quota.requested_waiting >= self._settings.requested_photos_waiting
        return say("photo-already-waiting") if enough else ""


def waiting_buttons(say: Say, photo_id: int) -> InlineKeyboardMarkup:
    """Under the words that a photo takes a while."""
    how_long = (say("photo-how-long"), HowLong(photo_id=photo_id).pack())
    return keyboard([how_long, (say("photo-cancel"), Cancel(photo_id=photo_id).pack())])


def honest(say: Say, text: str, reading: AnswerAnalysis, afterword: str, *, photo_comes: bool) -> str:
    """The answer without a promise that nobody keeps; when nothing is left of it, a true sentence instead."""
    if photo_comes or not reading.promise:
        return text
    log.info("answer.promise_taken_back")
    return reading.without_promise or afterword or say("photo-promise-taken-back")
