"""Topics in private chats: what is said for an update goes into the topic that it came from."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from aiogram import Bot
from aiogram.client.session.middlewares.base import BaseRequestMiddleware, NextRequestMiddlewareType
from aiogram.methods import Response, TelegramMethod
from aiogram.methods.base import TelegramType
from aiogram.types import Message, Update

#: The chat of the update that is handled, and the topic in it.
_current: ContextVar[tuple[int, int] | None] = ContextVar("topic", default=None)


@contextmanager
def within_topic(update: Update) -> Iterator[None]:
    """Within the block, and in what it starts, messages to the update's chat go into its topic."""
    message = update.message or update.edited_message
    if message is None and update.callback_query is not None:
        pressed = update.callback_query.message
        message = pressed if isinstance(pressed, Message) else None
    thread = message.message_thread_id if message and message.is_topic_message else None
    token = _current.set((message.chat.id, thread) if message and thread else None)
    try:
        yield
    finally:
        _current.reset(token)


def topic_of(chat_id: int) -> int | None:
    """The topic of this chat that is being answered in."""
    current = _current.get()
    return current[1] if current and current[0] == chat_id else None


class TopicMiddleware(BaseRequestMiddleware):
    """Adds the topic to every method that has one, unless it names one itself."""

    async def __call__(
        self,
        make_request: NextRequestMiddlewareType[TelegramType],
        bot: Bot,
        method: TelegramMethod[TelegramType],
    ) -> Response[TelegramType]:
        """The request as it was, or with `message_thread_id`."""
        chat_id = getattr(method, "chat_id", None)
        if "message_thread_id" in type(method).model_fields and isinstance(chat_id, int):
            thread = topic_of(chat_id)
            if thread is not None and getattr(method, "message_thread_id", None) is None:
                method = method.model_copy(update={"message_thread_id": thread})
        return await make_request(bot, method)
