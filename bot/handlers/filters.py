"""Filters and callback data that several handlers share."""

from typing import Annotated

from aiogram.filters import Filter
from aiogram.filters.callback_data import CallbackData
from aiogram.types import TelegramObject
from pydantic import Field

from bot.models import Person
from bot.photos import ANOTHER, DISLIKE, LIKE, SEND_AGAIN
from bot.settings import Settings
from triggers import Frequency


class Adult(Filter):
    """People who have confirmed that they are 18 or older."""

    async def __call__(self, _event: TelegramObject, person: Person) -> bool:
        return person.adult_confirmed_at is not None


class AgeAnswer(CallbackData, prefix="age"):
    adult: bool


class PersonaChoice(CallbackData, prefix="persona"):
    key: str


class StoryChoice(CallbackData, prefix="story"):
    persona: str
    key: str


#: What PostgreSQL can look up: callback data can be forged.
PhotoId = Annotated[int, Field(gt=0, lt=2**63)]


class SendAgain(CallbackData, prefix=SEND_AGAIN):
    photo_id: PhotoId


class Another(CallbackData, prefix=ANOTHER):
    photo_id: PhotoId


class Like(CallbackData, prefix=LIKE):
    photo_id: PhotoId


class Dislike(CallbackData, prefix=DISLIKE):
    photo_id: PhotoId


class FrequencyChoice(CallbackData, prefix="frequency"):
    frequency: Frequency


class Admin(Filter):
    """The operators of ADMIN_IDS."""

    async def __call__(self, _event: TelegramObject, person: Person, settings: Settings) -> bool:
        return person.id in settings.admin_ids
