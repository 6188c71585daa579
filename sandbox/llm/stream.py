"""How an answer leaves the stand-in: as a stream in its server's manner, whole, or broken."""

import asyncio
import json
import time
import uuid
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from sandbox.faults import Faults
from sandbox.llm.profiles import ServerProfile

MODEL = "stand-in"


@dataclass(frozen=True, slots=True)
class Said:
    """An answer: why it ended (None where the server does not tell), and its tokens."""

    text: str
    finish: str | None
    usage: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stream:
    """Sends one answer."""

    profile: ServerProfile
    faults: Faults
    word_seconds: float

    async def send(self, request: web.Request, said: Said, *, told: bool) -> web.StreamResponse:
        """`told`: with a last chunk that counts tokens."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        if self.profile.comments:
            await response.write(b": OPENROUTER PROCESSING\n\n")
        if self.profile.reasons:
            await self._write(
                response, {"delta": {"reasoning_content": "They greet me. I answer.", "content": None}}
            )
        if not await self._words(request, response, said.text):
            return response
        await self._write(response, {"delta": {}, "finish_reason": said.finish})
        if told:
            chunk = envelope("chat.completion.chunk", {}) | {"choices": [], "usage": said.usage}
            await response.write(f"data: {json.dumps(chunk)}\n\n".encode())
        await response.write(b"data: [DONE]\n\n")
        return response

    async def _words(self, request: web.Request, response: web.StreamResponse, text: str) -> bool:
        """False when it broke off in the middle."""
        words = text.split(" ")
        fault = self.faults.take("completion", "break_stream", "no_end", "error_in_stream", "broken_line", "stall")
        for index, word in enumerate(words):
            piece = word if index == len(words) - 1 else f"{word} "
            whole = " ".join(words[: index + 1])
            content: Any = whole if self.profile.stream == "cumulative" else piece
            if self.profile.stream == "parts":
                content = [{"type": "text", "text": piece}]
            await self._write(response, {"delta": {"content": content}, "finish_reason": None})
            if (
                fault
                and index == len(words) // 2
                and not await self._break(request, response, fault.kind, fault.body)
            ):
                return False
            await asyncio.sleep(self.word_seconds)
        return True

    async def _break(
        self, request: web.Request, response: web.StreamResponse, kind: str, body: dict[str, Any] | None
    ) -> bool:
        """What goes wrong in the middle; whether it goes on all the same."""
        match kind:
            case "broken_line":
                await response.write(b'data: {"choices": [{"delta": {"content": "no en\n\n')
                return True
            case "error_in_stream":
                await response.write(f"data: {json.dumps(body)}\n\n".encode())
            case "stall":
                await asyncio.sleep(3600)
            case "break_stream":
                # As a server does whose process died in the middle.
                if request.transport is not None:
                    request.transport.abort()
        return False

    @staticmethod
    async def _write(response: web.StreamResponse, choice: dict[str, Any]) -> None:
        chunk = envelope("chat.completion.chunk", choice)
        await response.write(f"data: {json.dumps(chunk)}\n\n".encode())


def envelope(kind: str, choice: dict[str, Any]) -> dict[str, Any]:
    """What is around a choice."""
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": MODEL,
        "choices": [{"index": 0, **choice}],
    }
