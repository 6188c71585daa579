"""One turn of a dialogue: the person's words in, the persona's answer out, and perhaps a photo ordered.

Each step is written down before the next one begins, so a turn that was cut off goes on where it stopped
when its update is handled again: an answer that exists is not asked for twice, one that was sent is not
sent again, and the photo is ordered in the same unit of work as the answer that caused it.

Messages that come while the answer is still being made are answered together: the one before them is left to
the next update, which is written down already.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog
from aiogram import Bot
from sqlalchemy.ext.asyncio import AsyncSession

from bot.accounts import people
from bot.accounts.photo_quota import mark_noticed
from bot.chat.answer import AnswerWriter
from bot.chat.reply import ReplySender
from bot.chat.turn import Answer, Incoming, ShownPhoto, Turn
from bot.dialogues import repository as dialogues
from bot.dialogues.model_request import gather
from bot.dialogues.repository import Recent, Talk
from bot.llm import prompts
from bot.llm.prompts import Said
from bot.models import Dialogue, Message, Person, Role
from bot.personas.catalog import PersonaCatalog
from bot.photos import orders
from bot.photos.service import PhotoService
from bot.reading.text_analysis import TextAnalyzer
from bot.reading.text_reader import PersonAnalysis
from bot.settings import Settings
from bot.telegram.callbacks import Manner
from bot.telegram.content import FORWARDED, replying, replying_to_photo
from bot.telegram.messages import send_text
from bot.texts import Say
from bot.updates.follow_ups import FollowUps
from generation.models import Photo
from generation.runtime.database import Database
from triggers.policy.ages import Whose

log = structlog.get_logger(__name__)

#: Times that one answer is written anew, by its button or because the person edited what it answers.
MOST_REWRITES = 3
#: What the model is told of how another answer shall differ.
MANNERS = {
    Manner.AGAIN: "",
    Manner.WARMER: "Answer more warmly this time, as somebody who is glad to be written to.",
    Manner.SHORTER: "Answer in one or two short sentences this time.",
    Manner.OTHER: "Talk of something else this time that fits the two of you.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversation:
    """Answers people. One per process, built by `bot.app`."""

    settings: Settings
    database: Database
    bot: Bot
    catalog: PersonaCatalog
    text_analyzer: TextAnalyzer
    photos: PhotoService
    follow_ups: FollowUps
    answers: AnswerWriter
    replies: ReplySender

    async def take_turn(self, person: Person, say: Say, incoming: Incoming) -> bool:
        """Answer what a person wrote. False when the person has not chosen a persona yet."""
        with self.follow_ups.watching(incoming.chat_id) as wrote_more:
            async with self.database.autocommit() as session:
                talk = await dialogues.talk(session, person.id)
            recent = talk.before(incoming.update_id) if talk else Recent()
            shown = await self._shown(person, incoming, talk)
            heard = await self._hear(person, incoming, recent, shown)
            if heard.refusal or heard.minor is Whose.PERSON:
                # Neither kept nor shown to the model.
                await self._refuse(person, incoming.chat_id, say, heard)
                return True
            turn = await self._open(person, say, incoming, heard, talk, recent.together) if talk else None
            if turn is None:
                return False
            quoted = "" if shown else await self._quoted(incoming)
            turn = _answering(turn, shown, quoted, sees=self.settings.llm_sees_pictures)
            if turn.earlier is None and incoming.wants_photo and await self._told_of_obstacle(turn):
                # Said before she answers as if a photo were coming.
                return True
            answer = turn.earlier or await self.answers.write(turn, wrote_more)
            if answer is None:
                return True
        await self.replies.send(turn, answer)
        return True

    async def why_not_rewrite(self, person: Person, answer_id: int) -> str:
        """The key of the words why this answer cannot be written anew; empty when it can."""
        async with self.database.unit() as session:
            dialogue = await dialogues.current(session, person.id)
            newest = await dialogues.last(session, dialogue.id) if dialogue else None
        if newest is None or newest.id != answer_id or newest.scene_before is None:
            return "stale-button"
        return "" if newest.rewrites < MOST_REWRITES else "rewrite-limit"

    async def rewrite(
        self, person: Person, say: Say, chat_id: int, answer_id: int, manner: Manner = Manner.AGAIN
    ) -> bool:
        """Write another answer in place of the last one. False when it is not the last one any more."""
        turn = await self._reopen(person, say, chat_id, answer_id, manner)
        if turn is None:
            return False
        if turn.heard.refusal:
            await self._refuse(person, chat_id, say, turn.heard)
            return True
        if answer := await self.answers.write(turn, None):
            await self.replies.replace(turn, answer)
        return True

    async def correct(self, person: Person, say: Say, chat_id: int, message_id: int, text: str) -> None:
        """The person edited a message: it counts as it reads now, and the last answer is written anew for it."""
        async with self.database.unit() as session:
            dialogue = await dialogues.current(session, person.id)
            message = await dialogues.of_chat(session, dialogue.id, message_id) if dialogue else None
            newest = await dialogues.last(session, dialogue.id) if dialogue else None
            answered = await dialogues.asked(session, newest) if newest and newest.role is Role.PERSONA else []
        if message is None or message.text == text:
            return
        is_answered = message.id in {each.id for each in answered}
        # Judged with what it was answered together with, in the order in which it was said.
        whole = [text if each.id == message.id else each.text for each in answered] if is_answered else [text]
        incoming = Incoming(update_id=0, chat_id=chat_id, message_id=message_id, text=whole[-1])
        minor_said = dialogue is not None and dialogue.minor_said_at is not None
        heard = await self._hear(person, incoming, Recent(together=whole[:-1], minor_said=minor_said))
        if heard.refusal or heard.minor is Whose.PERSON:
            await self._refuse(person, chat_id, say, heard)
            return
        async with self.database.unit() as session:
            (await session.get_one(Message, message.id)).text = text
            if heard.minor is Whose.PERSONA:
                await dialogues.note_minor(session, person.id)
        if newest is None or not is_answered:
            return
        if newest.rewrites < MOST_REWRITES:
            await self.rewrite(person, say, chat_id, newest.id)
        else:
            await send_text(self.bot, chat_id, say("rewrite-limit"))

    # -- steps -----------------------------------------------------------------------------------------

    async def _quoted(self, incoming: Incoming) -> str:
        """The words that are replied to, unless they are of a kind that is not shown to the model."""
        words = incoming.reply.words if incoming.reply else ""
        return "" if words and await self.text_analyzer.refusal_of(words) else words

    async def _shown(self, person: Person, incoming: Incoming, talk: Talk | None) -> ShownPhoto | None:
        """The photo of this talk that the person replies to."""
        if talk is None or incoming.reply is None or incoming.reply.by_person:
            return None
        async with self.database.autocommit() as session:
            found = await orders.of_message(
                session, person, talk.dialogue.id, incoming.reply.message_id, self.settings
            )
        return ShownPhoto(scene=found[0], object_key=found[1]) if found else None

    async def _hear(
        self, person: Person, incoming: Incoming, recent: Recent, shown: ShownPhoto | None = None
    ) -> PersonAnalysis:
        """What was written in several messages counts as one text, for wishes and for the policy."""
        return await self.text_analyzer.person(
            "\n".join((*recent.together, incoming.text)),
            by_command=incoming.wants_photo,
            explicit_allowed=orders.explicit_allowed(person, self.settings),
            before=(*recent.said, incoming.reply.words) if incoming.reply else recent.said,
            minor_said=recent.minor_said,
            after_photo=recent.after_photo,
            of_photo=shown is not None,
        )

    async def _refuse(self, person: Person, chat_id: int, say: Say, heard: PersonAnalysis) -> None:
        if heard.minor is Whose.PERSON:
            # As if the question of age had been answered with no: /start asks it again.
            log.warning("person.under_age_by_own_word")
            async with self.database.unit() as session:
                await people.under_age(session, person.id)
            await send_text(self.bot, chat_id, say("age-refused"))
            return
        log.warning("message.refused_by_policy", why=heard.refusal)
        if heard.minor is not None:
            async with self.database.unit() as session:
                await dialogues.note_minor(session, person.id)
        await send_text(self.bot, chat_id, say(f"policy-{heard.refusal}"))

    async def _told_of_obstacle(self, turn: Turn) -> bool:
        async with self.database.unit() as session:
            obstacle = await self.photos.obstacle(session, turn.person, turn.say)
            told = await self.photos.told_once(session, turn.person, obstacle)
        if told is not None:
            await send_text(self.bot, turn.incoming.chat_id, told.words, told.buttons)
        return told is not None

    async def _open(
        self,
        person: Person,
        say: Say,
        incoming: Incoming,
        heard: PersonAnalysis,
        talk: Talk,
        together: Sequence[str],
    ) -> Turn | None:
        """Write the person's words down and gather what the model must know.

        Each statement stands for itself, so each can come twice.
        """
        dialogue, history = talk.dialogue, talk.history
        async with self.database.autocommit() as session:
            persona = await self.catalog.find(session, dialogue.persona, person.id)
            if persona is None:
                return None
            if talk.number_of(Role.PERSON, incoming.update_id) is None:
                said = await _written_down(session, dialogue, incoming)
                if said is None:
                    return None
                history.append(said)
            if talk.is_unnoticed:
                await mark_noticed(session, person.id)
            if heard.minor is Whose.PERSONA:
                await dialogues.note_minor(session, person.id)
                dialogue.minor_said_at = dialogue.minor_said_at or datetime.now(UTC)
            answered = talk.number_of(Role.PERSONA, incoming.update_id)
            answer = await session.get(Message, answered) if answered else None
            photo = await session.get(Photo, answer.photo_id) if answer and answer.photo_id else None
            none_now = heard.asks and await self.photos.obstacle(session, person, say) is not None
            request = await gather(
                session,
                self.settings,
                self.answers.language_model,
                person,
                dialogue,
                persona,
                history,
                no_photo_now=none_now,
                person_name=people.name_for_model(incoming.name),
            )
        return Turn(
            person=person,
            say=say,
            incoming=incoming,
            heard=heard,
            dialogue=dialogue,
            persona=persona,
            request=request,
            earlier=Answer(message=answer, photo=photo) if answer else None,
            together=together,
        )

    async def _reopen(self, person: Person, say: Say, chat_id: int, answer_id: int, manner: Manner) -> Turn | None:
        """The turn of the last answer once more, as it was before that answer."""
        async with self.database.unit() as session:
            dialogue = await dialogues.current(session, person.id)
            answer = await dialogues.last(session, dialogue.id) if dialogue else None
            if dialogue is None or answer is None or answer.id != answer_id or answer.scene_before is None:
                return None
            persona = await self.catalog.find(session, dialogue.persona, person.id)
            asked = await dialogues.asked(session, answer)
            if persona is None or not asked:
                return None
            # For this turn only: the rows change with the new answer, if there is one.
            session.expunge(dialogue)
            dialogue.scene = answer.scene_before
            photo = await session.get(Photo, answer.photo_id) if answer.photo_id else None
            said = await dialogues.history(session, dialogue)
            model = self.answers.language_model
            request = await gather(
                session,
                self.settings,
                model,
                person,
                dialogue,
                persona,
                said,
                instead_of=answer,
                manner=MANNERS[manner],
            )
        *together, last = [each.text for each in asked]
        incoming = Incoming(
            update_id=answer.update_id or 0,
            chat_id=chat_id,
            message_id=asked[-1].telegram_message_id or 0,
            text=last,
        )
        return Turn(
            person=person,
            say=say,
            incoming=incoming,
            heard=await self._hear(
                person, incoming, Recent(together=together, minor_said=dialogue.minor_said_at is not None)
            ),
            dialogue=dialogue,
            persona=persona,
            request=request,
            earlier=Answer(message=answer, photo=photo),
            rewrites=True,
            together=together,
        )


def _answering(turn: Turn, shown: ShownPhoto | None, quoted: str, *, sees: bool) -> Turn:
    """The turn with what the person replies to, passes on, or shows, as the model is told of it."""
    incoming, note = turn.incoming, ""
    if shown is not None:
        scene = shown.scene
        note = replying_to_photo(", ".join(filter(None, (scene.action, scene.outfit, scene.place))))
    elif incoming.reply is not None:
        note = replying(quoted, by_person=incoming.reply.by_person)
    elif incoming.is_forwarded:
        note = FORWARDED
    *messages, last = turn.request.messages
    messages.append({**last, "content": f"{note}\n{last['content']}"} if note else last)
    if incoming.picture and sees:
        messages = prompts.with_picture(messages, incoming.picture)
    return replace(turn, shown=shown, request=replace(turn.request, messages=messages))


async def _written_down(session: AsyncSession, dialogue: Dialogue, incoming: Incoming) -> Said | None:
    """What the person said, as a part of the talk; None when that has ended meanwhile."""
    number = await dialogues.write_down(
        session,
        dialogue.id,
        incoming.text,
        update_id=incoming.update_id,
        telegram_message_id=incoming.message_id,
    )
    return None if number is None else Said(number, True, incoming.text, None)
