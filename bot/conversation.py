"""One turn of a dialogue: the person's words in, the persona's answer out, and perhaps a photo ordered.

Each step is written down before the next one begins, so a turn that was cut off goes on where it stopped
when its update is handled again: an answer that exists is not asked for twice, one that was sent is not
sent again, and the photo is ordered in the same unit of work as the answer that caused it.
"""

from collections.abc import Coroutine
from typing import Any, Protocol

import structlog
from aiogram import Bot
from arq import ArqRedis

from bot import context, dialogues, photos, staging
from bot.language_model import LanguageModel, LanguageModelUnavailable
from bot.memory import Memory
from bot.models import Dialogue, Message, Person, Role
from bot.ordering import Ordering, honest
from bot.persona import Persona
from bot.reading import PersonReading, Reader
from bot.scene import Scene, split_answer
from bot.sending import send_text
from bot.settings import Settings
from bot.standing import notice
from bot.texts import Say
from bot.turn import Incoming, Turn
from generation import doorbell, orders
from generation.database import Database
from generation.models import Photo
from generation.telegram import showing
from triggers import decide

log = structlog.get_logger(__name__)


class Background(Protocol):
    """Starts work that nobody waits for; the one supervised place of the process (`bot.app`)."""

    def __call__(self, work: Coroutine[Any, Any, None]) -> None: ...


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
        reader: Reader,
        ordering: Ordering,
        background: Background,
    ) -> None:
        self._settings = settings
        self._database = database
        self._redis = redis
        self._bot = bot
        self._language_model = language_model
        self._personas = personas
        self._reader = reader
        self._ordering = ordering
        self._background = background
        self._memory = Memory(database, language_model, budget=settings.memory_tokens)

    async def take_turn(self, person: Person, say: Say, incoming: Incoming) -> bool:
        """Answer what a person wrote. False when the person has not chosen a persona yet."""
        heard = await self._reader.person(
            incoming.text,
            by_command=incoming.wants_photo,
            explicit_allowed=photos.explicit_allowed(person, self._settings),
        )
        if heard.refusal:
            # Neither kept nor shown to the model.
            log.warning("message.refused_by_policy", why=heard.refusal)
            await send_text(self._bot, incoming.chat_id, say(f"policy-{heard.refusal}"))
            return True
        turn = await self._open(person, say, incoming, heard)
        if turn is None:
            return False
        if turn.answer is None and incoming.wants_photo and (words := await self._no_photo(person, say)):
            # Said before she answers as if a photo were coming.
            await send_text(self._bot, incoming.chat_id, words)
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

    async def _no_photo(self, person: Person, say: Say) -> str:
        async with self._database.unit() as session:
            return await self._ordering.refusal(session, person, say)

    # -- steps -----------------------------------------------------------------------------------------

    async def _open(self, person: Person, say: Say, incoming: Incoming, heard: PersonReading) -> Turn | None:
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
                await notice(session, person.id, within=self._settings.photo_noticed_within)
            answer = await dialogues.of_update(session, dialogue.id, incoming.update_id, Role.PERSONA)
            photo = await session.get(Photo, answer.photo_id) if answer and answer.photo_id else None
            said = await dialogues.history(session, dialogue)
            last_photo = await photos.last_outcome(session, dialogue.id)
            none_now = heard.asks and bool(await self._ordering.refusal(session, person, say))
        persona = self._personas[dialogue.persona]
        request = context.for_answer(
            persona,
            persona.story(dialogue.story),
            Scene.model_validate(dialogue.scene),
            dialogue.summary,
            said,
            budget=self._settings.memory_tokens,
            photos=context.of_photos(person.photo_frequency, last_photo, none_now=none_now),
        )
        return Turn(
            person=person,
            say=say,
            incoming=incoming,
            heard=heard,
            dialogue=dialogue,
            persona=persona,
            request=request,
            answer=answer,
            photo=photo,
        )

    async def _write_answer(self, turn: Turn, raw: str) -> None:
        """The answer, the scene, the decision and the order, in one unit of work."""
        text, spoken = split_answer(raw)
        reading = await self._reader.answer(text, person_text=turn.incoming.text)
        if reading.refusal:
            log.warning("answer.refused_by_policy", why=reading.refusal)
            text, spoken = turn.say("policy-answer"), None
            reading = await self._reader.answer(text, person_text="")
        # A chat's updates are handled one by one: nobody else changes its scene meanwhile.
        before = Scene.model_validate(turn.dialogue.scene)
        scene = staging.after_answer(before, spoken, reading, turn.persona, turn.heard.wish)
        refused = await self._ordering.policy(turn.person, turn.persona, turn.dialogue.story, scene, turn.say)
        async with self._database.unit() as session:
            turn.dialogue = dialogue = await session.get_one(Dialogue, turn.dialogue.id, with_for_update=True)
            moment, stands = await self._ordering.moment(
                session,
                turn,
                reading,
                spoken.visual if spoken else None,
                changed=scene.atmosphere != before.atmosphere,
            )
            decision = decide(moment)
            dialogue.answers += 1
            dialogue.answers_since_photo += 1
            dialogue.story_changed = False
            # What may not be drawn does not last either, or every later photo would be refused for it.
            dialogue.scene = before.lasting() if refused else scene.lasting()
            turn.photo, afterword = await self._ordering.carry_out(session, turn, scene, decision, stands, refused)
            comes = turn.photo is not None or (not afterword and not refused and stands.waiting_here > 0)
            text = honest(turn.say, text, reading, afterword, photo_comes=comes)
            turn.answer = Message(
                dialogue_id=dialogue.id,
                role=Role.PERSONA,
                text=text or "…",
                afterword="" if text == afterword else afterword,
                update_id=turn.incoming.update_id,
                photo_id=turn.photo.id if turn.photo else None,
            )
            session.add(turn.answer)
            await session.flush()
        log.info(
            "turn.answered",
            rule=decision.rule,
            kind=decision.kind,
            reason=decision.reason,
            answer=moment.answer_number,
        )

    async def _send(self, turn: Turn) -> None:
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
        self._background(self._memory.summarise(turn.dialogue.id))
