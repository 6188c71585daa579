"""One turn of a dialogue: what the person wrote, and what is known of the turn so far."""

from dataclasses import dataclass

from bot.language_model import ChatMessage
from bot.models import Dialogue, Message, Person
from bot.persona import Persona
from bot.reading import PersonReading
from bot.texts import Say
from generation.models import Photo


@dataclass(frozen=True, kw_only=True, slots=True)
class Incoming:
    """What a person wrote. `wants_photo`: it came with /photo, so nothing has to be guessed."""

    update_id: int
    chat_id: int
    message_id: int
    text: str
    wants_photo: bool = False


@dataclass(kw_only=True, slots=True)
class Turn:
    """Grows while the turn is taken; lives as long as `Conversation.take_turn`."""

    person: Person
    say: Say
    incoming: Incoming
    heard: PersonReading
    dialogue: Dialogue
    persona: Persona
    request: list[ChatMessage]
    answer: Message | None
    photo: Photo | None = None
