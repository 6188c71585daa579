"""From a turn to a written answer: the model is asked; answer, scene and photo order are one unit of work."""

import asyncio
import time

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from bot.accounts import invitations
from bot.accounts.photo_quota import NOTHING_CAME
from bot.chat import scene_continuity
from bot.chat.turn import Turn
from bot.dialogues import repository as dialogues
from bot.dialogues.repository import MOST_TOGETHER
from bot.llm import prompts
from bot.llm.client import LanguageModelUnavailable
from bot.llm.text_analysis import AnswerAnalysis
from bot.models import Dialogue, Message, Role
from bot.parts import Parts
from bot.personas.scene import Scene, split_answer
from bot.photos.service import honest
from bot.telegram.messages import send_text
from generation.runtime.telegram import showing
from triggers import decide

log = structlog.get_logger(__name__)


class AnswerWriter:
    """Part of `bot.chat.conversation.Conversation`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._settings = parts.settings
        self._database = parts.database
        self._bot = parts.bot
        self._text_analyzer = parts.text_analyzer
        self._ordering = parts.ordering

    async def answer(self, turn: Turn, more: asyncio.Event | None) -> bool:
        """Have the model answer and write that down. False when there is none, for one of two good reasons.

        The person wrote more meanwhile (`more`), and the next answer is for both; or the model is away.
        """
        chat_id = turn.incoming.chat_id
        gives_way = more if self._may_give_way(turn) else None
        if gives_way and await self._parts.follow_ups.waiting(chat_id, after=turn.incoming.update_id):
            await self._await_joint_answer(turn)
            return False
        began = time.perf_counter()
        try:
            async with showing(self._bot, chat_id, "typing"):
                raw = await self._ask(turn, gives_way)
                if raw is not None and not split_answer(raw)[0]:
                    # A scene line and not a word: once more.
                    raw = await self._ask(turn, gives_way)
        except LanguageModelUnavailable:
            await send_text(self._bot, chat_id, turn.say("went-wrong" if turn.rewrites else "model-down"))
            return False
        if raw is None:
            await self._await_joint_answer(turn)
            return False
        turn.model_seconds = time.perf_counter() - began
        await self._write_answer(turn, raw)
        return True

    def _may_give_way(self, turn: Turn) -> bool:
        plain = not turn.incoming.wants_photo and turn.incoming.picture is None
        return plain and len(turn.together) + 1 < MOST_TOGETHER

    async def _ask(self, turn: Turn, gives_way: asyncio.Event | None) -> str | None:
        """The model's answer, shown while it is written; None when the person wrote more before it was done."""
        model, chat_id = self._parts.language_model, turn.incoming.chat_id
        if turn.rewrites:
            # No message follows that would take a draft away.
            return await model.answer(turn.request)
        async with self._parts.drafts.showing(chat_id, turn.incoming.message_id or 1) as on_text:
            answering = asyncio.create_task(model.answer(turn.request, on_text))
            wrote_more = asyncio.create_task(self._more(turn, gives_way))
            try:
                await asyncio.wait({answering, wrote_more}, return_when=asyncio.FIRST_COMPLETED)
                return answering.result() if answering.done() else None
            finally:
                for task in (answering, wrote_more):
                    task.cancel()
                await asyncio.gather(answering, wrote_more, return_exceptions=True)

    async def _more(self, turn: Turn, gives_way: asyncio.Event | None) -> None:
        """Until the person's next update is more talk, which the next answer will be for as well."""
        if gives_way is None:
            await asyncio.Event().wait()
            return
        while True:
            await gives_way.wait()
            gives_way.clear()
            if await self._parts.follow_ups.waiting(turn.incoming.chat_id, after=turn.incoming.update_id):
                return

    async def _await_joint_answer(self, turn: Turn) -> None:
        async with self._database.unit() as session:
            await dialogues.await_joint_answer(session, turn.dialogue.id, turn.incoming.update_id)
        log.info("turn.left_to_next")

    async def _write_answer(self, turn: Turn, raw: str) -> None:
        """The answer, the scene, the decision and the order, in one unit of work."""
        text, spoken, reading, replaced = await self._read(turn, raw)
        # A chat's updates are handled one by one: nobody else changes its scene meanwhile.
        before = Scene.model_validate(turn.dialogue.scene)
        scene = scene_continuity.after_answer(before, spoken, reading, turn.persona, turn.heard.wish)
        refused = await self._ordering.policy(turn.person, turn.persona, turn.dialogue.story, scene, turn.say)
        async with self._database.unit() as session:
            turn.dialogue = dialogue = await session.get_one(Dialogue, turn.dialogue.id, with_for_update=True)
            moment, quota = await self._ordering.moment(
                session,
                turn,
                reading,
                spoken.visual if spoken else None,
                changed=scene.atmosphere != before.atmosphere,
            )
            decision = decide(moment)
            if not turn.rewrites:
                dialogue.answers += 1
                dialogue.answers_since_photo += 1
            dialogue.story_changed = dialogue.atmosphere_changed = False
            # What may not be drawn does not last either, or every later photo would be refused for it.
            dialogue.scene = before.lasting() if refused else scene.lasting()
            afterword = ""
            if turn.photo is None and not replaced:
                # An answer that is written anew keeps the photo that came with the one before.
                turn.photo, afterword = await self._ordering.carry_out(
                    session, turn, scene, decision, quota, refused
                )
            comes = (turn.photo is not None and turn.photo.status not in NOTHING_CAME) or (
                not afterword and not refused and quota.waiting_here > 0
            )
            text = honest(turn.say, text, reading, afterword, photo_comes=comes)
            answer = await self._row(session, turn)
            answer.text = text or "…"
            answer.afterword = "" if text == afterword else afterword
            answer.photo_id = turn.photo.id if turn.photo else None
            answer.scene_before = before.lasting()
            answer.model_seconds = turn.model_seconds
            await session.flush()
            turn.answer = answer
            if not turn.rewrites:
                await invitations.thank(session, turn.person, dialogue, self._settings)
        log.info(
            "turn.answered",
            rule=decision.rule,
            kind=decision.kind,
            reason=decision.reason,
            answer=moment.answer_number,
        )

    async def _read(self, turn: Turn, raw: str) -> tuple[str, Scene | None, AnswerAnalysis, bool]:
        """The words, the scene line, what they say; and whether a harmless sentence replaced them all."""
        text, spoken = split_answer(raw)
        reading = await self._text_analyzer.answer(text, person_text=turn.said)
        gave_away = prompts.gives_away(text)
        if not reading.refusal and not gave_away:
            return text, spoken, reading, False
        log.warning("answer.refused_by_policy", why=reading.refusal or "instructions")
        text = turn.say("policy-answer")
        return text, None, await self._text_analyzer.answer(text, person_text=""), True

    async def _row(self, session: AsyncSession, turn: Turn) -> Message:
        if turn.rewrites and turn.answer:
            return await session.get_one(Message, turn.answer.id)
        answer = Message(
            dialogue_id=turn.dialogue.id, role=Role.PERSONA, text="", update_id=turn.incoming.update_id
        )
        session.add(answer)
        return answer
