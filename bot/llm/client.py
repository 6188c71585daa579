"""The language model of this process: a server, and another one that stands in while the first cannot answer."""

import asyncio
import io
import time
from collections.abc import Callable, Sequence

import openai
import structlog

from bot import metrics
from bot.llm.profiles import ChatMessage
from bot.llm.question import Completion, LanguageModelUnavailable, OnText
from bot.llm.server import ModelServer
from bot.settings import LlmSettings
from bot.telegram.own_time import away
from generation.runtime.plain_text import plain_text

log = structlog.get_logger(__name__)

#: Seconds for which a server that failed is passed over while another one answers; more where only an operator
#: helps.
REST, LASTING_REST = 20.0, 120.0


class LanguageModel:
    """One for the life of the process. One answer of a server may take `llm_timeout` seconds, retries included."""

    def __init__(
        self,
        settings: LlmSettings,
        *,
        retries: int = 2,
        failed: Callable[[str], None] = lambda _kind: None,
        changed: Callable[[ModelServer], None] = lambda _server: None,
    ) -> None:
        """`failed` hears of every call without a usable answer, `changed` of what is known of a server."""
        self._failed = failed
        self.servers = [
            ModelServer(
                address,
                max_tokens=settings.llm_max_tokens,
                timeout=settings.llm_timeout,
                retries=retries,
                changed=changed,
            )
            for address in settings.model_addresses
        ]
        self._timeout = settings.llm_timeout
        self._rests_until: dict[str, float] = {}

    @property
    def is_structured(self) -> bool:
        """Whether an object with words and scene may be asked for; else a line after the words."""
        return self.servers[0].profile.is_structured is not False

    @property
    def room(self) -> int | None:
        """Tokens that a request may have, by the smallest context; None where none is known."""
        return min((server.room for server in self.servers if server.room is not None), default=None)

    def count(self, text: str) -> int:
        """Tokens of a message with this text."""
        return self.servers[0].profile.rates.count(text)

    def count_all(self, messages: Sequence[ChatMessage]) -> int:
        """Tokens of a request."""
        return self.servers[0].count(messages)

    async def answer(
        self,
        messages: Sequence[ChatMessage],
        on_text: OnText | None = None,
        *,
        structured: bool = False,
        again: bool = False,
    ) -> Completion:
        """As of `ModelServer.answer`, by the first server that can."""
        failure: LanguageModelUnavailable | None = None
        with away(), metrics.MODEL_SECONDS.time():
            for server in self._in_turn():
                try:
                    said = await server.answer(messages, on_text, structured=structured, again=again)
                except LanguageModelUnavailable as error:
                    if error.kind == "filter":
                        return Completion(text="", finish="filter")
                    self._failed(error.kind)
                    self._rest(server, error)
                    failure = failure if failure and failure.partial else error
                else:
                    self._rests_until.pop(server.key, None)
                    return said
        if failure and failure.partial:
            return failure.partial
        raise failure or LanguageModelUnavailable("no server")

    def _in_turn(self) -> list[ModelServer]:
        """Those that rest come last: the first one gets its place back when its rest is over."""
        now = time.monotonic()
        return sorted(self.servers, key=lambda server: self._rests_until.get(server.key, 0.0) > now)

    def _rest(self, server: ModelServer, error: LanguageModelUnavailable) -> None:
        if len(self.servers) > 1:
            self._rests_until[server.key] = time.monotonic() + (LASTING_REST if error.lasts else REST)
            log.warning("language_model.rests", server=server.profile.family, why=error.kind)

    async def transcribe(self, voice: bytes, model: str) -> str:
        """What is said in a voice message (OGG). Raises LanguageModelUnavailable."""
        try:
            with away():
                async with asyncio.timeout(self._timeout):
                    heard = await self.servers[0].client.audio.transcriptions.create(
                        model=model, file=("voice.ogg", io.BytesIO(voice), "audio/ogg")
                    )
        except (openai.OpenAIError, TimeoutError) as error:
            log.warning("language_model.not_transcribed", error=type(error).__name__)
            metrics.MODEL_ERRORS.labels(type(error).__name__).inc()
            self._failed(type(error).__name__)
            raise LanguageModelUnavailable(type(error).__name__) from error
        return plain_text(str(getattr(heard, "text", ""))).strip()

    async def close(self) -> None:
        """Close its connections."""
        for server in self.servers:
            await server.close()
