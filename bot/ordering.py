"""From an answer to a photo: the moment as the rules see it, the order, and what the person must be told.

A promise is kept or taken back: an answer that speaks of a photo goes out as it is only when one is on its way.
"""

import random

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from bot import photos, waits
from bot.models import Person
from bot.people import is_premium
from bot.persona import Persona
from bot.photo_prompt import describe
from bot.plans import plan
from bot.reading import AnswerReading, Reader
from bot.scene import Scene
from bot.settings import Settings
from bot.standing import Standing, standing
from bot.texts import Say
from bot.turn import Turn
from generation import queue
from generation.errors import QueueFull
from generation.models import Photo, PhotoStatus
from triggers import PROMISE, Decision, Frequency, Kind, Moment, draw_gap

log = structlog.get_logger(__name__)


class Ordering:
    """Decides nothing itself (`triggers.decide` does); one per process, built by `bot.app`."""

    def __init__(self, *, settings: Settings, reader: Reader, rng: random.Random) -> None:
        self._settings = settings
        self._reader = reader
        self._rng = rng

    async def refusal(self, session: AsyncSession, person: Person, say: Say) -> str:
        """Why a photo that is asked for cannot be had at all now; empty when it can."""
        stands = await standing(session, person.id)
        allowed = plan(self._settings, premium=is_premium(person, stands.now, self._settings)).daily_limit
        if person.photo_frequency is Frequency.NEVER:
            return say("photo-switched-off")
        if stands.today >= allowed:
            return waits.limit(say, allowed, stands.frees_in(allowed))
        return self._too_many(say, stands)

    async def moment(
        self, session: AsyncSession, turn: Turn, reading: AnswerReading, scene_visual: bool | None, *, changed: bool
    ) -> tuple[Moment, Standing]:
        """What the rules look at; `changed` is the atmosphere."""
        stands = await standing(session, turn.person.id, dialogue_id=turn.dialogue.id)
        allowed = plan(self._settings, premium=is_premium(turn.person, stands.now, self._settings))
        moment = Moment(
            answer_number=turn.dialogue.answers + 1,
            answers_since_photo=turn.dialogue.answers_since_photo + 1,
            gap=turn.dialogue.gap,
            seconds_since_photo=stands.seconds_since_automatic,
            cooldown=allowed.cooldown,
            photos_today=stands.today,
            daily_limit=allowed.daily_limit,
            photo_waiting=stands.automatic_waiting > 0,
            frequency=turn.person.photo_frequency,
            unwelcome=stands.unwelcome,
            asked_by_command=turn.incoming.wants_photo,
            asked=turn.heard.asks,
            promised=reading.promise,
            shows=reading.visual,
            scene_visual=scene_visual,
            story_changed=turn.dialogue.story_changed,
            atmosphere_changed=changed,
        )
        return moment, stands

    async def carry_out(
        self, session: AsyncSession, turn: Turn, scene: Scene, decision: Decision, stands: Standing, refused: str
    ) -> tuple[Photo | None, str]:
        """The photo that was ordered, if any, and what the person must be told beside the answer.

        `refused` says why the scene may not be drawn. An automatic photo that cannot be made is dropped quietly.
        """
        if decision.kind is Kind.REFUSED:
            return None, await self.refusal(session, turn.person, turn.say)
        if not decision.wants_photo:
            return None, ""
        requested = decision.kind is Kind.REQUESTED
        if requested and (words := self._too_many(turn.say, stands)):
            return None, words
        if refused:
            return None, refused if requested else ""
        wish = self._wish(turn, scene, decision, stands)
        photo, words = await self.place(session, wish, turn.say)
        if photo:
            turn.dialogue.answers_since_photo = 0
            gap = plan(self._settings, premium=wish.premium).gap
            turn.dialogue.gap = draw_gap(self._rng, gap)
        return photo, words if requested or decision.rule == PROMISE else ""

    async def policy(self, person: Person, persona: Persona, story: str, scene: Scene, say: Say) -> str:
        """Why this scene is not drawn, in words; empty when it may be. Never within a unit of work: it waits."""
        allowed = photos.explicit_allowed(person, self._settings)
        prompt = describe(persona, story, scene, explicit_allowed=allowed).prompt
        refused = await self._reader.refusal_of_prompt(prompt, explicit_allowed=allowed)
        if refused:
            log.warning("scene.refused_by_policy", why=refused)
        # The person may have asked for something harmless: it is the scene that does not fit.
        return say("photo-not-this-moment") if refused else ""

    async def place(self, session: AsyncSession, wish: photos.Wish, say: Say) -> tuple[Photo | None, str]:
        """The order as a row, and what a long wait or a full queue gives to say."""
        try:
            photo = await photos.place(session, wish, say=say, settings=self._settings, rng=self._rng)
        except QueueFull as full:
            log.warning("photo.queue_full", waiting=full.waiting)
            return None, waits.full(say, full.wait)
        if photo.status is PhotoStatus.DROPPED:
            log.info("photo.dropped", why=photo.error)
            return None, ""
        wait = await queue.expected_wait(session, lease=self._settings.lease, before=photo.rank_at)
        return photo, waits.ahead(say, wait)

    def _wish(self, turn: Turn, scene: Scene, decision: Decision, stands: Standing) -> photos.Wish:
        return photos.Wish(
            person=turn.person,
            premium=is_premium(turn.person, stands.now, self._settings),
            dialogue_id=turn.dialogue.id,
            story=turn.dialogue.story,
            persona=turn.persona,
            scene=scene,
            decision=decision,
            cause=f"update:{turn.dialogue.id}:{turn.incoming.update_id}",
            chat_id=turn.incoming.chat_id,
            reply_to_message_id=turn.incoming.message_id,
        )

    def _too_many(self, say: Say, stands: Standing) -> str:
        enough = stands.requested_waiting >= self._settings.requested_photos_waiting
        return say("photo-already-waiting") if enough else ""


def honest(say: Say, text: str, reading: AnswerReading, afterword: str, *, photo_comes: bool) -> str:
    """The answer without a promise that nobody keeps; when nothing is left of it, a true sentence instead."""
    if photo_comes or not reading.promise:
        return text
    log.info("answer.promise_taken_back")
    return reading.without_promise or afterword or say("photo-promise-taken-back")
