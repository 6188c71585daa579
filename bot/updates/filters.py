"""Filters that several handlers share."""

from aiogram.filters import Filter
from aiogram.types import TelegramObject

from bot.models import Person
from bot.settings import Settings


class Adult(Filter):
    """People who have confirmed that they are 18 or older."""

    async def __call__(self, _event: TelegramObject, person: Person) -> bool:
        """Needs `person` of `PersonMiddleware`."""
        return person.adult_confirmed_at is not None


class Admin(Filter):
    """The operators of ADMIN_IDS."""

    async def __call__(self, _event: TelegramObject, person: Person, settings: Settings) -> bool:
        """Needs `person` of `PersonMiddleware`."""
        return person.id in settings.admin_ids
