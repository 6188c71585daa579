"""The language model behind any OpenAI-compatible server, through the official client."""

import asyncio
from collections.abc import Sequence
from typing import Literal, TypedDict

import openai
import structlog
from openai import AsyncOpenAI

from bot.settings import Settings

log = structlog.get_logger(__name__)


class ChatMessage(TypedDict):
    role: Literal["system", "user", "assistant"]
    content: str


class LanguageModelUnavailable(Exception):
    """No usable answer: the server is down, too slow, over its limits, or answered nothing."""


class LanguageModel:
    """One client for the life of the process.

    One answer may take `llm_timeout` seconds, retries included. 429, 5xx and broken connections are tried
    twice more by the client itself, which obeys `Retry-After`.
    """

    def __init__(self, settings: Settings, *, retries: int = 2) -> None:
        self._model = settings.llm_model
        self._max_tokens = settings.llm_max_tokens
        self._timeout = settings.llm_timeout
        self._client = AsyncOpenAI(
            base_url=settings.llm_base_url,
            api_key=settings.llm_api_key.get_secret_value(),
            timeout=settings.llm_timeout,
            max_retries=retries,
        )

    async def answer(self, messages: Sequence[ChatMessage]) -> str:
        """The model's text. Raises LanguageModelUnavailable."""
        try:
            async with asyncio.timeout(self._timeout):
                completion = await self._client.chat.completions.create(
                    model=self._model,
                    messages=list(messages),  # type: ignore[arg-type]
                    max_tokens=self._max_tokens,
                    temperature=0.9,
                )
        except (openai.OpenAIError, TimeoutError) as error:
            # The body of an error can repeat the chat: only its kind and status are logged.
            status = getattr(error, "status_code", None)
            log.warning("language_model.unavailable", error=type(error).__name__, status=status)
            raise LanguageModelUnavailable(type(error).__name__) from error
        text = _text_of(completion)
        if not text.strip():
            log.warning("language_model.empty_answer")
            raise LanguageModelUnavailable("empty answer")
        return text

    async def close(self) -> None:
        await self._client.close()


def _text_of(completion: object) -> str:
    """The answer's text, or nothing: servers that call themselves compatible send all sorts of things."""
    choices = getattr(completion, "choices", None) or [None]
    content = getattr(getattr(choices[0], "message", None), "content", None)
    return content if isinstance(content, str) else ""
