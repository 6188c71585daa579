"""The OpenAI chat API over the script: whole answers and streams, keys checked, errors in the API's form."""

import asyncio
import json
from collections import Counter
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from sandbox.faults import Fault, Faults
from sandbox.http import HttpServer
from sandbox.llm import guard, script
from sandbox.llm.profiles import PROFILES, prompt_tokens, tokens
from sandbox.llm.script import Messages, Reply, Script
from sandbox.llm.stream import MODEL, Said, Stream, envelope

API_KEY = "sandbox-key"
#: Ends of an answer of which nothing comes.
FILTERS = {"content_filter", "refusal"}
#: Requests whose beginnings are in its cache.
CACHED = 50


class LanguageModelServer:
    """One scripted model on loopback. `seconds` is how long it thinks, `word_seconds` how long it says a word.

    Faults beside those of `sandbox.faults`, with path "completion": `no_scene` (a model that does not obey),
    `broken_scene` (cut off in the middle), `empty`, `break_stream` (in the middle of a streamed answer),
    `say` (answers with `text`, word for word), `finish` (ends for the reason `text`, in the middle unless that is a
    filter), `no_end` (a stream that just stops), `error_in_stream` (`body` in its middle), `broken_line` (one line
    that is no JSON), `stall` (says half of it and then nothing). `profile` is the kind of server
    (`sandbox.llm.profiles`). Under the names of `sandbox.llm.guard` it answers as a guard
    model, and at `/moderations`; faults with path "guard": `say`.
    """

    def __init__(
        self,
        *,
        seconds: float = 0.0,
        word_seconds: float = 0.0,
        port: int = 0,
        script: Script | None = None,
        profile: str = "openai",
    ) -> None:
        self.faults = Faults()
        self.requests: list[dict[str, Any]] = []
        #: Tokens of them, and those that its cache of prefixes had.
        self.counted: Counter[str] = Counter()
        #: Requests that its profile did not take.
        self.refused = 0
        self.profile = PROFILES[profile]
        #: Beginnings of requests that are in its cache of prefixes.
        self._cached: list[str] = []
        self._seconds = seconds
        self._word_seconds = word_seconds
        self._script = script or Script()
        self.guard = guard.GuardScript()
        application = web.Application(client_max_size=32 * 1024 * 1024)
        application.router.add_get("/v1/models", self._models)
        application.router.add_post("/v1/chat/completions", self._completions)
        application.router.add_get("/props", self._props)
        application.router.add_post("/tokenize", self._tokenize)
        application.router.add_post("/v1/audio/transcriptions", self._transcriptions)
        application.router.add_post("/v1/moderations", self._moderations)
        self.faults.install(application)
        self._server = HttpServer(application, port=port)

    @property
    def instructions(self) -> str:
        """What the last request told the model, wherever in it."""
        return "\n".join(str(each["content"]) for each in self.requests[-1]["messages"] if each["role"] == "system")

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
        entry: dict[str, Any] = {"id": MODEL, "object": "model", "owned_by": self.profile.owned_by}
        if self.profile.tells_context == "models":
            entry["max_model_len" if self.profile.name == "vllm" else "context_length"] = self.profile.context
        return web.json_response({"object": "list", "data": [entry]})

    async def _props(self, _request: web.Request) -> web.Response:
        if self.profile.tells_context != "props":
            return web.json_response({"error": "not found"}, status=404)
        return web.json_response({"default_generation_settings": {"n_ctx": self.profile.context}, "total_slots": 1})

    async def _tokenize(self, request: web.Request) -> web.Response:
        if not self.profile.tokenizes:
            return web.json_response({"error": "not found"}, status=404)
        body = await request.json()
        count = tokens(str(body.get("content") or body.get("prompt")))
        if self.profile.name == "vllm":
            return web.json_response({"count": count, "max_model_len": self.profile.context})
        return web.json_response({"tokens": list(range(count))})

    async def _completions(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {API_KEY}":
            return _error(401, "invalid_api_key", "Incorrect API key provided.")
        body = await request.json()
        if body.get("messages") and body.get("model") != MODEL:
            return self._of_another_model(body)
        return self._refusal(body) or await self._answered(request, body)

    def _refusal(self, body: dict[str, Any]) -> web.Response | None:
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            return _error(400, "invalid_request_error", "'messages' must be a non-empty list.")
        if refused := self.profile.refuses_request(body):
            self.refused += 1
            return web.json_response(refused[1], status=refused[0])
        return None

    async def _answered(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        messages = body["messages"]
        self.requests.append(body)
        usage = self._count(messages)
        await asyncio.sleep(self._seconds)
        text, finish = self._answer(body)
        usage |= {"completion_tokens": tokens(text), "total_tokens": usage["prompt_tokens"] + tokens(text)}
        said = Said(text, None if self.profile.is_silent_about_ends and finish == "stop" else finish, usage)
        if body.get("stream") and self.profile.stream != "whole":
            told = bool((body.get("stream_options") or {}).get("include_usage"))
            try:
                return await Stream(self.profile, self.faults, self._word_seconds).send(request, said, told=told)
            except ConnectionError:
                # Whoever asked has gone, as a client does that no longer needs the answer.
                return web.Response()
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": said.finish}
        return web.json_response(envelope("chat.completion", choice) | {"usage": said.usage})

    def _count(self, messages: Messages) -> dict[str, Any]:
        """Tokens of a request, and how many of them the cache of prefixes has."""
        text = "\n".join(f"{message['role']}: {message.get('content', '')}" for message in messages)
        shared = max((_shared(text, each) for each in self._cached), default=0)
        self._cached = [*self._cached, text][-CACHED:]
        prompt, cached = prompt_tokens(messages), tokens(text[:shared])
        self.counted.update(prompt_tokens=prompt, cached_tokens=cached)
        return {"prompt_tokens": prompt, "prompt_tokens_details": {"cached_tokens": cached}}

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
            envelope(
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

    def _answer(self, body: dict[str, Any]) -> tuple[str, str]:
        """What is said, and why it ends."""
        messages = body["messages"]
        reply = self._script.reply(messages)
        text = self._shaped(reply, body)
        stop = self.profile.stop
        if fault := self._fault_of_summary(messages, reply):
            return fault.text, stop
        fault = (
            self.faults.take("completion", "no_scene", "broken_scene", "empty", "say", "finish")
            if reply.spoken
            else None
        )
        if fault is None:
            return text, stop
        said = {
            "no_scene": reply.text,
            "broken_scene": text[: len(text) - len(reply.scene_line) // 2],
            "empty": "",
            "say": fault.text,
            "finish": "" if fault.text in FILTERS else reply.text[: len(reply.text) * 2 // 3],
        }
        return said[fault.kind], fault.text if fault.kind == "finish" else stop

    def _fault_of_summary(self, messages: Messages, reply: Reply) -> Fault | None:
        is_summary = not reply.spoken and "Summarise this dialogue" in str(messages[0]["content"])
        return self.faults.take("summary", "say") if is_summary else None

    def _shaped(self, reply: Reply, body: dict[str, Any]) -> str:
        """Words and scene as an object where that is asked for, else with a line."""
        asked = body.get("response_format") or script.asks_for_object(body["messages"])
        if reply.spoken and reply.scene and asked and self.profile.schema != "ignored":
            return json.dumps({"reply": reply.text, "scene": reply.scene}, ensure_ascii=False)
        return f"{reply.text}\n\n{reply.scene_line}".strip()


def _shared(first: str, second: str) -> int:
    """Characters that both begin with."""
    least, most = 0, min(len(first), len(second))
    while least < most:
        middle = (least + most + 1) // 2
        least, most = (middle, most) if first[:middle] == second[:middle] else (least, middle - 1)
    return least


def _error(status: int, code: str, message: str) -> web.Response:
    kind = "invalid_request_error"
    return web.json_response(
        {"error": {"message": message, "type": kind, "param": None, "code": code}}, status=status
    )
