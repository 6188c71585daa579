"""One turn of a dialogue, as values: what the person wrote, what is known about it, and what was answered."""

from collections.abc import Sequence
from dataclasses import dataclass

from aiogram.types import InlineKeyboardMarkup

from bot.llm.prompts import AnswerRequest
from bot.models import Dialogue, Message, Person
from bot.personas.persona import Persona
from bot.personas.scene import Scene
from bot.reading.text_reader import PersonAnalysis
from bot.texts import Say
from generation.models import Photo


@dataclass(frozen=True, slots=True)
class Reply:
    """The message of the same chat that a person replies to."""

    message_id: int
    #: Its words, or the part of them that the person picked.
    words: str
    by_person: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownPhoto:
    """A photo of hers that the person replies to, as long as somebody knows what it shows."""

    scene: Scene
    #: Where its original lies; None when it is gone, or may not be seen any more.
    object_key: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Incoming:
    """What a person wrote. `wants_photo`: it came with /photo, so nothing has to be guessed."""

    update_id: int
    chat_id: int
    message_id: int
    text: str
    wants_photo: bool = False
    #: The person's name, as Telegram tells it.
    name: str = ""
    #: A picture that came along, as JPEG, for a model that can see.
    picture: bytes | None = None
    #: What it is a reply to, if to anything.
    reply: Reply | None = None
    #: It was written by somebody else and passed on.
    is_forwarded: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a turn came to, as its rows say it: the answer, and the photo that was ordered with it."""

    message: Message
    photo: Photo | None = None
    #: The model's context was too small for the talk: what is old goes into the summary at once.
    is_shortened: bool = False
    #: Buttons under what the bot says beside the answer.
    afterword_buttons: InlineKeyboardMarkup | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """All that is known before the model is asked; lives as long as `Conversation.take_turn`."""

    person: Person
    say: Say
    incoming: Incoming
    heard: PersonAnalysis
    dialogue: Dialogue
    persona: Persona
    request: AnswerRequest
    #: The answer that exists already: the update is handled for the second time, or the answer is written anew.
    earlier: Answer | None = None
    #: The earlier answer stands in the chat already and is written anew.
    rewrites: bool = False
    #: The photo that the person replies to.
    shown: ShownPhoto | None = None
    #: Texts that came just before and that this answer is for as well.
    together: Sequence[str] = ()

    @property
    def said(self) -> str:
        """All that this answer is for."""
        return "\n".join((*self.together, self.incoming.text))
