"""Talking: a person's text, and /photo, which is a wish put into the talk."""

from aiogram import F, Router
from aiogram.filters import Command, CommandObject
from aiogram.types import Message, Update

from bot.conversation import Conversation
from bot.handlers.onboarding import show_gallery
from bot.models import Person
from bot.persona import Persona
from bot.texts import Say
from bot.turn import Incoming


def build_router() -> Router:
    router = Router(name="chat")
    router.message.register(ask_for_photo, Command("photo"))
    router.message.register(talk, F.text, ~F.text.startswith("/"))
    return router


async def talk(
    message: Message,
    event_update: Update,
    person: Person,
    say: Say,
    conversation: Conversation,
    personas: dict[str, Persona],
    *,
    wish: str | None = None,
) -> None:
    """Answer a text; `wish` is what was written behind /photo."""
    incoming = Incoming(
        update_id=event_update.update_id,
        chat_id=message.chat.id,
        message_id=message.message_id,
        text=message.text or "" if wish is None else say("photo-wish", wish=wish),
        wants_photo=wish is not None,
    )
    if not await conversation.take_turn(person, say, incoming):
        await show_gallery(message, person, say, personas)


async def ask_for_photo(
    message: Message,
    command: CommandObject,
    event_update: Update,
    person: Person,
    say: Say,
    conversation: Conversation,
    personas: dict[str, Persona],
) -> None:
    await talk(message, event_update, person, say, conversation, personas, wish=command.args or "")
