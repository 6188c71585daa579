"""From a written answer to the chat: sent once, or put in the place of the one before it."""

from contextlib import suppress
from dataclasses import dataclass, field

import structlog
from aiogram import Bot
from aiogram.exceptions import ClientDecodeError, TelegramAPIError, TelegramBadRequest
from aiogram.types import InlineKeyboardMarkup
from arq import ArqRedis

from bot.accounts import people
from bot.background import Background
from bot.chat.turn import Answer, Turn
from bot.dialogues import repository as dialogues
from bot.dialogues.memory import Memory
from bot.models import Message
from bot.settings import Settings
from bot.telegram.callbacks import AnswerAgain, AnswerAs, AnswerKeep, Manner, MayWrite
from bot.telegram.messages import MAX_TEXT, keyboard, send_text, split, take_buttons_away
from bot.texts import Say
from generation.orders import jobs, placing
from generation.runtime.database import Database
from generation.runtime.telegram import Unknown, meaning

log = structlog.get_logger(__name__)

#: Answers in one dialogue after which she asks whether she may write first.
OFFERED_AFTER = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplySender:
    """Sends what an `AnswerWriter` wrote down. One per process, built by `bot.app`."""

    settings: Settings
    database: Database
    redis: ArqRedis
    bot: Bot
    memory: Memory
    background: Background
    #: Answers that were sent once without a word from Telegram.
    unsure: set[int] = field(default_factory=set)

    async def send(self, turn: Turn, answer: Answer) -> None:
        """Send the words, then announce the photo, so that it never comes before them."""
        message, chat_id = answer.message, turn.incoming.chat_id
        if message.sent_at is None:
            number = await self._said(turn, message, answer)
            # Released only with the words that come before it.
            alone = answer.photo is None
            async with self.database.autocommit() if alone else self.database.unit() as session:
                before = await dialogues.mark_sent(session, message, number)
                if answer.photo is not None:
                    await placing.release(session, answer.photo.id)
            if before is not None:
                self.background(take_buttons_away(self.bot, chat_id, before))
        await self._announce(answer)
        if turn.dialogue.answers + 1 == OFFERED_AFTER and not turn.person.first_offered_at:
            self.background(self._offer(turn))
        # At once to half of it where the model's context was too small.
        budget = turn.request.history_budget // (2 if answer.is_shortened else 1)
        talked = turn.request.history_tokens + self.memory.tokens_of(message)
        if self.memory.is_due(turn.dialogue.answers + 1, talked, budget):
            self.background(self.memory.update(turn.dialogue.id, budget))

    async def _said(self, turn: Turn, message: Message, answer: Answer) -> int | None:
        """The number of the answer in the chat; None when it may be there and Telegram's word was lost twice."""
        chat_id = turn.incoming.chat_id
        try:
            number = await send_text(self.bot, chat_id, message.text, _under(answer, turn.say))
            if message.afterword:
                await send_text(self.bot, chat_id, message.afterword, answer.afterword_buttons)
        except (TelegramAPIError, ClientDecodeError) as error:
            if not isinstance(meaning(error), Unknown) or message.id not in self.unsure:
                self.unsure.add(message.id)
                raise
            log.warning("answer.counts_as_said", error=type(error).__name__)
            number = None
        self.unsure.discard(message.id)
        return number

    async def _offer(self, turn: Turn) -> None:
        """Ask once, when the two have got to know each other, whether she may write first."""
        async with self.database.autocommit() as session:
            is_due = await people.offered_to_write_first(session, turn.person.id)
        if not is_due:
            return
        yes, no = (MayWrite(may=may).pack() for may in (True, False))
        question = turn.say("writes-first-ask", name=turn.persona.name.to(turn.person.locale))
        buttons = keyboard([(turn.say("writes-first-yes"), yes), (turn.say("writes-first-no"), no)])
        with suppress(TelegramAPIError, ClientDecodeError):
            await self.bot.send_message(turn.incoming.chat_id, question, reply_markup=buttons)

    async def replace(self, turn: Turn, answer: Answer) -> None:
        """Put the new words where the old ones stand, or under them where Telegram does not let us."""
        message, chat_id = answer.message, turn.incoming.chat_id
        buttons = _under(answer, turn.say)
        if not await self._edited(chat_id, message, buttons):
            number = await send_text(self.bot, chat_id, message.text, buttons)
            async with self.database.unit() as session:
                await dialogues.mark_sent(session, message, number)
        if message.afterword:
            await send_text(self.bot, chat_id, message.afterword, answer.afterword_buttons)
        if answer.photo is not None:
            async with self.database.unit() as session:
                await placing.release(session, answer.photo.id)
            await self._announce(answer)

    async def _edited(self, chat_id: int, message: Message, buttons: InlineKeyboardMarkup) -> bool:
        if message.telegram_message_id is None or list(split(message.text, MAX_TEXT)) != [message.text]:
            return False
        try:
            await self.bot.edit_message_text(
                message.text, chat_id=chat_id, message_id=message.telegram_message_id, reply_markup=buttons
            )
        except TelegramBadRequest as error:
            return "not modified" in str(error)
        return True

    async def _announce(self, answer: Answer) -> None:
        if answer.photo is not None:
            await jobs.enqueue_render(self.redis, answer.photo, premium_head_start=self.settings.premium_head_start)


def _under(answer: Answer, say: Say) -> InlineKeyboardMarkup:
    """Another answer; or what helps, where nothing was left of it but the words that there is no photo."""
    if answer.afterword_buttons and not answer.message.afterword:
        return answer.afterword_buttons
    return another(say, answer.message.id)


def another(say: Say, message_id: int) -> InlineKeyboardMarkup:
    """The button under an answer."""
    return keyboard([(say("answer-another"), AnswerAgain(message_id=message_id).pack())])


def manners(say: Say, message_id: int) -> InlineKeyboardMarkup:
    """In which way it shall be another one."""
    choices = [(say(f"answer-{each}"), AnswerAs(message_id=message_id, manner=each).pack()) for each in Manner]
    return keyboard(choices[:2], choices[2:], [("‹", AnswerKeep(message_id=message_id).pack())])
