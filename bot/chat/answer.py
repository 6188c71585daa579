"""From a turn to a written answer: the model is asked; answer, scene and photo order are one unit of work."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from aiogram import Bot
from sqlalchemy.ext.asyncio import AsyncSession

from bot.accounts import invitations
from bot.accounts.photo_quota import NOTHING_CAME
from bot.chat import scene_continuity
from bot.chat.drafts import Drafts
from bot.chat.photo_decision import Outcome, PhotoDecision, honest
from bot.chat.turn import Answer, Turn
from bot.dialogues import repository as dialogues
from bot.dialogues.repository import MOST_TOGETHER
from bot.llm import prompts
from bot.llm.client import LanguageModelUnavailable
from bot.llm.metered import MeteredModel, OverBudget
from bot.models import Dialogue, Message, Role
from bot.personas.scene import Scene
from bot.personas.speech import split_answer
from bot.photos.service import PhotoService
from bot.reading.text_analysis import TextAnalyzer
from bot.reading.text_reader import AnswerAnalysis
from bot.settings import Settings
from bot.telegram.callbacks import ShowPremium
from bot.telegram.messages import keyboard, send_text
from bot.updates.follow_ups import FollowUps
from generation.runtime.database import Database
from generation.runtime.telegram import showing
from triggers import decide
from triggers.text.visuals import NOTHING

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerWriter:
    """Asks the model and writes down what it said. One per process, built by `bot.app`."""

    settings: Settings
    database: Database
    bot: Bot
    language_model: MeteredModel
    text_analyzer: TextAnalyzer
    photos: PhotoService
    decision: PhotoDecision
    drafts: Drafts
    follow_ups: FollowUps

    async def write(self, turn: Turn, wrote_more: asyncio.Event | None) -> Answer | None:
        """Have the model answer and write that down.

        None when there is no answer yet: the person wrote more meanwhile (`wrote_more`) and the next answer is for
        both, or the model is away, or the day's budget is used, and the person was told so.
        """
        chat_id = turn.incoming.chat_id
        interruption = wrote_more if self._may_give_way(turn) else None
        if interruption and await self.follow_ups.waiting(chat_id, after=turn.incoming.update_id):
            await self._await_joint_answer(turn)
            return None
        began = time.perf_counter()
        try:
            async with showing(self.bot, chat_id, "typing"):
                raw = await self._ask(turn, interruption)
                if raw is not None and not split_answer(raw, turn.persona.names)[0]:
                    # A scene line and not a word: once more.
                    raw = await self._ask(turn, interruption)
        except OverBudget:
            await self._tell_of_budget(turn)
            return None
        except LanguageModelUnavailable:
            await send_text(self.bot, chat_id, turn.say("went-wrong" if turn.rewrites else "model-down"))
            return None
        if raw is None:
            await self._await_joint_answer(turn)
            return None
        return await self._write_down(turn, raw, model_seconds=time.perf_counter() - began)

    def _may_give_way(self, turn: Turn) -> bool:
        plain = not turn.incoming.wants_photo and turn.incoming.picture is None
        return plain and len(turn.together) + 1 < MOST_TOGETHER

    async def _ask(self, turn: Turn, interruption: asyncio.Event | None) -> str | None:
        """The model's answer, shown while it is written; None when the person wrote more before it was done."""
        model, chat_id = self.language_model, turn.incoming.chat_id
        if turn.rewrites:
            # No message follows that would take a draft away.
            return await model.answer(turn.person.id, turn.request)
        async with self.drafts.showing(chat_id, turn.incoming.message_id or 1, turn.persona.names) as on_text:
            answering = asyncio.create_task(model.answer(turn.person.id, turn.request, on_text))
            interrupted = asyncio.create_task(self._wrote_more(turn, interruption))
            try:
                await asyncio.wait({answering, interrupted}, return_when=asyncio.FIRST_COMPLETED)
                return answering.result() if answering.done() else None
            finally:
                for task in (answering, interrupted):
                    task.cancel()
                await asyncio.gather(answering, interrupted, return_exceptions=True)

    async def _wrote_more(self, turn: Turn, interruption: asyncio.Event | None) -> None:
        """Until the person's next update is more talk, which the next answer will be for as well."""
        if interruption is None:
            await asyncio.Event().wait()
            return
        while True:
            await interruption.wait()
            interruption.clear()
            if await self.follow_ups.waiting(turn.incoming.chat_id, after=turn.incoming.update_id):
                return

    async def _await_joint_answer(self, turn: Turn) -> None:
        async with self.database.unit() as session:
            await dialogues.await_joint_answer(session, turn.dialogue.id, turn.incoming.update_id)
        log.info("turn.awaits_joint_answer")

    async def _tell_of_budget(self, turn: Turn) -> None:
        """What was written is kept: the first answer after the limit is for it as well."""
        now = datetime.now(UTC)
        premium = turn.person.is_premium(now, self.settings.premium_ids)
        buttons = None if premium else keyboard([(turn.say("button-premium"), ShowPremium().pack())])
        await send_text(self.bot, turn.incoming.chat_id, turn.say("talk-limit"), buttons)
        if not turn.rewrites:
            await self._await_joint_answer(turn)

    async def _write_down(self, turn: Turn, raw: str, *, model_seconds: float) -> Answer:
        """The answer, the scene, the decision and the order, in one unit of work."""
        text, spoken, analysis, replaced = await self._read(turn, raw)
        # A chat's updates are handled one by one: nobody else changes its scene meanwhile.
        before = Scene.model_validate(turn.dialogue.scene)
        judged = self.decision.judge(turn.heard, analysis, spoken)
        wish = turn.heard.wish if judged.asked or turn.incoming.wants_photo else NOTHING
        scene = scene_continuity.after_answer(before, spoken, analysis, turn.persona, wish)
        refused = await self._why_not_drawn(turn, scene, asked=judged.asked)
        async with self.database.unit() as session:
            dialogue = await session.get_one(Dialogue, turn.dialogue.id, with_for_update=True)
            moment, quota = await self.decision.moment(
                session,
                turn,
                dialogue,
                analysis,
                judged=judged,
                atmosphere_changed=scene.atmosphere != before.atmosphere,
            )
            decision = decide(moment)
            outcome = Outcome(photo=turn.earlier.photo if turn.earlier else None)
            if outcome.photo is None and not replaced:
                # An answer that is written anew keeps the photo that came with the one before.
                outcome = await self.decision.carry_out(session, turn, dialogue, scene, decision, quota, refused)
            # What may not be drawn does not last either, or every later photo would be refused for it.
            dialogue.scene = before.lasting() if refused else scene.lasting()
            _count(dialogue, outcome, rewrites=turn.rewrites)
            comes = (outcome.photo is not None and outcome.photo.status not in NOTHING_CAME) or (
                not outcome.words and not refused and quota.waiting_here > 0
            )
            text = honest(turn.say, text, analysis, outcome.words, promised=judged.promised, photo_comes=comes)
            message = await self._row(session, turn)
            message.text = text or "…"
            message.afterword = "" if text == outcome.words else outcome.words
            message.photo_id = outcome.photo.id if outcome.photo else None
            message.scene_before = before.lasting()
            message.model_seconds = model_seconds
            await session.flush()
            if not turn.rewrites:
                await invitations.thank(session, turn.person, dialogue, self.settings)
        log.info(
            "turn.answered",
            rule=decision.rule,
            kind=decision.kind,
            reason=decision.reason,
            answer=moment.answer_number,
        )
        return Answer(message=message, photo=outcome.photo, afterword_buttons=outcome.buttons)

    async def _why_not_drawn(self, turn: Turn, scene: Scene, *, asked: bool) -> str:
        """Why this turn's photo may not be made, in words; empty when it may."""
        if turn.dialogue.minor_said_at:
            return turn.say("policy-minors")
        if asked and turn.heard.refusal_of_wish:
            # The detector had not heard a wish, and the model did.
            return turn.say(f"policy-{turn.heard.refusal_of_wish}")
        return await self.photos.refusal(turn.person, turn.persona, turn.dialogue.story, scene, turn.say)

    async def _read(self, turn: Turn, raw: str) -> tuple[str, Scene | None, AnswerAnalysis, bool]:
        """The words, the scene line, what they say; and whether a harmless sentence replaced them all."""
        text, spoken = split_answer(raw, turn.persona.names)
        analysis = await self.text_analyzer.answer(text, person_text=turn.said)
        gave_away = prompts.gives_away(text)
        if not analysis.refusal and not gave_away:
            return text, spoken, analysis, False
        log.warning("answer.refused_by_policy", why=analysis.refusal or "instructions")
        text = turn.say("policy-answer")
        return text, None, await self.text_analyzer.answer(text, person_text=""), True

    async def _row(self, session: AsyncSession, turn: Turn) -> Message:
        if turn.rewrites and turn.earlier:
            written_anew = await session.get_one(Message, turn.earlier.message.id)
            written_anew.rewrites += 1
            return written_anew
        answer = Message(
            dialogue_id=turn.dialogue.id, role=Role.PERSONA, text="", update_id=turn.incoming.update_id
        )
        session.add(answer)
        return answer


def _count(dialogue: Dialogue, outcome: Outcome, *, rewrites: bool) -> None:
    """The dialogue's counters after an answer; an answer that is written anew counts once."""
    if not rewrites:
        dialogue.answers += 1
        dialogue.answers_since_photo += 1
    if outcome.gap is not None:
        dialogue.answers_since_photo = 0
        dialogue.gap = outcome.gap
    dialogue.story_changed = dialogue.atmosphere_changed = False
