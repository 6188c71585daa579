"""What nothing else took: unknown commands, old buttons, and messages that are not text."""

from aiogram import F, Router
from aiogram.types import CallbackQuery, ChatMemberUpdated, Message
from sqlalchemy import func, update

from bot.models import Person
from bot.sending import acknowledge
from bot.texts import Say
from generation.database import Database

#: Things Telegram writes into a chat by itself; nobody said them.
_SPOKEN = {
    "animation", "audio", "contact", "dice", "document", "location", "paid_media", "photo", "poll", "sticker",
    "story", "venue", "video", "video_note", "voice",
}  # fmt: skip


def build_router() -> Router:
    router = Router(name="leftovers")
    router.callback_query.register(stale_button)
    router.message.register(unknown_command, F.text.startswith("/"))
    router.message.register(only_text, F.content_type.in_(_SPOKEN))
    router.my_chat_member.register(blocked_or_back, F.chat.type == "private")
    # An edited message is left alone: the talk has gone on.
    return router


async def stale_button(query: CallbackQuery, say: Say) -> None:
    await acknowledge(query, say("stale-button"))


async def unknown_command(message: Message, say: Say) -> None:
    await message.answer(say("unknown-command"))


async def only_text(message: Message, say: Say) -> None:
    await message.answer(say("only-text"))


async def blocked_or_back(event: ChatMemberUpdated, person: Person, database: Database) -> None:
    """The person blocked the bot, or came back."""
    gone = event.new_chat_member.status == "kicked"
    async with database.unit() as session:
        await session.execute(
            update(Person).where(Person.id == person.id).values(blocked_at=func.now() if gone else None)
        )
