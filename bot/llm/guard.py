"""A guard model, when the operator names one: a second opinion on texts, beside the policy's own layers.

Any OpenAI-compatible server: the moderation endpoint, or a chat model that answers with a category. The formats are
those of the model cards (Llama Guard 3 and 4, Qwen3Guard-Gen, ShieldGemma) and of OpenAI's API reference.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import openai
import structlog
from openai import AsyncOpenAI
from pydantic import BaseModel

from bot import metrics
from bot.settings import GuardSettings
from bot.telegram.own_time import away

log = structlog.get_logger(__name__)

#: Characters that a guard reads, from the end; its own context is small.
MOST_CHARACTERS = 4_000
#: Tokens of an answer: a verdict and its categories.
MOST_TOKENS = 64
#: Seconds for which nobody waits for a guard that did not answer.
REST = 10


class Harm(StrEnum):
    """What a guard may find, of all its categories."""

    MINORS = "minors"
    SEXUAL = "sexual"
    VIOLENCE = "violence"


Verdict = frozenset[Harm]


class GuardAway(Exception):
    """The guard did not answer, or not in its format."""


class Guard:
    """One client for the life of the process; without `GUARD_BASE_URL` it finds nothing and is never away."""

    def __init__(self, settings: GuardSettings) -> None:
        self._settings = settings
        self._rests_until = 0.0
        self._client: AsyncOpenAI | None = None
        if settings.guard_base_url:
            self._format = _format_of(settings.guard_format, settings.guard_model)
            self._client = AsyncOpenAI(
                base_url=settings.guard_base_url,
                api_key=settings.guard_api_key.get_secret_value() or "none",
                timeout=settings.guard_timeout,
                max_retries=1,
            )

    async def close(self) -> None:
        """Close its connections."""
        if self._client:
            await self._client.close()

    async def judge(self, text: str, *, answers: str = "") -> Verdict:
        """What is harmful in a text, which `answers` what a person said. Raises GuardAway."""
        if self._client is None or not text.strip():
            return frozenset()
        if time.monotonic() < self._rests_until:
            raise GuardAway("it did not answer just now")
        try:
            with away(), metrics.GUARD_SECONDS.time():
                async with asyncio.timeout(self._settings.guard_timeout):
                    verdict = await self._format(
                        self._client, self._settings.guard_model, _tail(text), _tail(answers)
                    )
        except (openai.OpenAIError, TimeoutError, Unreadable) as error:
            status = getattr(error, "status_code", None)
            log.warning("guard.away", error=type(error).__name__, status=status)
            metrics.GUARD_CALLS.labels("away").inc()
            self._rests_until = time.monotonic() + REST
            raise GuardAway(type(error).__name__) from error
        metrics.GUARD_CALLS.labels("harm" if verdict else "safe").inc()
        return verdict


class Unreadable(Exception):
    """An answer that is not in the guard's format."""


def _tail(text: str) -> str:
    return text[-MOST_CHARACTERS:]


Format = Callable[[AsyncOpenAI, str, str, str], Awaitable[Verdict]]

#: OpenAI's categories; other servers use the same names.
_MODERATION = {
    "sexual/minors": Harm.MINORS,
    "sexual": Harm.SEXUAL,
    "violence/graphic": Harm.VIOLENCE,
    "self-harm": Harm.VIOLENCE,
    "self-harm/intent": Harm.VIOLENCE,
    "self-harm/instructions": Harm.VIOLENCE,
}
#: MLCommons' hazards as Llama Guard 3 and 4 number them; crimes of violence and sex are no pictures either.
_HAZARDS = {"S1": Harm.VIOLENCE, "S3": Harm.VIOLENCE, "S4": Harm.MINORS, "S11": Harm.VIOLENCE, "S12": Harm.SEXUAL}
_QWEN = {
    "sexual content or sexual acts": Harm.SEXUAL,
    "violent": Harm.VIOLENCE,
    "suicide & self-harm": Harm.VIOLENCE,
}
_SHIELD_GUIDELINE = (
    '"No Sexually Explicit Information": The content shall not contain references to sexual acts, lewd content, '
    "nakedness, or anything sexual about children."
)


async def _moderation(client: AsyncOpenAI, model: str, text: str, _answers: str) -> Verdict:
    """`POST /moderations`."""
    answer = await client.moderations.create(input=text, model=model or openai.omit)
    categories = [getattr(result, "categories", None) for result in getattr(answer, "results", None) or []]
    found = [each.model_dump(by_alias=True) for each in categories if isinstance(each, BaseModel)]
    if not found or len(found) < len(categories):
        raise Unreadable
    return frozenset(harm for name, harm in _MODERATION.items() if any(each.get(name) for each in found))


@dataclass(frozen=True, slots=True)
class _Chat:
    """A chat model that answers with a verdict in `read`'s words."""

    read: Callable[[str], Verdict]
    extra: Mapping[str, Any] | None = None

    async def __call__(self, client: AsyncOpenAI, model: str, text: str, answers: str) -> Verdict:
        said: list[Any] = [{"role": "user", "content": answers}, {"role": "assistant", "content": text}]
        completion = await client.chat.completions.create(
            model=model,
            messages=said if answers else [{"role": "user", "content": text}],
            max_tokens=MOST_TOKENS,
            temperature=0,
            extra_body=dict(self.extra or {}),
        )
        choices: Sequence[Any] = getattr(completion, "choices", None) or [None]
        content = getattr(getattr(choices[0], "message", None), "content", None)
        if not isinstance(content, str):
            raise Unreadable
        return self.read(content.strip())


def _llama_guard(answer: str) -> Verdict:
    """`safe`, or `unsafe` and a line of hazards: `S4,S12`."""
    verdict, _, hazards = answer.partition("\n")
    match verdict.strip().lower():
        case "safe":
            return frozenset()
        case "unsafe":
            return frozenset(_HAZARDS[code] for code in re.findall(r"S\d+", hazards.upper()) if code in _HAZARDS)
    raise Unreadable


def _qwen3guard(answer: str) -> Verdict:
    """`Safety: Unsafe`, or `Controversial`, which counts as well, and `Categories: A, B`."""
    if not (verdict := re.search(r"Safety:\s*(Safe|Unsafe|Controversial)", answer, re.IGNORECASE)):
        raise Unreadable
    if verdict[1].lower() == "safe":
        return frozenset()
    return frozenset(harm for name, harm in _QWEN.items() if name in answer.lower())


def _shieldgemma(answer: str) -> Verdict:
    """`Yes` or `No`. Ollama's own template asks about four principles at once and ignores ours."""
    match re.match(r"\W*(yes|no)\b", answer, re.IGNORECASE):
        case None:
            raise Unreadable
        case found:
            return frozenset({Harm.SEXUAL}) if found[1].lower() == "yes" else frozenset()


FORMATS: Mapping[str, Format] = {
    "moderation": _moderation,
    "llama_guard": _Chat(_llama_guard),
    "qwen3guard": _Chat(_qwen3guard),
    "shieldgemma": _Chat(_shieldgemma, {"chat_template_kwargs": {"guideline": _SHIELD_GUIDELINE}}),
}


def _format_of(chosen: str, model: str) -> Format:
    """The format that a setting names, or the one that the model's name tells: `meta-llama/Llama-Guard-3-8B`."""
    if chosen != "auto":
        return FORMATS[chosen]
    name = re.sub(r"[^a-z0-9]", "", model.lower())
    told = (kind for kind in ("llama_guard", "qwen3guard", "shieldgemma") if kind.replace("_", "") in name)
    return FORMATS[next(told, "moderation")]
