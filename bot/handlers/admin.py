"""What operators (ADMIN_IDS) may ask in the chat."""

from aiogram import Router
from aiogram.filters import Command, CommandObject
from aiogram.types import Message
from sqlalchemy import ColumnElement, select

from bot.handlers.filters import Admin
from bot.sending import send_text
from bot.texts import Say
from generation.database import Database
from generation.models import Photo

#: Largest number of PostgreSQL's bigint.
LARGEST_ID = 2**63 - 1


def build_router() -> Router:
    router = Router(name="admin")
    router.message.register(why, Command("why"), Admin())
    return router


async def why(message: Message, command: CommandObject, say: Say, database: Database) -> None:
    """Why this photo: by its number, or as a reply to the photo."""
    which = _which(message, (command.args or "").strip())
    if which is None:
        await message.answer(say("why-how"))
        return
    async with database.unit() as session:
        photo = await session.scalar(select(Photo).where(which))
    if photo is None:
        await message.answer(say("why-unknown"))
        return
    words = say(
        "why",
        id=str(photo.id),
        status=photo.status,
        rule=photo.rule,
        reason=photo.reason,
        workflow=photo.workflow,
        orientation=photo.orientation,
        prompt=photo.prompt,
    )
    await send_text(message.bot, message.chat.id, words)  # type: ignore[arg-type]


def _which(message: Message, number: str) -> ColumnElement[bool] | None:
    if number.isdecimal() and int(number) <= LARGEST_ID:
        return Photo.id == int(number)
    if replied := message.reply_to_message:
        # In a private chat the chat is its person, whose photos an index finds.
        return (Photo.owner_id == message.chat.id) & (Photo.telegram_message_id == replied.message_id)
    return None
