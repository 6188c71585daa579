"""A person in front of the chat page: writes, presses, and waits for what appears, by the page's own API."""

import asyncio
import io
import json
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import aiohttp

Json = dict[str, Any]
Matches = Callable[[Json], bool]

#: Far longer than anything takes: only a failing test waits so long.
PATIENCE = 20.0


class Player:
    """One person of the local Telegram. Everything that happens in the chats is kept in `heard`, in order."""

    def __init__(self, url: str, person_id: int, *, chat_id: int | None = None) -> None:
        self.id = person_id
        self.chat_id = chat_id or person_id
        self.heard: list[tuple[str, Json]] = []
        self._url = f"{url}/api"
        self._seen = 0
        self._news = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))
        opened = asyncio.Event()
        self._listening = asyncio.create_task(self._listen(opened))
        async with asyncio.timeout(PATIENCE):
            await opened.wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listening.cancel()
        with suppress(asyncio.CancelledError):
            await self._listening
        await self._session.close()

    # -- doing -----------------------------------------------------------------------------------------

    async def say(self, text: str) -> Json:
        """Send a text; what comes after it is what `hears` waits for."""
        return await self.send(text=text)

    async def send(self, **content: Any) -> Json:
        self._seen = len(self.heard)
        sent: list[Json] = await self.api("POST", f"{self._chat}/messages", content)
        return sent[-1]

    async def press(self, message: Json, label: str) -> None:
        """Press the inline button with this label (or a part of it)."""
        buttons = [button for row in message["reply_markup"]["inline_keyboard"] for button in row]
        data = next(
            button["callback_data"] for button in buttons if label in button["text"] and "url" not in button
        )
        await self.press_data(message, data)

    async def press_data(self, message: Json, data: str) -> None:
        self._seen = len(self.heard)
        await self.api("POST", f"{self._chat}/messages/{message['message_id']}/press", {"data": data})

    async def react(self, message: Json, emoji: str) -> None:
        """Put one emoji under a message, or take it away with an empty one."""
        await self.api("POST", f"{self._chat}/messages/{message['message_id']}/react", {"emoji": emoji})

    async def edit(self, message: Json, text: str) -> None:
        await self.api("PUT", f"{self._chat}/messages/{message['message_id']}", {"text": text})

    async def block(self) -> None:
        await self.api("POST", f"/people/{self.id}/block", {})

    async def unblock(self) -> None:
        await self.api("POST", f"/people/{self.id}/unblock", {})

    async def enter(self, persona: str) -> Json:
        """From /start to the persona's opening words."""
        await self.say("/start")
        message = await self.hears(has_buttons)
        if any(word in json.dumps(message) for word in ("age:",)):
            await self.press(message, "18")
            message = await self.hears(has_buttons)
        await self.press(message, persona)
        await self.hears(lambda it: "·" in it.get("text", ""))
        return await self.hears(has_text)

    # -- perceiving ------------------------------------------------------------------------------------

    async def hears(self, matches: Matches) -> Json:
        """The first message of the bot that matches, of those that have not been heard yet."""
        return await self.notices("message", lambda it: it["from"]["is_bot"] and matches(it))

    async def notices(self, kind: str, matches: Matches) -> Json:
        """The first event of a kind that matches, of those that have not been noticed yet."""
        try:
            async with asyncio.timeout(PATIENCE), self._news:
                while True:
                    for position in range(self._seen, len(self.heard)):
                        name, data = self.heard[position]
                        if name == kind and matches(data):
                            self._seen = position + 1
                            return data
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"no such {kind}; heard: {self.heard[-6:]}") from None

    def look_back(self) -> None:
        """Take everything as not heard yet: for what may come before or after something else."""
        self._seen = 0

    async def photo(self) -> Json:
        """The next photo of the persona; pages of a gallery have captions."""
        return await self.hears(lambda it: "photo" in it and "caption" not in it)

    async def pay(self, **invoice: Any) -> Json:
        """Pay an invoice by its `link`, or by the `message_id` of the message that shows it."""
        paid: Json = await self.api("POST", f"/people/{self.id}/pay", invoice)
        return paid

    async def messages(self) -> list[Json]:
        """All messages of the chat, from the server."""
        messages: list[Json] = await self.api("GET", f"{self._chat}/messages")
        return messages

    async def answers(self) -> str:
        """The words that pop up after a button was pressed."""
        return str((await self.notices("answer", lambda _it: True))["text"])

    async def edited(self) -> Json:
        return await self.notices("edited", lambda _it: True)

    async def photos(self) -> list[Json]:
        return [it for it in await self.messages() if "photo" in it and "caption" not in it]

    async def api(self, method: str, path: str, body: Json | None = None) -> Any:
        data = None if body is None else io.BytesIO(json.dumps(body).encode())
        headers = {"Content-Type": "application/json"} if body is not None else {}
        async with self._session.request(method, self._url + path, data=data, headers=headers) as response:
            answer = await response.json()
            assert response.ok, answer
            return answer

    @property
    def _chat(self) -> str:
        return f"/people/{self.id}/chats/{self.chat_id}"

    async def _listen(self, opened: asyncio.Event) -> None:
        name = ""
        async with self._session.get(f"{self._url}/people/{self.id}/events", read_bufsize=2**22) as response:
            opened.set()
            async for line in response.content:
                if line.startswith(b"event: "):
                    name = line[7:].decode().strip()
                elif line.startswith(b"data: "):
                    async with self._news:
                        self.heard.append((name, json.loads(line[6:])))
                        self._news.notify_all()


def labels(message: Json) -> list[str]:
    """What the buttons under a message say."""
    return [button["text"] for row in message.get("reply_markup", {}).get("inline_keyboard", []) for button in row]


def has_text(message: Json) -> bool:
    return bool(message.get("text"))


def has_buttons(message: Json) -> bool:
    return "reply_markup" in message


def says(part: str) -> Matches:
    return lambda message: part in message.get("text", "") or part in message.get("caption", "")
