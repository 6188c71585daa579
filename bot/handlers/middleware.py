"""Gives every handler the person who acts and the words in the person's language."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiogram import BaseMiddleware
from aiogram.types import TelegramObject, User

from bot import people
from bot.texts import Texts
from generation.database import Database


class WhoIsIt(BaseMiddleware):
    """Puts `person` and `say` into the handler's data. An update without a person reaches no handler."""

    def __init__(self, database: Database, texts: Texts) -> None:
        self._database = database
        self._texts = texts

    async def __call__(
        self,
        handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]],
        event: TelegramObject,
        data: dict[str, Any],
    ) -> Any:
        user: User | None = data.get("event_from_user")
        if user is None or user.is_bot:
            return None
        async with self._database.unit() as session:
            person = await people.known(session, user, self._texts.locale_of(user.language_code))
        data["person"] = person
        data["say"] = self._texts.in_locale(person.locale)
        return await handler(event, data)
