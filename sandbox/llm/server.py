"""The OpenAI chat API over the script: whole answers and streams, keys checked, errors in the API's form."""

import asyncio
import json
import time
import uuid
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from sandbox.faults import Faults
from sandbox.http import HttpServer
from sandbox.llm import guard
from sandbox.llm.script import Messages, Script

MODEL = "stand-in"
API_KEY = "sandbox-key"


class LanguageModelServer:
    """One scripted model on loopback. `seconds` is how long it thinks, `word_seconds` how long it says a word.

    Faults beside those of `sandbox.faults`, with path "completion": `no_scene` (a model that does not obey),
    `broken_scene` (cut off in the middle), `empty`, `break_stream` (in the middle of a streamed answer),
    and `say` (answers with `text`, word for word). Under the names of `sandbox.llm.guard` it answers as a guard
    model, and at `/moderations`; faults with path "guard": `say`.
    """

    def __init__(
        self, *, seconds: float = 0.0, word_seconds: float = 0.0, port: int = 0, script: Script | None = None
    ) -> None:
        self.faults = Faults()
        self.requests: list[dict[str, Any]] = []
        self._seconds = seconds
        self._word_seconds = word_seconds
        self._script = script or Script()
        self.guard = guard.GuardScript()
        application = web.Application(client_max_size=32 * 1024 * 1024)
        application.router.add_get("/v1/models", self._models)
        application.router.add_post("/v1/chat/completions", self._completions)
        application.router.add_post("/v1/audio/transcriptions", self._transcriptions)
        application.router.add_post("/v1/moderations", self._moderations)
        self.faults.install(application)
        self._server = HttpServer(application, port=port)

    @property
    def url(self) -> str:
        return f"{self._server.url}/v1"

    async def __aenter__(self) -> Self:
        await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.stop()

    async def _models(self, _request: web.Request) -> web.Response:
        return web.json_response(
            {"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "vitte"}]}
        )

    async def _completions(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {API_KEY}":
            return _error(401, "invalid_api_key", "Incorrect API key provided.")
        body = await request.json()
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            return _error(400, "invalid_request_error", "'messages' must be a non-empty list.")
        if body.get("model") != MODEL:
            return self._of_another_model(body)
        self.requests.append(body)
        await asyncio.sleep(self._seconds)
        text = self._answer(messages)
        if body.get("stream"):
            try:
                return await self._stream(request, text)
            except ConnectionError:
                # Whoever asked has gone, as a client does that no longer needs the answer.
                return web.Response()
        return web.json_response(
            _envelope(
                "chat.completion", {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            )
            | {"usage": _usage(messages, text)}
        )

    def _of_another_model(self, body: dict[str, Any]) -> web.Response:
        """A guard model's verdict, as a chat answer."""
        if body.get("model") not in guard.CHATS:
            return _error(404, "model_not_found", f"The model `{body.get('model')}` does not exist.")
        fault = self.faults.take("guard", "say")
        try:
            text = fault.text if fault else self.guard.chat(body["model"], body["messages"])
        except guard.RefusedConversation as error:
            return _error(400, "invalid_request_error", str(error))
        return web.json_response(
            _envelope(
                "chat.completion", {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            )
        )

    async def _moderations(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {API_KEY}":
            return _error(401, "invalid_api_key", "Incorrect API key provided.")
        body = await request.json()
        if body.get("model", guard.MODERATION) != guard.MODERATION:
            return _error(404, "model_not_found", f"The model `{body.get('model')}` does not exist.")
        given = body["input"] if isinstance(body.get("input"), list) else [body.get("input")]
        if not all(isinstance(text, str) and text for text in given):
            return _error(400, "invalid_request_error", "'input' must be a string or a list of strings.")
        results = [self.guard.moderation(text) for text in given]
        return web.json_response({"id": "modr-1", "model": guard.MODERATION, "results": results})

    async def _transcriptions(self, request: web.Request) -> web.Response:
        """Whatever is said, the stand-in hears the same; fault `say` makes it hear something else."""
        if request.headers.get("Authorization") != f"Bearer {API_KEY}":
            return _error(401, "invalid_api_key", "Incorrect API key provided.")
        form = await request.post()
        if not isinstance(form.get("file"), web.FileField) or not form.get("model"):
            return _error(400, "invalid_request_error", "'file' and 'model' are required.")
        fault = self.faults.take("transcription", "say")
        return web.json_response({"text": fault.text if fault else "How is your day going?"})

    def _answer(self, messages: Messages) -> str:
        reply = self._script.reply(messages)
        # What is said to people can be faulty; summaries and lists of facts are made in between, at their own time.
        fault = self.faults.take("completion", "no_scene", "broken_scene", "empty", "say") if reply.spoken else None
        if str(messages[0]["content"]).startswith("Summarise"):
            fault = self.faults.take("summary", "say")
        match fault.kind if fault else "obey":
            case "no_scene":
                return reply.text
            case "broken_scene":
                return f"{reply.text}\n{reply.scene_line[: len(reply.scene_line) // 2]}"
            case "empty":
                return ""
            case "say" if fault:
                return fault.text
        return f"{reply.text}\n\n{reply.scene_line}".strip()

    async def _stream(self, request: web.Request, text: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        words = text.split(" ")
        broken = self.faults.take("completion", "break_stream")
        for index, word in enumerate(words):
            piece = word if index == len(words) - 1 else f"{word} "
            chunk = _envelope("chat.completion.chunk", {"delta": {"content": piece}, "finish_reason": None})
            await response.write(f"data: {json.dumps(chunk)}\n\n".encode())
            if broken and index == len(words) // 2:
                # As a server does whose process died in the middle.
                if request.transport is not None:
                    request.transport.abort()
                return response
            await asyncio.sleep(self._word_seconds)
        end = _envelope("chat.completion.chunk", {"delta": {}, "finish_reason": "stop"})
        await response.write(f"data: {json.dumps(end)}\n\ndata: [DONE]\n\n".encode())
        return response


def _envelope(kind: str, choice: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": MODEL,
        "choices": [{"index": 0, **choice}],
    }


def _usage(messages: Messages, text: str) -> dict[str, int]:
    prompt = sum(len(str(message.get("content", ""))) for message in messages) // 4
    completion = len(text) // 4
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _error(status: int, code: str, message: str) -> web.Response:
    kind = "invalid_request_error"
    return web.json_response(
        {"error": {"message": message, "type": kind, "param": None, "code": code}}, status=status
    )
