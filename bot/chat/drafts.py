"""The answer while it is written, as Telegram's message drafts: previews that vanish once the message comes.

Drafts are decoration. They never wait for Telegram's pauses, give way to real messages when it pushes back, and a
Bot API server that does not know them costs one try.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import structlog
from aiogram import Bot
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramAPIError,
    TelegramBadRequest,
    TelegramNotFound,
    TelegramRetryAfter,
)

from bot.llm.question import OnText
from bot.telegram.messages import MAX_TEXT

log = structlog.get_logger(__name__)

#: Seconds between two drafts in a chat: Telegram allows about one message a second, and says nothing of drafts.
#: Each is judged as a whole answer is, which takes 10 to 16 ms of CPU time.
INTERVAL = 1.5
#: The first one comes earlier; a shorter answer needs none.
FIRST = 0.5
#: Chats that are remembered for refusing drafts.
MOST_REFUSED = 10_000
#: What of a partial text may be shown, given the names that the persona goes by; reading it takes a process.
Showable = Callable[[str, Sequence[str]], Awaitable[str]]


class Drafts:
    """Shows answers while they are written. One per process, built by `bot.app`."""

    def __init__(
        self,
        bot: Bot,
        showable: Showable,
        pushed_back: Callable[[float], Awaitable[None]] | None = None,
    ) -> None:
        """`pushed_back` tells the other processes of a pause that Telegram wants, in seconds."""
        self._bot = bot
        self._showable = showable
        self._unknown_to_server = False
        #: Chats whose drafts Telegram refuses for good (TEXTDRAFT_PEER_INVALID and the like); the oldest go.
        self._refused: dict[int, None] = {}
        self._paused_until = 0.0
        self._pushed_back = pushed_back

    def pause(self, seconds: float) -> None:
        """Show none for so long: what Telegram still takes belongs to whole messages."""
        self._paused_until = max(self._paused_until, asyncio.get_running_loop().time() + seconds)

    @asynccontextmanager
    async def showing(self, chat_id: int, draft_id: int, names: Sequence[str] = ()) -> AsyncIterator[OnText]:
        """Within the block, what is given to the yielded function appears in the chat.

        `names` are those of the persona.
        """
        writing = _Writing()
        task = asyncio.create_task(self._show(chat_id, draft_id, names, writing))
        try:
            yield writing.more
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _show(self, chat_id: int, draft_id: int, names: Sequence[str], writing: "_Writing") -> None:
        shown = ""
        await asyncio.sleep(FIRST)
        while not self._unknown_to_server and chat_id not in self._refused:
            text = await self._showable(await writing.news(), names)
            if text and text != shown and asyncio.get_running_loop().time() >= self._paused_until:
                shown = text
                await self._send(chat_id, draft_id, text[-MAX_TEXT // 2 :])
            await asyncio.sleep(INTERVAL)

    async def _send(self, chat_id: int, draft_id: int, text: str) -> None:
        try:
            await self._bot.send_message_draft(chat_id=chat_id, draft_id=draft_id, text=text, request_timeout=5)
        except TelegramRetryAfter as error:
            self.pause(error.retry_after)
            if self._pushed_back:
                await self._pushed_back(error.retry_after)
        except TelegramNotFound as error:
            log.warning("drafts.unknown_to_server", error=str(error))
            self._unknown_to_server = True
        except TelegramBadRequest as error:
            # The next second's would be refused as well.
            log.info("drafts.refused_by_chat", error=str(error))
            self._refused[chat_id] = None
            if len(self._refused) > MOST_REFUSED:
                del self._refused[next(iter(self._refused))]
        except (TelegramAPIError, ClientDecodeError) as error:
            log.debug("draft.not_shown", error=type(error).__name__)


class _Writing:
    """The newest partial text, and a way to wait for a newer one."""

    def __init__(self) -> None:
        self._text = ""
        self._changed = asyncio.Event()

    def more(self, text: str) -> None:
        """All that is written by now."""
        self._text = text
        self._changed.set()

    async def news(self) -> str:
        """Wait for a text that was not given out yet."""
        await self._changed.wait()
        self._changed.clear()
        return self._text
