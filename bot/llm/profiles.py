"""What a server takes: the shape of messages and the parameters. Known by family, or learnt from what it refuses.

Sources: the servers' own references and chat templates (OpenAI's reasoning models, DeepSeek, Mistral, Gemma,
Anthropic's compatibility layer, llama.cpp, vLLM, Ollama, LM Studio, OpenRouter), 2026-11.
"""

import re
from collections.abc import Collection, Sequence
from typing import Any, Literal, TypedDict

from pydantic import BaseModel, ConfigDict

from bot.llm.tokens import TokenRates


class ChatMessage(TypedDict):
    """One message of a request, in the form of the OpenAI API."""

    role: Literal["system", "user", "assistant"]
    #: Text, or the API's list of parts where a picture goes along.
    content: str | list[dict[str, Any]]


#: Between notes for the persona and the person's own words, where both must be in one message.
FOLDED = "[Notes for you. The person does not see them.]\n{notes}\n\n[The person writes:]\n{text}"
NO_WORDS = "(The person has not written.)"

#: Parameters that an answer does not depend on, by which a refusal names them.
_OPTIONAL = (
    "response_format", "stream_options", "stream", "temperature", "top_p", "frequency_penalty", "presence_penalty",
    "stop", "reasoning_effort",
)  # fmt: skip
_ALSO_NAMED = {"response_format": re.compile(r"json_schema|json schema|structured output|grammar|guided", re.I)}
_ALTERNATE = re.compile(
    r"alternat|roles must|consecutive (?:user|assistant|messages)"
    r"|(?:first|conversation)[^.]{0,40}must[^.]{0,20}user"
    r"|last message must|assistant message cannot be the final|prefill|expected last role user"
    r"|must end with a user",
    re.IGNORECASE,
)
_NO_SYSTEM = re.compile(
    r"system (?:role|message|prompt|instruction)s?[^.]{0,40}not (?:be )?(?:supported|allowed|enabled)"
    r"|(?:does not|doesn't|not) support (?:the )?system|developer instruction is not enabled"
    r"|only user and (?:assistant|model) roles|unexpected role[^.]{0,5}system",
    re.IGNORECASE,
)
_ONE_SYSTEM = re.compile(
    r"(?:only|more than|at most) (?:one|1|a single) system|multiple system|system message must be|"
    r"unexpected (?:message )?role[^.]{0,5}system[^.]{0,20}after"
    r"|system[^.]{0,40}(?:at the|only) (?:the )?(?:beginning|first|start)",
    re.IGNORECASE,
)
_TOO_LONG = re.compile(
    r"context (?:length|window|size)|maximum context|context_length|exceed_context|too many (?:input )?tokens"
    r"|prompt (?:is )?too long|input (?:is )?too long|reduce the length|max_model_len"
    r"|larger than the model's context",
    re.IGNORECASE,
)
_LIMIT = re.compile(
    r'(?:"n_ctx"\s*:|maximum context length (?:is|of)|context length (?:is|of)'
    r"|context (?:window|size)[^0-9]{0,20}"
    r"|max_model_len[^0-9]{0,12}|maximum (?:is|of)|\d+ tokens?\s*>)\s*(\d{3,7})",
    re.IGNORECASE,
)


class Profile(BaseModel):
    """What is known of one model on one server."""

    model_config = ConfigDict(frozen=True)

    family: str = "unknown"
    #: Whether there is a system role; whether a system message may stand elsewhere than at the beginning.
    has_system: bool = True
    has_late_system: bool = True
    #: User and assistant must take turns, the user begins and has the last word.
    alternates: bool = False
    max_tokens_name: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    #: Parameters that it refuses.
    without: frozenset[str] = frozenset()
    #: Whether it answers by a JSON schema; None until it was asked.
    is_structured: bool | None = None
    #: It ends streams without saying why.
    is_silent_about_ends: bool = False
    #: Tokens of a request and its answer together; None where nobody knows.
    context: int | None = None
    rates: TokenRates = TokenRates()

    def shaped(self, messages: Sequence[ChatMessage]) -> list[ChatMessage]:
        """The messages as this server takes them."""
        shaped = list(messages)
        if not (self.has_system and self.has_late_system and not self.alternates):
            shaped = _one_system(shaped)
        if not self.has_system and shaped[0]["role"] == "system":
            first = shaped.pop(0)
            shaped = _with_notes(_user_first(shaped), str(first["content"]), 0)
        if self.alternates:
            shaped = _alternating(shaped)
        return shaped

    def parameters(self, wanted: dict[str, Any], max_tokens: int) -> dict[str, Any]:
        """Of what is wanted, what it takes; and the limit of tokens under its name."""
        taken = {name: value for name, value in wanted.items() if name not in self.without}
        return {**taken, self.max_tokens_name: max_tokens}

    def taught(self, refusal: str, sent: Collection[str]) -> "Profile | None":
        """What a refusal teaches of the request's form; None when nothing new. `sent` names the parameters."""
        known = self.max_tokens_name
        if "max_completion_tokens" in refusal and known == "max_tokens":
            return self.model_copy(update={"max_tokens_name": "max_completion_tokens"})
        if known == "max_completion_tokens" and re.search(r"max_completion_tokens|max_tokens", refusal):
            return self.model_copy(update={"max_tokens_name": "max_tokens"})
        for named, change in (
            (_NO_SYSTEM, {"has_system": False}),
            (_ONE_SYSTEM, {"has_late_system": False}),
            (_ALTERNATE, {"alternates": True}),
        ):
            if named.search(refusal) and any(getattr(self, key) != value for key, value in change.items()):
                return self.model_copy(update=change)
        for name in (*_OPTIONAL, *(name for name in sent if name not in _OPTIONAL)):
            also = _ALSO_NAMED.get(name)
            named_so = re.search(rf"\b{re.escape(name)}\b", refusal) or (also and also.search(refusal))
            if name in sent and name not in self.without and named_so:
                return self.model_copy(update={"without": self.without | {name}, **_follows(name)})
        return None


def _follows(name: str) -> dict[str, Any]:
    return {"is_structured": False} if name == "response_format" else {}


def too_long(refusal: str) -> bool:
    """Whether a refusal says that the request does not fit into the model's context."""
    return bool(_TOO_LONG.search(refusal))


def limit_of(refusal: str) -> int | None:
    """The size of the context that such a refusal names."""
    named = _LIMIT.search(refusal)
    return int(named[1]) if named else None


#: By the names of LLM_PROFILE. `auto` begins as the plainest one and learns.
FAMILIES: dict[str, Profile] = {
    "openai": Profile(family="openai"),
    "openai-reasoning": Profile(
        family="openai-reasoning",
        max_tokens_name="max_completion_tokens",
        without=frozenset({"temperature", "top_p", "stop", "frequency_penalty", "presence_penalty"}),
    ),
    "openrouter": Profile(family="openrouter"),
    "deepseek": Profile(family="deepseek", is_structured=False),
    "anthropic": Profile(
        family="anthropic",
        has_late_system=False,
        alternates=True,
        is_structured=False,
        without=frozenset({"response_format", "frequency_penalty", "presence_penalty"}),
    ),
    "gemma": Profile(family="gemma", has_system=False, has_late_system=False, alternates=True),
    "mistral": Profile(family="mistral", has_late_system=False, alternates=True),
    "llama.cpp": Profile(family="llama.cpp", has_late_system=False),
    "vllm": Profile(family="vllm", has_late_system=False),
    "ollama": Profile(family="ollama"),
    "lm-studio": Profile(family="lm-studio", has_late_system=False),
}


def _one_system(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """System messages at the beginning as one; later ones go along with the next words of the person."""
    first: list[str] = []
    shaped: list[ChatMessage] = []
    notes: list[str] = []
    for message in messages:
        if message["role"] == "system":
            (notes if shaped else first).append(str(message["content"]))
        elif message["role"] == "user" and notes:
            shaped += _with_notes([message], "\n\n".join(notes), 0)
            notes = []
        else:
            shaped.append(message)
    if notes:
        shaped += _with_notes([{"role": "user", "content": NO_WORDS}], "\n\n".join(notes), 0)
    return [{"role": "system", "content": "\n\n".join(first)}, *shaped] if first else shaped


def _with_notes(messages: list[ChatMessage], notes: str, index: int) -> list[ChatMessage]:
    """With notes in front of one message's words."""
    content = messages[index]["content"]
    parts: str | list[dict[str, Any]]
    if isinstance(content, str):
        parts = FOLDED.format(notes=notes, text=content)
    else:
        parts = [
            {**part, "text": FOLDED.format(notes=notes, text=part["text"])} if "text" in part else part
            for part in content
        ]
    return [*messages[:index], {"role": messages[index]["role"], "content": parts}, *messages[index + 1 :]]


def _user_first(messages: list[ChatMessage]) -> list[ChatMessage]:
    if messages and messages[0]["role"] == "user":
        return messages
    return [{"role": "user", "content": NO_WORDS}, *messages]


def _alternating(messages: list[ChatMessage]) -> list[ChatMessage]:
    systems = [message for message in messages if message["role"] == "system"]
    shaped: list[ChatMessage] = []
    for message in _user_first([message for message in messages if message["role"] != "system"]):
        if shaped and shaped[-1]["role"] == message["role"]:
            shaped[-1] = {"role": message["role"], "content": _joined(shaped[-1]["content"], message["content"])}
        else:
            shaped.append(message)
    if shaped[-1]["role"] == "assistant":
        shaped.append({"role": "user", "content": NO_WORDS})
    return [*systems, *shaped]


def _joined(first: str | list[dict[str, Any]], second: str | list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    if isinstance(first, str) and isinstance(second, str):
        return f"{first}\n{second}"
    parts = [[{"type": "text", "text": each}] if isinstance(each, str) else each for each in (first, second)]
    return [*parts[0], *parts[1]]
