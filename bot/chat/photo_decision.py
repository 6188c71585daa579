"""Whether a turn gives a photo: the moment as the rules see it, and what their decision comes to.

The rules themselves are `triggers.decide`; nobody's turn is changed, the outcome is a value. A promise is
kept or taken back: an answer that speaks of a photo goes out as it is only when one is on its way.
"""

import random
from dataclasses import dataclass, field

import structlog
from aiogram.types import InlineKeyboardMarkup
from sqlalchemy.ext.asyncio import AsyncSession

from bot import metrics
from bot.accounts.photo_quota import PhotoQuota, pack_balance, photo_quota
from bot.accounts.plans import plan_of
from bot.chat.turn import Turn
from bot.models import Dialogue
from bot.personas.scene import Scene
from bot.photos.buttons import waiting_buttons
from bot.photos.orders import Wish
from bot.photos.service import PhotoService
from bot.reading.text_reader import AnswerAnalysis, PersonAnalysis
from bot.settings import Settings
from bot.texts import Say
from generation.models import Photo
from triggers import PROMISE, Decision, Kind, Moment, Witness, draw_gap

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a decision came to: the photo that was ordered, and what the person must be told beside the answer."""

    photo: Photo | None = None
    words: str = ""
    buttons: InlineKeyboardMarkup | None = None
    #: Answers until the next photo of the cadence, drawn anew with each order.
    gap: int | None = None


#: What the scene line says of a turn, by its own names (`Scene`).
QUESTIONS = ("asked", "promised", "visual")


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What a turn is taken to be."""

    asked: bool
    promised: bool
    shows: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class PhotoDecision:
    """One per process, built by `bot.app`."""

    settings: Settings
    photos: PhotoService
    rng: random.Random
    #: How far the language model is believed on each question.
    witnesses: dict[str, Witness] = field(default_factory=lambda: {name: Witness() for name in QUESTIONS})

    def judge(self, heard: PersonAnalysis, analysis: AnswerAnalysis, spoken: Scene | None) -> Judged:
        """What detectors and scene line (`spoken`) say together. Once a turn: the model's word is marked by it."""
        line = spoken or Scene()
        chances = (heard.asks_chance, analysis.promise_chance, analysis.visual_chance)
        asked, promised, shows = (
            self.witnesses[name].weigh(getattr(line, name), chance)
            for name, chance in zip(QUESTIONS, chances, strict=True)
        )
        for name, witness in self.witnesses.items():
            for answer, trust in zip(("yes", "no"), witness.trust, strict=True):
                metrics.SCENE_LINE_TRUST.labels(name, answer).set(trust)
        return Judged(asked=asked, promised=promised, shows=shows)

    async def moment(
        self,
        session: AsyncSession,
        turn: Turn,
        dialogue: Dialogue,
        analysis: AnswerAnalysis,
        *,
        judged: Judged,
        atmosphere_changed: bool,
    ) -> tuple[Moment, PhotoQuota]:
        """What the rules look at."""
        quota = await photo_quota(session, turn.person.id, dialogue_id=dialogue.id)
        allowed = plan_of(turn.person, quota.now, self.settings)
        wished = turn.incoming.wants_photo or judged.asked
        # Packs are for what the person asks for: automatic photos never use them up.
        beyond = await pack_balance(session, turn.person.id) if wished and quota.today >= allowed.daily_limit else 0
        moment = Moment(
            answer_number=dialogue.answers + 1,
            answers_since_photo=dialogue.answers_since_photo + 1,
            gap=dialogue.gap,
            # The first photo of a dialogue comes early, and waits for nothing.
            latest_gap=allowed.gap[1] if dialogue.answers > dialogue.answers_since_photo else dialogue.gap,
            seconds_since_photo=quota.seconds_since_automatic,
            cooldown=allowed.cooldown,
            photos_today=quota.today,
            daily_limit=allowed.daily_limit + beyond,
            photo_waiting=quota.automatic_waiting > 0,
            frequency=turn.person.photo_frequency,
            unwelcome=quota.unwelcome,
            asked_by_command=turn.incoming.wants_photo,
            asked=judged.asked,
            promised=judged.promised,
            shows=judged.shows,
            nearly_shows=analysis.nearly_visual,
            story_changed=dialogue.story_changed,
            atmosphere_changed=atmosphere_changed or dialogue.atmosphere_changed,
        )
        return moment, quota

    async def carry_out(
        self,
        session: AsyncSession,
        turn: Turn,
        dialogue: Dialogue,
        scene: Scene,
        decision: Decision,
        quota: PhotoQuota,
        policy_words: str,
        *,
        edited: str | None = None,
    ) -> Outcome:
        """Order what was decided.

        `edited`: where the photo lies that the person wants otherwise. `policy_words` says why the scene may not be
        drawn; an automatic photo is then dropped without a word.
        """
        if decision.kind is Kind.REFUSED:
            return await self._refused(session, turn)
        if not decision.wants_photo:
            return Outcome()
        requested = decision.kind is Kind.REQUESTED
        if requested and (words := self.photos.too_many(turn.say, quota)):
            return Outcome(words=words)
        if policy_words:
            return Outcome(words=policy_words if requested else "")
        photo, words = await self.photos.place(
            session, self._wish(turn, dialogue, scene, decision, quota, edited), turn.say
        )
        words = words if requested or decision.rule == PROMISE else ""
        if photo is None:
            return Outcome(words=words)
        return Outcome(
            photo=photo,
            words=words,
            buttons=waiting_buttons(turn.say, photo.id) if words else None,
            gap=draw_gap(self.rng, plan_of(turn.person, quota.now, self.settings).gap),
        )

    async def _refused(self, session: AsyncSession, turn: Turn) -> Outcome:
        obstacle = await self.photos.obstacle(session, turn.person, turn.say)
        told = await self.photos.told_once(session, turn.person, obstacle)
        return Outcome(words=told.words, buttons=told.buttons) if told else Outcome()

    def _wish(
        self,
        turn: Turn,
        dialogue: Dialogue,
        scene: Scene,
        decision: Decision,
        quota: PhotoQuota,
        edited: str | None,
    ) -> Wish:
        allowed = plan_of(turn.person, quota.now, self.settings)
        return Wish(
            person=turn.person,
            premium=turn.person.is_premium(quota.now, self.settings.premium_ids),
            dialogue_id=dialogue.id,
            story=dialogue.story,
            persona=turn.persona,
            scene=scene,
            decision=decision,
            cause=f"update:{dialogue.id}:{turn.incoming.update_id}",
            chat_id=turn.incoming.chat_id,
            reply_to_message_id=turn.incoming.message_id,
            from_pack=decision.kind is Kind.REQUESTED and quota.today >= allowed.daily_limit,
            edited=edited if decision.kind is Kind.REQUESTED else None,
        )


def honest(
    say: Say, text: str, analysis: AnswerAnalysis, afterword: str, *, promised: bool, photo_comes: bool
) -> str:
    """The answer without a promise that nobody keeps; when nothing is left of it, a true sentence instead."""
    if photo_comes or not (promised and analysis.promise):
        return text
    log.info("answer.promise_taken_back")
    return analysis.without_promise or afterword or say("photo-promise-taken-back")
