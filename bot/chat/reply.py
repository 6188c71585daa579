"""From a written answer to the chat: sent once, or put in the place of the one before it."""

from aiogram.exceptions import TelegramBadRequest
from aiogram.types import InlineKeyboardMarkup

from bot.chat.turn import Turn
from bot.dialogues import repository as dialogues
from bot.dialogues.memory import Memory
from bot.models import Message
from bot.parts import Parts
from bot.telegram.callbacks import AnswerAgain
from bot.telegram.messages import MAX_TEXT, keyboard, send_text, split, take_buttons_away
from generation.orders import jobs, placing


class ReplySender:
    """Part of `bot.chat.conversation.Conversation`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._settings = parts.settings
        self._database = parts.database
        self._bot = parts.bot
        self._memory = Memory(parts.database, parts.language_model, parts.text_analyzer, parts.settings)

    async def send(self, turn: Turn) -> None:
        """Send the words, then ring for the photo, so that it never comes before them."""
        answer = turn.answer
        if answer is None:
            return
        chat_id = turn.incoming.chat_id
        if answer.sent_at is None:
            number = await send_text(self._bot, chat_id, answer.text, self._under(turn, answer))
            if answer.afterword:
                await send_text(self._bot, chat_id, answer.afterword, turn.afterword_buttons)
            async with self._database.unit() as session:
                before = await dialogues.mark_sent(session, answer, number)
                if turn.photo is not None:
                    await placing.release(session, turn.photo.id)
            if before is not None:
                self._parts.background(take_buttons_away(self._bot, chat_id, before))
        await self._ring(turn)
        self._parts.background(self._memory.tend(turn.dialogue.id))

    async def replace(self, turn: Turn) -> None:
        """Put the new words where the old ones stand, or under them where Telegram does not let us."""
        answer, chat_id = turn.answer, turn.incoming.chat_id
        if answer is None:
            return
        buttons = self._under(turn, answer)
        if not await self._edited(chat_id, answer, buttons):
            number = await send_text(self._bot, chat_id, answer.text, buttons)
            async with self._database.unit() as session:
                await dialogues.mark_sent(session, answer, number)
        if answer.afterword:
            await send_text(self._bot, chat_id, answer.afterword, turn.afterword_buttons)
        if turn.photo is not None:
            async with self._database.unit() as session:
                await placing.release(session, turn.photo.id)
            await self._ring(turn)

    async def _edited(self, chat_id: int, answer: Message, buttons: InlineKeyboardMarkup) -> bool:
        if answer.telegram_message_id is None or list(split(answer.text, MAX_TEXT)) != [answer.text]:
            return False
        try:
            await self._bot.edit_message_text(
                answer.text, chat_id=chat_id, message_id=answer.telegram_message_id, reply_markup=buttons
            )
        except TelegramBadRequest as error:
            return "not modified" in str(error)
        return True

    async def _ring(self, turn: Turn) -> None:
        if turn.photo is not None:
            await jobs.enqueue_render(
                self._parts.redis, turn.photo, premium_head_start=self._settings.premium_head_start
            )

    def _under(self, turn: Turn, answer: Message) -> InlineKeyboardMarkup:
        """`again`; or what helps, where nothing of the answer was left but the words that there is no photo."""
        if turn.afterword_buttons and not answer.afterword:
            return turn.afterword_buttons
        return keyboard([("🔄", AnswerAgain(message_id=answer.id).pack())])
