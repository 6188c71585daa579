"""The servers that the stand-in can be: what each takes, refuses and says of itself, in its own words.

Sources: the originals' references, chat templates and public reports, 2026-11: OpenAI, DeepSeek, Anthropic's
compatibility layer, OpenRouter, llama.cpp (run here), vLLM, Ollama, LM Studio, the templates of Mistral and Gemma.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Refusal = tuple[int, dict[str, Any]]
_TOKEN = re.compile(r"\w{1,4}|[^\w\s]")


def tokens(text: str) -> int:
    """The stand-in's own vocabulary: up to four letters, or one sign."""
    return len(_TOKEN.findall(text))


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerProfile:
    """One kind of server."""

    name: str
    owned_by: str = "vitte"
    #: Where a system message may stand, and whether user and assistant must take turns.
    system: Literal["anywhere", "first", "nowhere"] = "anywhere"
    alternates: bool = False
    max_tokens_name: str = "max_tokens"
    #: Parameters that it answers with 400, and the words for it.
    refuses: tuple[str, ...] = ()
    refusal: str = "Unsupported parameter: '{name}' is not supported with this model."
    #: Whether a JSON schema is kept to; refused; or taken and not kept to.
    schema: Literal["kept", "refused", "ignored"] = "kept"
    context: int | None = None
    #: What it says when the context is too small; `n_ctx` beside it as llama.cpp does.
    too_long: str = (
        "This model's maximum context length is {context} tokens. However, your messages resulted in {count} "
        "tokens. Please reduce the length of the messages."
    )
    too_long_code: str = "context_length_exceeded"
    #: Where it says its context, and whether it has /tokenize.
    tells_context: Literal["", "props", "models"] = ""
    tokenizes: bool = False
    #: How it streams.
    stream: Literal["pieces", "cumulative", "parts", "whole"] = "pieces"
    #: It thinks first, in a field of its own; comment lines keep the connection open.
    reasons: bool = False
    comments: bool = False
    #: Its names for the end.
    stop: str = "stop"
    is_silent_about_ends: bool = False

    def refuses_request(self, body: dict[str, Any]) -> Refusal | None:
        """Why it does not take a request: status and body."""
        return self._refuses_parameters(body) or self._refuses_messages(body["messages"]) or self._too_long(body)

    def _refuses_parameters(self, body: dict[str, Any]) -> Refusal | None:
        other = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}[self.max_tokens_name]
        if other in body:
            said = f"Unsupported parameter: '{other}' is not supported. Use '{self.max_tokens_name}' instead."
            return 400, _error(said, "unsupported_parameter")
        for name in self.refuses:
            if body.get(name) is not None:
                return 400, _error(self.refusal.format(name=name), "unsupported_parameter")
        if self.schema == "refused" and body.get("response_format"):
            return 400, _error("This response_format type is unavailable now", "invalid_request_error")
        return None

    def _refuses_messages(self, messages: Sequence[dict[str, Any]]) -> Refusal | None:
        roles = [message["role"] for message in messages]
        if self.system == "nowhere" and "system" in roles:
            return 400, _error("System role not supported", "invalid_request_error")
        if self.system == "first" and "system" in roles[1:]:
            return 400, _error("System message must be at the beginning.", "invalid_request_error")
        talk = [role for role in roles if role != "system"]
        if self.alternates and talk != [("user", "assistant")[n % 2] for n in range(len(talk))]:
            return 400, _error(
                "Conversation roles must alternate user/assistant/user/assistant/...", "invalid_request_error"
            )
        if self.alternates and talk and talk[-1] != "user":
            return 400, _error("The last message must be from the user.", "invalid_request_error")
        return None

    def _too_long(self, body: dict[str, Any]) -> Refusal | None:
        count = prompt_tokens(body["messages"])
        wanted = count + (0 if self.name == "llama.cpp" else int(body.get(self.max_tokens_name) or 0))
        if self.context is None or wanted <= self.context:
            return None
        error = _error(self.too_long.format(context=self.context, count=count), self.too_long_code)
        if self.name == "llama.cpp":
            error["error"] |= {
                "n_ctx": self.context,
                "n_prompt_tokens": count,
                "code": 400,
                "type": self.too_long_code,
            }
        return 400, error


def prompt_tokens(messages: Sequence[dict[str, Any]]) -> int:
    """Of a request, with the frame of each message."""
    return sum(tokens(str(message.get("content", ""))) + 4 for message in messages)


def _error(message: str, code: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}


_NO_REASONING_PARAMETERS = ("temperature", "top_p", "stop", "frequency_penalty", "presence_penalty")

PROFILES = {
    each.name: each
    for each in (
        ServerProfile(name="openai", owned_by="openai"),
        ServerProfile(
            name="openai-reasoning",
            max_tokens_name="max_completion_tokens",
            refuses=_NO_REASONING_PARAMETERS,
            refusal="Unsupported value: '{name}' does not support 0.9 with this model, only the default is.",
        ),
        ServerProfile(name="openrouter", comments=True, reasons=True, context=8192, tells_context="models"),
        ServerProfile(name="deepseek", owned_by="deepseek", schema="refused", reasons=True),
        ServerProfile(
            name="anthropic",
            system="first",
            alternates=True,
            schema="refused",
            refuses=("frequency_penalty", "presence_penalty"),
            stop="end_turn",
        ),
        ServerProfile(
            name="llama.cpp",
            owned_by="llamacpp",
            system="first",
            context=4096,
            too_long="request ({count} tokens) exceeds the available context size ({context} tokens)",
            too_long_code="exceed_context_size_error",
            tells_context="props",
            tokenizes=True,
        ),
        ServerProfile(name="vllm", owned_by="vllm", context=8192, tells_context="models", tokenizes=True),
        ServerProfile(name="gemma", system="nowhere", alternates=True, schema="ignored"),
        ServerProfile(name="mistral", owned_by="mistralai", system="first", alternates=True),
        ServerProfile(name="ollama", owned_by="library"),
        ServerProfile(name="lm-studio", owned_by="organization_owner", system="first"),
        # Compatible in name.
        ServerProfile(name="cumulative", stream="cumulative", schema="ignored", is_silent_about_ends=True),
        ServerProfile(name="parts", stream="parts", schema="ignored"),
        ServerProfile(name="whole", stream="whole", schema="ignored", refuses=("stream_options",)),
        ServerProfile(name="small", context=2048),
    )
}
