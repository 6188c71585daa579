"""Whether a person has written again while the answer to the last message is still being made."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from aiogram.types import Update
from sqlalchemy import select

from bot.models import ReceivedUpdate
from generation.runtime.database import Database


class FollowUps:
    """The inbox tells it what came, the conversation asks. One per process, built by `bot.app`."""

    def __init__(self, database: Database, *, bot_id: int, allows: Callable[[int], Awaitable[bool]]) -> None:
        """`allows`: whether a person's next message will be answered, and not only told to slow down."""
        self._database = database
        self._bot_id = bot_id
        self._allows = allows
        self._watched: dict[int, asyncio.Event] = {}

    def came(self, chat_id: int, update: Update | None) -> None:
        """An update of this chat is written down; None when another process has it, and it may be anything."""
        event = self._watched.get(chat_id)
        if event is not None and (update is None or _is_talk(update)):
            event.set()

    @contextmanager
    def watching(self, chat_id: int) -> Iterator[asyncio.Event]:
        """Within the block, the event is set as soon as the person says something more."""
        event = self._watched[chat_id] = asyncio.Event()
        try:
            yield event
        finally:
            del self._watched[chat_id]

    async def waiting(self, chat_id: int, *, after: int) -> bool:
        """Whether the person's next update after this one is written down already, and more talk."""
        async with self._database.autocommit() as session:
            payload = await session.scalar(
                select(ReceivedUpdate.payload)
                .where(
                    ReceivedUpdate.bot_id == self._bot_id,
                    ReceivedUpdate.chat_id == chat_id,
                    ReceivedUpdate.update_id > after,
                    ReceivedUpdate.handled_at.is_(None),
                )
                .order_by(ReceivedUpdate.update_id)
                .limit(1)
            )
        if payload is None or not _is_talk(Update.model_validate(payload)):
            return False
        # In a private chat the chat is its person.
        return await self._allows(chat_id)

    async def edited_again(self, chat_id: int, message_id: int, *, after: int) -> bool:
        """Whether a later edit of the same message is written down already: only the last one counts."""
        edited = ReceivedUpdate.payload["edited_message"]["message_id"].as_integer()
        async with self._database.autocommit() as session:
            later = select(ReceivedUpdate.update_id).where(
                ReceivedUpdate.bot_id == self._bot_id,
                ReceivedUpdate.chat_id == chat_id,
                ReceivedUpdate.update_id > after,
                ReceivedUpdate.handled_at.is_(None),
                edited == message_id,
            )
            return bool(await session.scalar(select(later.exists())))


def _is_talk(update: Update) -> bool:
    """A plain text; a command or a button ends what was said before it."""
    text = update.message.text if update.message else None
    return bool(text) and not str(text).startswith("/")
