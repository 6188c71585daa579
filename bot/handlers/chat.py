"""Talking: what a person writes, sends or edits, and /photo, which is a wish put into the talk."""

import structlog
from aiogram import F, Router
from aiogram.filters import Command, CommandObject
from aiogram.types import CallbackQuery, Document, Message, PhotoSize, Update

from bot.chat.conversation import Conversation
from bot.chat.reply import another, manners
from bot.chat.turn import Incoming, Reply
from bot.handlers.personas.persona_picker import PersonaPicker
from bot.llm.metered import OverBudget
from bot.models import Person
from bot.reading.attachment_reader import TooLong
from bot.reading.attachments import Attachments
from bot.settings import Settings
from bot.telegram.callbacks import AnswerAgain, AnswerAs, AnswerKeep
from bot.telegram.content import OF_THE_CHAT, described, rich_text
from bot.telegram.messages import acknowledge, replace_buttons
from bot.texts import Say

log = structlog.get_logger(__name__)


def build_router() -> Router:
    """Text, /photo, everything else that can be sent, edits, and `again` under an answer."""
    router = Router(name="chat")
    router.message.register(ask_for_photo, Command("photo", ignore_case=True))
    router.message.register(talk, F.text, ~F.text.startswith("/"))
    router.message.register(send_something, ~F.text, ~F.content_type.in_(OF_THE_CHAT))
    router.edited_message.register(correct, F.chat.type == "private", F.text, ~F.text.startswith("/"))
    router.callback_query.register(ask_how, AnswerAgain.filter())
    router.callback_query.register(answer_again, AnswerAs.filter())
    router.callback_query.register(keep_answer, AnswerKeep.filter())
    return router


async def talk(
    message: Message,
    event_update: Update,
    person: Person,
    say: Say,
    conversation: Conversation,
    picker: PersonaPicker,
) -> None:
    """A text: one turn of the talk."""
    incoming = _incoming(message, event_update, message.text or "")
    await _take_turn(message, person, say, conversation, picker, incoming)


async def ask_for_photo(
    message: Message,
    command: CommandObject,
    event_update: Update,
    person: Person,
    say: Say,
    conversation: Conversation,
    picker: PersonaPicker,
) -> None:
    """`/photo` with what was written behind it."""
    wish = say("photo-wish", wish=command.args or "")
    incoming = _incoming(message, event_update, wish, wants_photo=True)
    await _take_turn(message, person, say, conversation, picker, incoming)


async def send_something(
    message: Message,
    event_update: Update,
    person: Person,
    say: Say,
    conversation: Conversation,
    picker: PersonaPicker,
    attachments: Attachments,
    settings: Settings,
) -> None:
    """A voice message is heard and a picture seen where the models can; otherwise she knows what it was."""
    text, picture = rich_text(message), None
    if message.voice:
        try:
            text = await attachments.heard(person.id, message.voice)
        except TooLong:
            await message.answer(say("voice-too-long", seconds=settings.voice_longest))
            return
        except OverBudget:
            await message.answer(say("voice-limit"))
            return
    if file := _picture(message):
        try:
            picture = await attachments.seen(person.id, file)
        except OverBudget:
            await message.answer(say("picture-limit"))
    incoming = _incoming(message, event_update, text or described(message, seen=bool(picture)), picture=picture)
    await _take_turn(message, person, say, conversation, picker, incoming)


async def correct(
    message: Message, event_update: Update, person: Person, say: Say, conversation: Conversation
) -> None:
    """An edited message: what she remembers changes, and her last answer if it was to this one."""
    chat_id, message_id = message.chat.id, message.message_id
    if person.adult_confirmed_at and not await conversation.follow_ups.edited_again(
        chat_id, message_id, after=event_update.update_id
    ):
        await conversation.correct(person, say, chat_id, message_id, message.text or "")


async def ask_how(
    query: CallbackQuery, callback_data: AnswerAgain, person: Person, say: Say, conversation: Conversation
) -> None:
    """In which way the other answer shall differ."""
    why_not = await conversation.why_not_rewrite(person, callback_data.message_id)
    await acknowledge(query, say(why_not) if why_not else None)
    await replace_buttons(query, None if why_not else manners(say, callback_data.message_id))


async def keep_answer(query: CallbackQuery, callback_data: AnswerKeep, say: Say) -> None:
    """The answer as it is."""
    await acknowledge(query)
    await replace_buttons(query, another(say, callback_data.message_id))


async def answer_again(
    query: CallbackQuery, callback_data: AnswerAs, person: Person, say: Say, conversation: Conversation
) -> None:
    """Another answer in place of the last one."""
    why_not = await conversation.why_not_rewrite(person, callback_data.message_id)
    await acknowledge(query, say(why_not) if why_not else None)
    if not isinstance(query.message, Message):
        return
    chat_id, number = query.message.chat.id, callback_data.message_id
    if why_not or not await conversation.rewrite(person, say, chat_id, number, callback_data.manner):
        await replace_buttons(query, None)


async def _take_turn(
    message: Message,
    person: Person,
    say: Say,
    conversation: Conversation,
    picker: PersonaPicker,
    incoming: Incoming,
) -> None:
    if not await conversation.take_turn(person, say, incoming):
        await picker.show(message, person, say, say("gallery"))


def _incoming(
    message: Message, update: Update, text: str, *, wants_photo: bool = False, picture: bytes | None = None
) -> Incoming:
    return Incoming(
        update_id=update.update_id,
        chat_id=message.chat.id,
        message_id=message.message_id,
        text=text,
        wants_photo=wants_photo,
        name=message.from_user.first_name if message.from_user else "",
        picture=picture,
        reply=_reply(message),
        is_forwarded=message.forward_origin is not None,
    )


def _reply(message: Message) -> Reply | None:
    """What a message of this chat is a reply to; in a topic each one replies to the topic's beginning."""
    replied = message.reply_to_message
    if replied is None or replied.forum_topic_created:
        return None
    quoted = message.quote.text if message.quote else replied.text or replied.caption or ""
    by_person = bool(replied.from_user and not replied.from_user.is_bot)
    return Reply(replied.message_id, quoted, by_person)


def _picture(message: Message) -> PhotoSize | Document | None:
    """The largest size of a photo, or a picture that was sent as a file."""
    if message.photo:
        return message.photo[-1]
    document = message.document
    is_picture = document is not None and (document.mime_type or "").startswith("image/")
    return document if is_picture else None
