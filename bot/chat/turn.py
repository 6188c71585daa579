"""One turn of a dialogue: what the person wrote, and what is known of the turn so far."""

from collections.abc import Sequence
from dataclasses import dataclass

from aiogram.types import InlineKeyboardMarkup

from bot.llm.client import ChatMessage
from bot.llm.text_analysis import PersonAnalysis
from bot.models import Dialogue, Message, Person
from bot.personas.persona import Persona
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
    #: A picture that came along, as JPEG, for a model that can see.
    picture: bytes | None = None


@dataclass(kw_only=True, slots=True)
class Turn:
    """Grows while the turn is taken; lives as long as `Conversation.take_turn`."""

    person: Person
    say: Say
    incoming: Incoming
    heard: PersonAnalysis
    dialogue: Dialogue
    persona: Persona
    request: list[ChatMessage]
    answer: Message | None
    photo: Photo | None = None
    #: The answer stands in the chat already and is written anew.
    rewrites: bool = False
    #: Texts that came just before and that this answer is for as well.
    together: Sequence[str] = ()
    #: Seconds that the language model took.
    model_seconds: float | None = None
    #: Buttons under what the bot says beside the answer.
    afterword_buttons: InlineKeyboardMarkup | None = None

    @property
    def said(self) -> str:
        """All that this answer is for."""
        return "\n".join((*self.together, self.incoming.text))
