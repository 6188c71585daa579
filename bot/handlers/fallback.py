"""What nothing else took: unknown commands, old buttons, groups, and people who block the bot or come back."""

from aiogram import F, Router
from aiogram.types import CallbackQuery, ChatMemberUpdated, Message

from bot.accounts import people
from bot.models import Person
from bot.telegram.messages import acknowledge
from bot.texts import Say
from generation.runtime.database import Database


def build_router() -> Router:
    """What no other handler took, in a private chat."""
    router = Router(name="fallback")
    router.callback_query.register(stale_button)
    router.message.register(unknown_command, F.text.startswith("/"))
    router.my_chat_member.register(blocked, F.chat.type == "private", F.new_chat_member.status == "kicked")
    router.my_chat_member.register(came_back, F.chat.type == "private", F.new_chat_member.status == "member")
    return router


def group_router() -> Router:
    """In groups the bot is silent; a button that got there does nothing, and says so to whoever pressed it."""
    router = Router(name="groups")
    router.callback_query.register(not_yours, F.message.chat.type != "private")
    return router


async def stale_button(query: CallbackQuery, say: Say) -> None:
    """A button that means nothing any more."""
    await acknowledge(query, say("stale-button"))


async def not_yours(query: CallbackQuery, say: Say) -> None:
    """A button in a group: a companion talks with one person."""
    await acknowledge(query, say("button-not-yours"))


async def unknown_command(message: Message, say: Say) -> None:
    """A command that the bot does not have."""
    await message.answer(say("unknown-command"))


async def blocked(_event: ChatMemberUpdated, person: Person, database: Database) -> None:
    """The bot was stopped."""
    async with database.unit() as session:
        await people.blocked(session, person.id)


async def came_back(_event: ChatMemberUpdated, person: Person, database: Database) -> None:
    """The bot was started again."""
    async with database.autocommit() as session:
        await people.came_back(session, person.id)
