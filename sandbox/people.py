"""People who chat with the bot without a page: for benches and scripted dialogues."""

import asyncio
from types import TracebackType
from typing import Any, Self

import aiohttp


class Chats:
    """The people in front of one stand-in Telegram, by its page's API."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/api/people"

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def say(self, person: int, text: str) -> None:
        await self._post(f"{person}/chats/{person}/messages", {"text": text})

    async def press(self, person: int, label: str) -> None:
        """Press a button of the newest message that has it, once it is there."""
        while True:
            for message in reversed(await self._messages(person)):
                rows = message.get("reply_markup", {}).get("inline_keyboard", [])
                for button in (button for row in rows for button in row):
                    if label in button["text"]:
                        path = f"{person}/chats/{person}/messages/{message['message_id']}/press"
                        await self._post(path, {"data": button["callback_data"]})
                        return
            await asyncio.sleep(0.1)

    async def texts(self, person: int) -> list[str]:
        """All that the bot has written to a person, oldest first."""
        return [it["text"] for it in await self._messages(person) if it["from"]["is_bot"] and "text" in it]

    async def answered(self, counts: dict[int, int]) -> None:
        """Until each person has so many texts from the bot."""
        for person, count in counts.items():
            while len(await self.texts(person)) < count:
                await asyncio.sleep(0.05)

    async def _messages(self, person: int) -> list[dict[str, Any]]:
        async with self._session.get(f"{self._url}/{person}/chats/{person}/messages") as response:
            messages: list[dict[str, Any]] = await response.json()
            return messages

    async def _post(self, path: str, body: dict[str, Any]) -> None:
        async with self._session.post(f"{self._url}/{path}", json=body) as response:
            await response.read()
