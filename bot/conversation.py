"""One turn of a dialogue: the person's words in, the persona's answer out, and perhaps a photo ordered.

Each step is written down before the next one begins, so a turn that was cut off goes on where it stopped
when its update is handled again: an answer that exists is not asked for twice, one that was sent is not
sent again, and the photo is ordered in the same unit of work as the answer that caused it.
"""

import random
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from aiogram import Bot
from arq import ArqRedis
from sqlalchemy.ext.asyncio import AsyncSession

from bot import context, dialogues, photos, waits
from bot.language_model import ChatMessage, LanguageModel, LanguageModelUnavailable
from bot.models import Dialogue, Message, Person, Role
from bot.people import is_premium
from bot.persona import Persona
from bot.scene import Scene, split_answer
from bot.sending import send_text
from bot.settings import Settings
from bot.texts import Say
from generation import doorbell, orders, queue
from generation.database import Database
from generation.errors import QueueFull
from generation.models import Photo, PhotoStatus
from generation.telegram import showing
from triggers import Decision, Kind, Moment, decide, draw_gap

log = structlog.get_logger(__name__)


class Background(Protocol):
    """Starts work that nobody waits for; the one supervised place of the process (`bot.app`)."""

    def __call__(self, work: Coroutine[Any, Any, None]) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Incoming:
    """What a person wrote. `wants_photo`: it came with /photo, so nothing has to be guessed."""

    update_id: int
    chat_id: int
    message_id: int
    text: str
    wants_photo: bool = False


@dataclass(kw_only=True, slots=True)
class _Turn:
    """What is known of the turn so far."""

    person: Person
    say: Say
    incoming: Incoming
    dialogue: Dialogue
    persona: Persona
    request: list[ChatMessage]
    answer: Message | None
    photo: Photo | None = None


class Conversation:
    """Answers people. One per process, built by `bot.app`."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        redis: ArqRedis,
        bot: Bot,
        language_model: LanguageModel,
        personas: dict[str, Persona],
        background: Background,
        rng: random.Random,
    ) -> None:
        self._settings = settings
        self._database = database
        self._redis = redis
        self._bot = bot
        self._language_model = language_model
        self._personas = personas
        self._background = background
        self._rng = rng
        self._summarising: set[int] = set()

    async def take_turn(self, person: Person, say: Say, incoming: Incoming) -> bool:
        """Answer what a person wrote. False when the person has not chosen a persona yet."""
        turn = await self._open(person, say, incoming)
        if turn is None:
            return False
        if turn.answer is None and incoming.wants_photo and await self._has_enough(person):
            # Said before she answers as if a photo were coming.
            await send_text(self._bot, incoming.chat_id, say("photo-already-waiting"))
            return True
        if turn.answer is None:
            try:
                async with showing(self._bot, incoming.chat_id, "typing"):
                    raw = await self._language_model.answer(turn.request)
            except LanguageModelUnavailable:
                await send_text(self._bot, incoming.chat_id, say("model-down"))
                return True
            await self._write_answer(turn, raw)
        await self._send(turn)
        return True

    async def _has_enough(self, person: Person) -> bool:
        async with self._database.unit() as session:
            waiting = await photos.on_the_way(session, person.id, requested=True)
        return waiting >= self._settings.requested_photos_waiting

    # -- steps -----------------------------------------------------------------------------------------

    async def _open(self, person: Person, say: Say, incoming: Incoming) -> _Turn | None:
        """Write the person's words down and gather what the model must know."""
        async with self._database.unit() as session:
            dialogue = await dialogues.current(session, person.id)
            if dialogue is None or dialogue.persona not in self._personas:
                return None
            if not await dialogues.of_update(session, dialogue.id, incoming.update_id, Role.PERSON):
                session.add(
                    Message(
                        dialogue_id=dialogue.id,
                        role=Role.PERSON,
                        text=incoming.text,
                        update_id=incoming.update_id,
                    )
                )
                await session.flush()
            answer = await dialogues.of_update(session, dialogue.id, incoming.update_id, Role.PERSONA)
            photo = await session.get(Photo, answer.photo_id) if answer and answer.photo_id else None
            said = await dialogues.history(session, dialogue)
        persona = self._personas[dialogue.persona]
        request = context.for_answer(
            persona,
            persona.story(dialogue.story),
            Scene.model_validate(dialogue.scene),
            dialogue.summary,
            said,
            budget=self._settings.memory_tokens,
        )
        return _Turn(
            person=person,
            say=say,
            incoming=incoming,
            dialogue=dialogue,
            persona=persona,
            request=request,
            answer=answer,
            photo=photo,
        )

    async def _write_answer(self, turn: _Turn, raw: str) -> None:
        """The answer, the scene, the decision and the order, in one unit of work."""
        text, spoken = split_answer(raw)
        async with self._database.unit() as session:
            dialogue = await session.get_one(Dialogue, turn.dialogue.id, with_for_update=True)
            turn.dialogue = dialogue
            before = Scene.model_validate(dialogue.scene)
            scene = _settled(spoken, before, turn.persona)
            moment = await self._moment(session, turn, text, spoken, changed=scene.atmosphere != before.atmosphere)
            decision = decide(moment)
            dialogue.answers += 1
            dialogue.answers_since_photo += 1
            dialogue.story_changed = False
            dialogue.scene = scene.model_dump(exclude={"action", "camera", "visual"})
            turn.answer = Message(
                dialogue_id=dialogue.id,
                role=Role.PERSONA,
                text=text or "…",
                afterword="",
                update_id=turn.incoming.update_id,
            )
            session.add(turn.answer)
            if decision.wants_photo:
                turn.answer.afterword = await self._order(session, turn, scene, decision)
                turn.answer.photo_id = turn.photo.id if turn.photo else None
            await session.flush()
        log.info("turn.answered", rule=decision.rule, kind=decision.kind, answer=moment.answer_number)

    async def _moment(
        self, session: AsyncSession, turn: _Turn, text: str, spoken: Scene | None, *, changed: bool
    ) -> Moment:
        dialogue = turn.dialogue
        return Moment(
            answer_number=dialogue.answers + 1,
            answers_since_photo=dialogue.answers_since_photo + 1,
            gap=dialogue.gap,
            seconds_since_photo=await photos.seconds_since_automatic(session, turn.person.id),
            cooldown=self._settings.photo_cooldown,
            photo_waiting=await photos.on_the_way(session, turn.person.id, requested=False) > 0,
            asked_by_command=turn.incoming.wants_photo,
            person_text=turn.incoming.text,
            answer_text=text,
            scene_visual=spoken.visual if spoken else None,
            story_changed=dialogue.story_changed,
            atmosphere_changed=changed,
        )

    async def _order(self, session: AsyncSession, turn: _Turn, scene: Scene, decision: Decision) -> str:
        """Place the order, and return what the person must be told: for a photo that was asked for, a long wait or
        a refusal. An automatic one that cannot be made is dropped quietly.
        """
        requested = decision.kind is Kind.REQUESTED
        if requested:
            waiting = await photos.on_the_way(session, turn.person.id, requested=True)
            if waiting >= self._settings.requested_photos_waiting:
                return turn.say("photo-already-waiting")
        now = await dialogues.database_now(session)
        premium = is_premium(turn.person, now, self._settings)
        wish = photos.Wish(
            person=turn.person,
            premium=premium,
            dialogue=turn.dialogue,
            persona=turn.persona,
            scene=scene,
            decision=decision,
            update_id=turn.incoming.update_id,
            chat_id=turn.incoming.chat_id,
            reply_to_message_id=turn.incoming.message_id,
        )
        try:
            turn.photo = await photos.place(session, wish, say=turn.say, settings=self._settings, rng=self._rng)
        except QueueFull as full:
            log.warning("photo.queue_full", waiting=full.waiting)
            return waits.full(turn.say, full.wait)
        if turn.photo.status is PhotoStatus.DROPPED:
            log.info("photo.dropped", why=turn.photo.error)
            turn.photo = None
            return ""
        turn.dialogue.answers_since_photo = 0
        turn.dialogue.gap = draw_gap(self._rng, premium=premium)
        if not requested:
            return ""
        wait = await queue.expected_wait(session, lease=self._settings.lease, before=turn.photo.rank_at)
        return waits.ahead(turn.say, wait)

    async def _send(self, turn: _Turn) -> None:
        """Send the words, then ring for the photo, so that it never comes before them."""
        answer = turn.answer
        if answer is None:
            return
        if answer.sent_at is None:
            await send_text(self._bot, turn.incoming.chat_id, answer.text)
            if answer.afterword:
                await send_text(self._bot, turn.incoming.chat_id, answer.afterword)
            async with self._database.unit() as session:
                await dialogues.mark_sent(session, answer.id)
                if turn.photo is not None:
                    await orders.release(session, turn.photo.id)
        if turn.photo is not None:
            await doorbell.ring(self._redis, turn.photo, premium_head_start=self._settings.premium_head_start)
        if turn.dialogue.id not in self._summarising:
            self._background(self._summarise(turn.dialogue.id))

    # -- memory ----------------------------------------------------------------------------------------

    async def _summarise(self, dialogue_id: int) -> None:
        """Fold older messages into the running summary once they no longer fit into the budget."""
        self._summarising.add(dialogue_id)
        try:
            async with self._database.unit() as session:
                dialogue = await session.get(Dialogue, dialogue_id)
                said = await dialogues.history(session, dialogue) if dialogue else []
            budget = self._settings.memory_tokens
            older = context.to_summarise(said, budget=budget)
            if dialogue is None or not older:
                return
            answer = await self._language_model.answer(
                context.for_summary(dialogue.summary, older, budget=budget * 2)
            )
            summary, _ = split_answer(answer)
            async with self._database.unit() as session:
                await dialogues.remember_summary(session, dialogue_id, summary, older[-1].id)
            log.info("dialogue.summarised", dialogue_id=dialogue_id, messages=len(older))
        except LanguageModelUnavailable:
            log.info("dialogue.not_summarised", dialogue_id=dialogue_id)
        finally:
            self._summarising.discard(dialogue_id)


def _settled(spoken: Scene | None, before: Scene, persona: Persona) -> Scene:
    """The scene after an answer; an atmosphere that the persona does not have is no change."""
    scene = (spoken or Scene()).after(before)
    if scene.atmosphere.lower() not in persona.atmospheres:
        return scene.model_copy(update={"atmosphere": before.atmosphere})
    return scene.model_copy(update={"atmosphere": scene.atmosphere.lower()})
