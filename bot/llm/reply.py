"""What a server sends for one request, put together: pieces of a stream or a whole answer, in any shape.

Servers that call themselves compatible differ here: content as a list of parts, each piece with all that came
before it, whole answers to requests for a stream, errors inside of a stream, halves of a surrogate pair in two
pieces, a broken line in between.
"""

import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from bot.personas.repetition import goes_round
from generation.runtime.plain_text import plain_text

#: Bytes of an answer; more is no answer.
MOST_BYTES = 4 * 1024 * 1024
#: Characters between two looks whether a model goes round in circles.
LOOKED_AFTER = 200

#: Names of servers for the ends that the OpenAI API knows.
_ENDS = {
    "stop": "stop", "eos": "stop", "eos_token": "stop", "end_turn": "stop", "stop_sequence": "stop", "end": "stop",
    "tool_calls": "stop", "function_call": "stop", "complete": "stop", "completed": "stop", "done": "stop",
    "length": "length", "max_tokens": "length", "model_length": "length", "model_context_window_exceeded": "length",
    "content_filter": "filter", "safety": "filter", "refusal": "filter", "recitation": "filter",
    "prohibited_content": "filter", "blocklist": "filter", "sensitive": "filter",
}  # fmt: skip
_HIGH, _SURROGATES = re.compile("[\ud800-\udbff]\\Z"), re.compile("[\ud800-\udfff]")


class TooMuch(Exception):
    """More bytes than an answer has."""


@dataclass(frozen=True, slots=True)
class ReplyError:
    """An error inside an answer that began well: the status that it would have had, and what the server wrote."""

    status: int | None
    text: str
    code: str = ""
    #: To ask once more would not help.
    is_final: bool = False


class Reply:
    """One answer as it comes. `on_text` is given the whole text so far, each time more of it has come."""

    def __init__(self, on_text: Callable[[str], None] | None = None) -> None:
        self._on_text = on_text
        self.text = ""
        #: stop, length, filter, loop, error; None until the server names one.
        self.finish: str | None = None
        #: The stream was ended as streams are.
        self.is_done = False
        self.error: ReplyError | None = None
        self.usage: dict[str, int] = {}
        self.broken_lines = 0
        self._held = ""
        self._last_piece = ""
        self._joined = ""
        self._is_cumulative = True
        self._pieces = 0
        self._looked_at = 0

    async def read(self, content: AsyncIterator[bytes]) -> None:
        """All of a response's body, or as much as is needed. Raises TooMuch."""
        other, size, is_stream = bytearray(), 0, False
        async for line in _lines(content):
            size += len(line)
            if size > MOST_BYTES:
                raise TooMuch
            field, _, value = line.partition(b":")
            if field.strip() == b"data":
                is_stream = True
                if value.strip() == b"[DONE]":
                    self.is_done = True
                    return
                self._feed_line(value)
                if self.error or self.finish == "loop":
                    return
            elif not is_stream and field.strip() not in {b"event", b"id", b"retry", b""}:
                other += line
        if not is_stream and other:
            # Asked for a stream, it gave a whole answer.
            self._feed_line(bytes(other))
            self.is_done = self.error is None

    def _feed_line(self, line: bytes) -> None:
        try:
            self.feed(json.loads(line.decode("utf-8", "replace")))
        except (ValueError, RecursionError):
            self.broken_lines += 1

    def feed(self, payload: Any) -> None:
        """One piece of a stream, or a whole answer, as JSON values."""
        if not isinstance(payload, dict):
            return
        if error := _error(payload):
            self.error, self.finish = error, "error"
            return
        self.usage |= _usage(payload.get("timings")) | _usage(payload.get("usage"))
        choices = payload.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict):
            return
        if error := _error(choice):
            self.error, self.finish = error, "error"
            return
        parts = [choice[name] for name in ("delta", "message") if isinstance(choice.get(name), dict)]
        part: dict[str, Any] = parts[0] if parts else {}
        if self.text and "delta" not in choice and "message" in choice:
            # The whole answer once more, at its end.
            self._joined = self._last_piece = ""
            self._pieces = 0
        self._add(_text(part.get("content")) or _text(choice.get("text")))
        if isinstance(reason := choice.get("finish_reason"), str) and reason:
            self.finish = "error" if reason == "error" else _ENDS.get(reason.lower(), "stop")
        if not self.text and _text(part.get("refusal")):
            self.finish = "filter"

    def _add(self, piece: str) -> None:
        if not piece:
            return
        piece = self._held + piece
        self._held = ""
        if half := _HIGH.search(piece):
            self._held, piece = half[0], piece[: half.start()]
        piece = plain_text(_paired(piece))
        # Some send with each piece all that came before it.
        grows = piece.startswith(self._last_piece) and len(piece) > len(self._last_piece)
        self._is_cumulative = self._is_cumulative and (grows or not self._pieces)
        self._joined += piece
        self._last_piece = piece
        self._pieces += 1
        before = self.text
        self.text = piece if self._is_cumulative else self._joined
        if self._on_text and self.text != before:
            self._on_text(self.text)
        if len(self.text) - self._looked_at >= LOOKED_AFTER:
            self._looked_at = len(self.text)
            if goes_round(self.text):
                self.finish = "loop"


async def _lines(content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Lines of bytes: what ends a line of text may stand inside of a JSON string."""
    rest = b""
    async for chunk in content:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line
        if len(rest) > MOST_BYTES:
            raise TooMuch
    if rest:
        yield rest


def _text(content: Any) -> str:
    """A content's words: a text, or a list of parts of which thoughts are none."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(
            str(part.get("text") or "")
            for part in content
            if isinstance(part, dict) and part.get("type", "text") in {"text", "output_text"}
        )
    return ""


def _paired(text: str) -> str:
    """The same with pairs of surrogates as the characters that they stand for."""
    if not _SURROGATES.search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _error(payload: dict[str, Any]) -> ReplyError | None:
    error = payload.get("error")
    if not error and payload.get("object") == "error":
        error = payload
    if not error:
        return None
    if not isinstance(error, dict):
        return ReplyError(None, str(error))
    code = error.get("code") or error.get("status") or error.get("type")
    numbers = (error.get(name) for name in ("code", "status", "status_code", "http_status"))
    status = next((number for each in numbers if (number := _status(each))), None)
    status = status or _STATUS_OF.get(str(error.get("type") or code))
    passes = status is None or status in {408, 409, 429} or status >= 500
    return ReplyError(status, json.dumps(error), str(code or ""), is_final=not passes)


def _status(value: Any) -> int | None:
    text = str(value)
    return int(text) if text.isdecimal() and 400 <= int(text) < 600 else None


#: Servers that name an error by its kind alone.
_STATUS_OF = {
    "rate_limit_error": 429, "rate_limit_exceeded": 429, "overloaded_error": 529, "server_error": 500,
    "api_error": 500, "internal_error": 500, "timeout_error": 504, "authentication_error": 401,
    "billing_error": 402, "insufficient_quota": 402, "permission_error": 403, "not_found_error": 404,
    "invalid_request_error": 400, "exceed_context_size_error": 400,
}  # fmt: skip


def _usage(counted: Any) -> dict[str, int]:
    """Tokens as the server counted them: prompt_tokens, completion_tokens, cached_tokens."""
    if not isinstance(counted, dict):
        return {}
    details = counted.get("prompt_tokens_details")
    cached = (details if isinstance(details, dict) else {}).get("cached_tokens")
    found = {
        "prompt_tokens": counted.get("prompt_tokens", counted.get("input_tokens")),
        "completion_tokens": counted.get("completion_tokens", counted.get("output_tokens")),
        # OpenAI and vLLM; DeepSeek; Anthropic-like layers; llama.cpp's timings.
        "cached_tokens": cached
        if cached is not None
        else counted.get("prompt_cache_hit_tokens", counted.get("cache_read_input_tokens", counted.get("cache_n"))),
    }
    return {name: value for name, value in found.items() if isinstance(value, int) and value >= 0}
