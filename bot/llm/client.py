"""The language model behind any OpenAI-compatible server, through the official client."""

import asyncio
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

import openai
import structlog
from openai import AsyncOpenAI

from bot import metrics
from bot.settings import Settings
from bot.telegram.own_time import away
from generation.runtime.plain_text import plain_text

log = structlog.get_logger(__name__)


class ChatMessage(TypedDict):
    """One message of a request, in the form of the OpenAI API."""

    role: Literal["system", "user", "assistant"]
    #: Text, or the API's list of parts where a picture goes along.
    content: str | list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Completion:
    """What a model said; tokens are None where the server does not count them."""

    text: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


#: Is given the whole text so far, each time more of it has come.
OnText = Callable[[str], None]
#: Streams that broke off in the middle and are asked for once more from the beginning.
BROKEN_STREAMS = 1


class LanguageModelUnavailable(Exception):
    """No usable answer: the server is down, too slow, over its limits, or answered nothing."""


class LanguageModel:
    """One client for the life of the process.

    One answer may take `llm_timeout` seconds, retries included. 429, 5xx and broken connections are tried
    twice more by the client itself, which obeys `Retry-After`.
    """

    def __init__(
        self, settings: Settings, *, retries: int = 2, failed: Callable[[str], None] = lambda _kind: None
    ) -> None:
        """`failed` hears of every call without a usable answer."""
        self._failed = failed
        self._model = settings.llm_model
        self._max_tokens = settings.llm_max_tokens
        self._timeout = settings.llm_timeout
        self._client = AsyncOpenAI(
            base_url=settings.llm_base_url,
            api_key=settings.llm_api_key.get_secret_value(),
            timeout=settings.llm_timeout,
            max_retries=retries,
        )

    async def answer(self, messages: Sequence[ChatMessage], on_text: OnText | None = None) -> Completion:
        """The model's text, shown to `on_text` while it is written. Raises LanguageModelUnavailable."""
        ask = self._whole if on_text is None else self._streamed
        try:
            with away(), metrics.MODEL_SECONDS.time():
                async with asyncio.timeout(self._timeout):
                    said = await ask(list(messages), on_text or _ignore)
        except (openai.OpenAIError, TimeoutError) as error:
            # The body of an error can repeat the chat: only its kind and status are logged.
            status = getattr(error, "status_code", None)
            log.warning("language_model.unavailable", error=type(error).__name__, status=status)
            self._note(f"{type(error).__name__} {status or ''}".strip())
            raise LanguageModelUnavailable(type(error).__name__) from error
        if not said.text.strip():
            log.warning("language_model.empty_answer")
            self._note("empty answer")
            raise LanguageModelUnavailable("empty answer")
        return said

    def _note(self, kind: str) -> None:
        metrics.MODEL_ERRORS.labels(kind).inc()
        self._failed(kind)

    async def transcribe(self, voice: bytes, model: str) -> str:
        """What is said in a voice message (OGG). Raises LanguageModelUnavailable."""
        try:
            with away():
                async with asyncio.timeout(self._timeout):
                    heard = await self._client.audio.transcriptions.create(
                        model=model, file=("voice.ogg", io.BytesIO(voice), "audio/ogg")
                    )
        except (openai.OpenAIError, TimeoutError) as error:
            log.warning("language_model.not_transcribed", error=type(error).__name__)
            self._note(type(error).__name__)
            raise LanguageModelUnavailable(type(error).__name__) from error
        return plain_text(str(getattr(heard, "text", ""))).strip()

    async def _whole(self, messages: list[ChatMessage], _on_text: OnText) -> Completion:
        whole = await self._client.chat.completions.create(**self._request(messages))
        return Completion(text=plain_text(_text_of(whole)), **_tokens(whole))

    async def _streamed(self, messages: list[ChatMessage], on_text: OnText) -> Completion:
        for left in reversed(range(BROKEN_STREAMS + 1)):
            try:
                return await self._stream(messages, on_text)
            except openai.APIConnectionError:
                if not left:
                    raise
                log.info("language_model.stream_broke")
        raise AssertionError("unreachable")

    async def _stream(self, messages: list[ChatMessage], on_text: OnText) -> Completion:
        text, tokens = "", dict[str, int]()
        stream = await self._client.chat.completions.create(**self._request(messages), stream=True)
        async with stream:
            async for chunk in stream:
                tokens |= _tokens(chunk)
                if piece := plain_text(_piece_of(chunk)):
                    text += piece
                    on_text(text)
        return Completion(text=text, **tokens)

    def _request(self, messages: list[ChatMessage]) -> dict[str, Any]:
        return {"model": self._model, "messages": messages, "max_tokens": self._max_tokens, "temperature": 0.9}

    async def close(self) -> None:
        """Close its connections."""
        await self._client.close()


def _ignore(_text: str) -> None:
    pass


def _piece_of(chunk: object) -> str:
    choices = getattr(chunk, "choices", None) or [None]
    content = getattr(getattr(choices[0], "delta", None), "content", None)
    return content if isinstance(content, str) else ""


def _tokens(counted: object) -> dict[str, int]:
    """What the server counted, of an answer or of the chunk that tells it."""
    usage = getattr(counted, "usage", None)
    found = {name: getattr(usage, name, None) for name in ("prompt_tokens", "completion_tokens")}
    return {name: value for name, value in found.items() if isinstance(value, int) and value >= 0}


def _text_of(completion: object) -> str:
    """The answer's text, or nothing: servers that call themselves compatible send all sorts of things."""
    choices = getattr(completion, "choices", None) or [None]
    content = getattr(getattr(choices[0], "message", None), "content", None)
    return content if isinstance(content, str) else ""
