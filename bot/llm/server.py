"""One language model on one OpenAI-compatible server: asked through the official client, and learnt about."""

import asyncio
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2
import openai
import structlog
from openai import AsyncOpenAI

from bot import metrics
from bot.llm.introduction import introduced
from bot.llm.profiles import FAMILIES, ChatMessage, Profile, limit_of, too_long
from bot.llm.question import Completion, LanguageModelUnavailable, OnText, Question, count_tokens
from bot.llm.reply import Reply, ReplyError, TooMuch
from bot.personas.scene import ANSWER_SCHEMA
from bot.settings import ModelAddress

log = structlog.get_logger(__name__)

#: Answers that broke off or failed in the middle, asked for once more from the beginning; seconds before that.
BROKEN, PAUSE = 1, 0.5
#: Refusals that one request may learn from.
LESSONS = 8
#: Answers in a row that are no object although one was asked for: the server does not know schemas.
NO_OBJECTS = 2
#: Statuses that no repetition changes: key, credit, rights, model.
LASTING = {401: "key", 402: "credit", 403: "rights", 404: "model"}
#: Tokens of history that are left at least, however small a context is.
LEAST_ROOM = 256
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,60}|no end")


@dataclass(slots=True)
class Status:
    """What the operator is shown of a server."""

    last_answer_at: float | None = None
    last_error: str = ""
    last_error_at: float | None = None
    lasts: bool = False
    finish: str = ""
    first_text_seconds: float | None = None
    tokens: dict[str, int] = field(default_factory=dict)


class ModelServer:
    """Lives as long as the process. `changed` hears when what is known of it has changed."""

    def __init__(
        self,
        address: ModelAddress,
        *,
        max_tokens: int,
        timeout: float,
        retries: int,
        changed: Callable[["ModelServer"], None],
    ) -> None:
        """`timeout`: seconds for one answer; `retries` are those of the client, for 429, 5xx and no answer."""
        self.address = address
        known = FAMILIES.get(address.profile, Profile())
        self.profile = known.model_copy(
            update={
                "context": address.context,
                "is_structured": _by_setting(address.structured, known.is_structured),
            }
        )
        self.status = Status()
        self._max_tokens = max_tokens
        self._timeout = timeout
        self._changed = changed
        self._is_introduced = False
        self._no_objects = 0
        self._client = AsyncOpenAI(
            base_url=address.base_url,
            # Servers of one's own want none, and the client wants one.
            api_key=address.api_key.get_secret_value() or "none",
            timeout=timeout,
            max_retries=retries,
        )

    @property
    def key(self) -> str:
        """Names the model on its server."""
        return self.address.key

    @property
    def client(self) -> AsyncOpenAI:
        """For what is no talk, such as a transcription."""
        return self._client

    def remember(self, profile: Profile) -> None:
        """Go on with what was learnt before; what the settings say counts more."""
        kept = {"context": self.address.context or profile.context}
        if self.address.structured != "auto":
            kept["is_structured"] = self.profile.is_structured
        self.profile = profile.model_copy(update=kept)

    @property
    def room(self) -> int | None:
        """Tokens that a request may have; None where the context is not known."""
        if self.profile.context is None:
            return None
        return max(LEAST_ROOM, self.profile.context - min(self._max_tokens, self.profile.context // 4))

    async def answer(
        self,
        messages: Sequence[ChatMessage],
        on_text: OnText | None = None,
        *,
        structured: bool = False,
        again: bool = False,
    ) -> Completion:
        """The model's text, shown to `on_text` while it is written. Raises LanguageModelUnavailable.

        `structured`: the messages ask for an object with the words and the scene; `again`: other words are wanted
        than those that it used before.
        """
        asked = Question(list(messages), on_text, structured=structured, again=again)
        try:
            async with asyncio.timeout(self._timeout):
                if not self._is_introduced:
                    await self._introduce()
                said = await self._until_answered(asked)
        except TimeoutError:
            # What the person saw growing does not vanish.
            if partial := asked.partial("timeout"):
                self._failed("timeout", status=None)
                return partial
            raise self._failed("timeout", status=None) from None
        if not said.text.strip() and said.finish != "filter":
            raise self._failed("empty answer", status=None)
        self._answered(said)
        return said

    # -- asking ----------------------------------------------------------------------------------------

    async def _introduce(self) -> None:
        """Ask once what it is, how large its context is and how it counts tokens."""
        self._is_introduced = True
        learnt = await introduced(self._client, self.address.model, self.profile)
        if self.address.context:
            learnt = learnt.model_copy(update={"context": self.address.context})
        self._learn(learnt)

    async def _until_answered(self, asked: Question) -> Completion:
        broken = lessons = 0
        while True:
            self._fit(asked)
            failure = await self._attempt(asked, is_last=broken >= BROKEN)
            if failure is None:
                return self._completion(asked)
            if lessons < LESSONS and self._learns_from(failure, asked):
                lessons += 1
                continue
            broken += 1
            if failure.is_final or broken > BROKEN:
                raise self._refused(failure, asked)
            log.info("language_model.asked_again", why=failure.code, status=failure.status)
            await asyncio.sleep(PAUSE)

    async def _attempt(self, asked: Question, *, is_last: bool) -> ReplyError | None:
        """Ask once; None when a whole answer came."""
        try:
            await self._stream(asked)
        except openai.APIStatusError as error:
            # The client has repeated what passes. The text may repeat the chat: it is read and never logged.
            return ReplyError(error.status_code, _body(error), _code_of(error), is_final=True)
        except (openai.APIConnectionError, httpx2.HTTPError, TooMuch) as error:
            return ReplyError(None, "", type(error).__name__)
        except RuntimeError:
            if not self._client.is_closed():
                raise
            return ReplyError(None, "", "closed", is_final=True)
        if asked.reply.error:
            return asked.reply.error
        return None if self._is_whole(asked.reply, is_last=is_last) else ReplyError(None, "", "no end")

    async def _stream(self, asked: Question) -> None:
        asked.reply = Reply(asked.on_text and asked.noting_first(asked.on_text))
        asked.began = time.perf_counter()
        request = self._request(asked)
        async with self._client.chat.completions.with_streaming_response.create(**request) as response:
            await asked.reply.read(response.http_response.aiter_bytes())
        if asked.reply.broken_lines:
            log.warning("language_model.broken_lines", count=asked.reply.broken_lines)

    def _request(self, asked: Question) -> dict[str, Any]:
        wanted = self._wanted(asked)
        taken = self.profile.parameters(wanted, self._most_tokens(asked))
        # As extra body: the client would walk through what it knows, message by message, on the hot path.
        body = taken | {"messages": self.profile.shaped(asked.messages)}
        return {
            "model": self.address.model,
            "messages": (),
            "stream": bool(taken.pop("stream", False)),
            "extra_body": body,
        }

    def _most_tokens(self, asked: Question) -> int:
        """Tokens of an answer: what the settings allow, within what the context leaves."""
        context = self.profile.context
        left = self._max_tokens if context is None else context - self.count(asked.messages)
        return min(self._max_tokens, max(left, LEAST_ROOM // 2))

    def _wanted(self, asked: Question) -> dict[str, Any]:
        wanted: dict[str, Any] = {
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": self.address.temperature,
            **self.address.extra_body,
        }
        if self.address.reasoning_effort:
            wanted["reasoning_effort"] = self.address.reasoning_effort
        if self.address.stop:
            wanted["stop"] = list(self.address.stop)
        if asked.again:
            wanted |= {"frequency_penalty": 0.6, "presence_penalty": 0.6}
        if asked.structured and self.profile.is_structured is not False:
            wanted["response_format"] = ANSWER_SCHEMA
        if "stream" in self.profile.without:
            del wanted["stream_options"]
        return wanted

    def _fit(self, asked: Question) -> None:
        """Leave out the oldest messages of the talk until the rest fits into the context."""
        room = self.room
        while room is not None and self.count(asked.messages) > room and asked.shorten():
            pass

    def count(self, messages: Sequence[ChatMessage]) -> int:
        """Tokens of a request, as far as is known how this server counts."""
        return sum(count_tokens(message, self.profile) for message in messages)

    # -- judging ---------------------------------------------------------------------------------------

    def _is_whole(self, reply: Reply, *, is_last: bool) -> bool:
        if reply.finish is not None:
            return reply.finish != "error"
        if reply.is_done and reply.text and (is_last or self.profile.is_silent_about_ends):
            # Twice without a word about why it ended: some servers never say it.
            self._learn(self.profile.model_copy(update={"is_silent_about_ends": True}))
            return True
        return False

    def _learns_from(self, refusal: ReplyError, asked: Question) -> bool:
        """Whether the same request in another form may be taken."""
        if refusal.status in LASTING and refusal.status != 404:
            return False
        if too_long(refusal.text) or refusal.status == 413:
            if limit := limit_of(refusal.text):
                self._learn(self.profile.model_copy(update={"context": limit}))
                self._fit(asked)
            return asked.halve()
        if refusal.status == 429:
            return False
        taught = self.profile.taught(refusal.text, self._wanted(asked).keys())
        if taught is None:
            return False
        self._learn(taught)
        return True

    def _refused(self, refusal: ReplyError, asked: Question) -> LanguageModelUnavailable:
        if "content_filter" in refusal.text or "content_policy" in refusal.text:
            return LanguageModelUnavailable("filter")
        code = refusal.code if _CODE.fullmatch(refusal.code) and refusal.code != str(refusal.status) else ""
        why = "credit" if code == "insufficient_quota" else LASTING.get(refusal.status or 0, "")
        kind = " ".join(filter(None, (str(refusal.status or ""), why, code)))
        return self._failed(
            kind or "refused", status=refusal.status, lasts=bool(why), partial=asked.partial("broken")
        )

    def _failed(
        self, kind: str, *, status: int | None, lasts: bool = False, partial: Completion | None = None
    ) -> LanguageModelUnavailable:
        log.warning(
            "language_model.unavailable", error=kind, status=status, server=self.profile.family, lasts=lasts
        )
        metrics.MODEL_ERRORS.labels(kind).inc()
        self.status.last_error, self.status.last_error_at, self.status.lasts = kind, time.time(), lasts
        self._changed(self)
        return LanguageModelUnavailable(kind, lasts=lasts, partial=partial)

    def _completion(self, asked: Question) -> Completion:
        reply = asked.reply
        # One that was cut off is no object, whatever the server knows.
        is_told = asked.structured and reply.finish in {"stop", None} and reply.text.strip()
        if is_told and self.profile.is_structured is not False:
            self._note_object(_is_object(reply.text))
        if counted := reply.usage.get("prompt_tokens"):
            rates = self.profile.rates.corrected(estimated=self.count(asked.messages), counted=counted)
            self._learn(self.profile.model_copy(update={"rates": rates}))
        return Completion(
            text=reply.text,
            finish=reply.finish or "stop",
            is_shortened=asked.is_shortened,
            first_text_seconds=asked.first_seconds,
            **reply.usage,
        )

    def _note_object(self, came: bool) -> None:
        self._no_objects = 0 if came else self._no_objects + 1
        if came and self.profile.is_structured is None:
            self._learn(self.profile.model_copy(update={"is_structured": True}))
        if self._no_objects >= NO_OBJECTS and self.address.structured == "auto":
            # It took the schema and did not keep to it.
            self._learn(self.profile.model_copy(update={"is_structured": False}))

    def _learn(self, profile: Profile) -> None:
        if profile == self.profile:
            return
        old, new = self.profile.model_dump(), profile.model_dump()
        log.info("language_model.learnt", **{name: value for name, value in new.items() if value != old[name]})
        self.profile = profile
        self._changed(self)

    def _answered(self, said: Completion) -> None:
        self.status.last_answer_at, self.status.finish = time.time(), said.finish
        self.status.first_text_seconds = said.first_text_seconds
        for name in ("prompt_tokens", "completion_tokens", "cached_tokens"):
            if count := getattr(said, name):
                self.status.tokens[name] = self.status.tokens.get(name, 0) + count
                metrics.MODEL_TOKENS.labels(name.removesuffix("_tokens")).inc(count)
        metrics.MODEL_ENDS.labels(said.finish).inc()
        if said.first_text_seconds is not None:
            metrics.MODEL_FIRST_TEXT.observe(said.first_text_seconds)
        log.debug(
            "language_model.answered",
            server=self.profile.family,
            finish=said.finish,
            prompt_tokens=said.prompt_tokens,
            completion_tokens=said.completion_tokens,
            cached_tokens=said.cached_tokens,
            first_text_seconds=said.first_text_seconds,
        )
        self._changed(self)

    async def close(self) -> None:
        """Close its connections."""
        await self._client.close()


def _by_setting(setting: str, known: bool | None) -> bool | None:
    return known if setting == "auto" else setting == "on"


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text[text.index("{") : text.rindex("}") + 1]), dict)
    except (ValueError, RecursionError):
        return False


def _body(error: openai.APIStatusError) -> str:
    return (
        json.dumps(error.body) if isinstance(error.body, Mapping) else str(error.body or error.response.text[:2000])
    )


def _code_of(error: openai.APIStatusError) -> str:
    body = error.body if isinstance(error.body, Mapping) else {}
    return str(body.get("code") or body.get("type") or "")
