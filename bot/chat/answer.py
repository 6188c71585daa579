"""From a turn to a written answer: the model is asked; answer, scene and photo order are one unit of work."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import structlog
from aiogram import Bot
from sqlalchemy import func
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
from bot.llm.metered import MeteredModel, OverBudget
from bot.llm.profiles import ChatMessage
from bot.llm.question import Completion, LanguageModelUnavailable
from bot.models import Dialogue, Message, Role
from bot.personas.repetition import is_repeated, without_loop
from bot.personas.scene import Scene
from bot.personas.speech import split_answer, whole_sentences
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
                spoken = await self._usable(turn, interruption)
        except OverBudget:
            await self._tell_of_budget(turn)
            return None
        except LanguageModelUnavailable as error:
            await send_text(self.bot, chat_id, turn.say(_excuse(turn, error)))
            return None
        if spoken is None:
            await self._await_joint_answer(turn)
            return None
        return await self._write_down(turn, spoken, model_seconds=time.perf_counter() - began)

    def _may_give_way(self, turn: Turn) -> bool:
        plain = not turn.incoming.wants_photo and turn.incoming.picture is None
        return plain and len(turn.together) + 1 < MOST_TOGETHER

    async def _usable(self, turn: Turn, interruption: asyncio.Event | None) -> "_Spoken | None":
        """An answer with words in it, and not those of the last ones; asked for once more at most."""
        spoken = _spoken(turn, await self._ask(turn, turn.request.messages, interruption))
        if spoken and (messages := _asked_anew(turn, spoken)):
            spoken = _spoken(turn, await self._ask(turn, messages, interruption, again=True))
        if spoken and not spoken.words and spoken.said.finish != "filter":
            raise LanguageModelUnavailable("no words")
        return spoken

    async def _ask(
        self, turn: Turn, messages: list[ChatMessage], interruption: asyncio.Event | None, *, again: bool = False
    ) -> Completion | None:
        """The model's answer, shown while it is written; None when the person wrote more before it was done."""
        chat_id = turn.incoming.chat_id
        ask = partial(
            self.language_model.answer,
            turn.person.id,
            messages,
            structured=turn.request.is_structured,
            again=again,
        )
        if turn.rewrites:
            # No message follows that would take a draft away.
            return await ask()
        async with self.drafts.showing(chat_id, turn.incoming.message_id or 1, turn.persona.names) as on_text:
            answering = asyncio.create_task(ask(on_text=on_text))
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
        async with self.database.autocommit() as session:
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

    async def _write_down(self, turn: Turn, answered: "_Spoken", *, model_seconds: float) -> Answer:
        """The answer, the scene, the decision and the order, in one unit of work."""
        text, spoken, analysis, replaced = await self._read(turn, answered)
        # A chat's updates are handled one by one: nobody else changes its scene meanwhile.
        before = Scene.model_validate(turn.dialogue.scene)
        judged = self.decision.judge(turn.heard, analysis, spoken)
        wish = turn.heard.wish if judged.asked or turn.incoming.wants_photo else NOTHING
        scene = scene_continuity.after_answer(before, spoken, analysis, turn.persona, wish)
        drawn = scene
        edited = turn.shown.object_key if turn.shown and wish != NOTHING else None
        if turn.shown and wish != NOTHING:
            # Of another hour or place, perhaps: the talk stays where it is.
            drawn = scene_continuity.retaken(turn.shown.scene, spoken, analysis, wish)
        refused = await self._why_not_drawn(turn, drawn, asked=judged.asked)
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
                outcome = await self.decision.carry_out(
                    session, turn, dialogue, drawn, decision, quota, refused, edited=edited
                )
            # What may not be drawn does not last either, or every later photo would be refused for it.
            dialogue.scene = before.lasting() if refused else scene.lasting()
            _count(dialogue, outcome, rewrites=turn.rewrites)
            dialogue.said_at = func.now()
            comes = (outcome.photo is not None and outcome.photo.status not in NOTHING_CAME) or (
                not outcome.words and not refused and quota.waiting_here > 0
            )
            text = honest(turn.say, text, analysis, outcome.words, promised=judged.promised, photo_comes=comes)
            message = await self._row(session, turn)
            message.text = text or "…"
            message.afterword = "" if text == outcome.words else outcome.words
            message.photo_id = outcome.photo.id if outcome.photo else None
            message.scene_before = before.lasting()
            message.scene = before.lasting() if refused else scene.model_dump(exclude_none=True)
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
        return Answer(
            message=message,
            photo=outcome.photo,
            is_shortened=answered.said.is_shortened,
            afterword_buttons=outcome.buttons,
        )

    async def _why_not_drawn(self, turn: Turn, scene: Scene, *, asked: bool) -> str:
        """Why this turn's photo may not be made, in words; empty when it may."""
        if turn.dialogue.minor_said_at:
            return turn.say("policy-minors")
        if asked and turn.heard.refusal_of_wish:
            # The detector had not heard a wish, and the model did.
            return turn.say(f"policy-{turn.heard.refusal_of_wish}")
        return await self.photos.refusal(turn.person, turn.persona, turn.dialogue.story, scene, turn.say)

    async def _read(self, turn: Turn, spoken: "_Spoken") -> tuple[str, Scene | None, AnswerAnalysis, bool]:
        """The words, the scene line, what they say; and whether a harmless sentence replaced them all."""
        text = spoken.words
        analysis = await self.text_analyzer.answer(text, person_text=turn.said)
        gave_away = prompts.gives_away(text)
        filtered = spoken.said.finish == "filter"
        if not analysis.refusal and not gave_away and not filtered:
            return text, spoken.scene, analysis, False
        why = "the server's filter" if filtered else analysis.refusal or "instructions"
        log.warning("answer.refused_by_policy", why=why)
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


@dataclass(frozen=True, slots=True)
class _Spoken:
    """What the model said, and what of it are words and scene."""

    said: Completion
    words: str
    scene: Scene | None


def _spoken(turn: Turn, said: Completion | None) -> _Spoken | None:
    """The words and the scene line of what the model said; of an answer that was cut off, its whole sentences."""
    if said is None:
        return None
    words, scene = split_answer(said.text, turn.persona.names)
    if said.finish in {"loop", "length"}:
        words = without_loop(words)
    if said.is_cut and scene is None:
        # Whoever saw it growing keeps what was said; half a word is better than none where the limit cut it.
        words = whole_sentences(words) or ("" if said.finish in {"timeout", "broken"} else words)
    return _Spoken(said, words, scene)


def _asked_anew(turn: Turn, spoken: _Spoken) -> list[ChatMessage]:
    """The request with which the model is asked once more; empty when it need not be."""
    words = spoken.words
    if spoken.said.finish in {"filter", "timeout", "broken"}:
        return []
    if not words:
        # A scene line and not a word.
        return turn.request.messages
    before = (*turn.request.said_before, *((turn.earlier.message.text,) if turn.earlier else ()))
    repeated = is_repeated(words, before)
    if repeated:
        log.info("answer.repeated")
    return prompts.once_more(turn.request, repeated) if repeated else []


def _excuse(turn: Turn, error: LanguageModelUnavailable) -> str:
    """The key of the words for an answer that did not come."""
    if error.lasts:
        return "model-later"
    return "went-wrong" if turn.rewrites else "model-down"


def _count(dialogue: Dialogue, outcome: Outcome, *, rewrites: bool) -> None:
    """The dialogue's counters after an answer; an answer that is written anew counts once."""
    if not rewrites:
        dialogue.answers += 1
        dialogue.answers_since_photo += 1
    if outcome.gap is not None:
        dialogue.answers_since_photo = 0
        dialogue.gap = outcome.gap
    dialogue.story_changed = dialogue.atmosphere_changed = False
