"""What a server says of itself when it is asked once: its family, the model's context, how it counts tokens."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai
from openai import AsyncOpenAI

from bot.llm.profiles import FAMILIES, Profile
from bot.llm.tokens import SAMPLES, TokenRates

#: Seconds for all of it; a server that says nothing is used all the same.
PATIENCE = 3.0
_BY_HOST = {
    "api.openai.com": "openai", "openrouter.ai": "openrouter", "api.deepseek.com": "deepseek",
    "api.anthropic.com": "anthropic", "api.mistral.ai": "mistral",
}  # fmt: skip
_BY_OWNER = {
    "llamacpp": "llama.cpp", "vllm": "vllm", "library": "ollama", "organization_owner": "lm-studio",
    "openai": "openai", "mistralai": "mistral", "deepseek": "deepseek",
}  # fmt: skip
#: What a list of models calls the length of a context. A model's length in training is no promise of the server's.
_CONTEXTS = ("max_model_len", "context_length", "max_context_length", "loaded_context_length", "context_window")


async def introduced(client: AsyncOpenAI, model: str, profile: Profile) -> Profile:
    """The profile with what the server says of itself; never raises for a server that says nothing."""
    try:
        async with asyncio.timeout(PATIENCE):
            listed, props = await asyncio.gather(_listed(client, model), _get(client, "/props"))
            counts = await _counts(client, model)
    except TimeoutError:
        return profile
    family = _family(client, listed, props)
    if profile.family == "unknown" and family in FAMILIES:
        known = FAMILIES[family]
        profile = known.model_copy(
            update={
                "context": profile.context,
                "is_structured": profile.is_structured
                if profile.is_structured is not None
                else known.is_structured,
            }
        )
    context = _number(props.get("default_generation_settings"), "n_ctx") or _number(listed, *_CONTEXTS)
    return profile.model_copy(
        update={
            "context": profile.context or context,
            "rates": TokenRates.counted(counts) if counts else profile.rates,
        }
    )


def _family(client: AsyncOpenAI, listed: dict[str, Any], props: dict[str, Any]) -> str:
    if host := _BY_HOST.get(urlsplit(str(client.base_url)).hostname or ""):
        return host
    if "default_generation_settings" in props:
        return "llama.cpp"
    return _BY_OWNER.get(str(listed.get("owned_by", "")).lower(), "unknown")


async def _listed(client: AsyncOpenAI, model: str) -> dict[str, Any]:
    """The model's entry in the list of models."""
    models = await _get(client, "models")
    entries = models.get("data")
    entries = [each for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []
    named = [each for each in entries if each.get("id") == model]
    return next(iter(named or (entries if len(entries) == 1 else [])), {})


async def _counts(client: AsyncOpenAI, model: str) -> dict[str, int]:
    """How many tokens the samples are, by llama.cpp's or vLLM's `/tokenize`; nothing where there is none."""
    counts: dict[str, int] = {}
    for name, text in SAMPLES.items():
        answer = await _ask(client, "POST", "/tokenize", {"model": model, "prompt": text, "content": text})
        tokens = answer.get("tokens")
        count = answer.get("count", len(tokens) if isinstance(tokens, list) else None)
        if not isinstance(count, int) or not count:
            return {}
        counts[name] = count
    return counts


async def _get(client: AsyncOpenAI, path: str) -> dict[str, Any]:
    return await _ask(client, "GET", path, None)


async def _ask(client: AsyncOpenAI, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
    """An object that the server answers; empty for whatever else. A path with a slash is beside `/v1`."""
    base = str(client.base_url).rstrip("/")
    url = base.removesuffix("/v1") + path if path.startswith("/") else f"{base}/{path}"
    quick = client.with_options(max_retries=0, timeout=PATIENCE)
    try:
        answer = (
            await quick.get(url, cast_to=httpx2.Response)
            if method == "GET"
            else await quick.post(url, cast_to=httpx2.Response, body=body)
        )
        values = answer.json()
    except (openai.OpenAIError, httpx2.HTTPError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _number(values: Any, *names: str) -> int | None:
    found = (values.get(name) for name in names) if isinstance(values, dict) else ()
    return next((each for each in found if isinstance(each, int) and each > 0), None)
