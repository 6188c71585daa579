"""The language model as everybody in the bot uses it: each call is made for a person, within their budget."""

from collections.abc import Sequence

import structlog

from bot.accounts import usage
from bot.accounts.usage import Used
from bot.llm.client import ChatMessage, LanguageModel, LanguageModelUnavailable, OnText
from bot.llm.prompts import estimate_tokens
from bot.settings import Settings
from generation.runtime.database import Database

log = structlog.get_logger(__name__)

#: Tokens of a picture, where the server does not count them.
PICTURE_TOKENS = 1000


class OverBudget(LanguageModelUnavailable):
    """The person's plan has no more of it today."""


class MeteredModel:
    """Counts before it asks: a call that was given up counts as well. One per process, built by `bot.app`."""

    def __init__(self, model: LanguageModel, database: Database, settings: Settings) -> None:
        self._model = model
        self._database = database
        self._settings = settings

    async def answer(self, person_id: int, messages: Sequence[ChatMessage], on_text: OnText | None = None) -> str:
        """The model's text. Raises LanguageModelUnavailable; OverBudget when the day's calls or tokens are used."""
        guess = sum(_tokens(message) for message in messages)
        await self._take(person_id, Used(calls=1, prompt_tokens=guess))
        said = await self._model.answer(messages, on_text)
        prompt = guess if said.prompt_tokens is None else said.prompt_tokens
        completion = estimate_tokens(said.text) if said.completion_tokens is None else said.completion_tokens
        await self._add(person_id, Used(prompt_tokens=prompt - guess, completion_tokens=completion))
        return said.text

    async def transcribe(self, person_id: int, voice: bytes, *, seconds: int) -> str:
        """What is said in a voice message of so many seconds. Raises LanguageModelUnavailable and OverBudget."""
        await self._take(person_id, Used(voice_seconds=seconds))
        return await self._model.transcribe(voice, self._settings.llm_transcription_model)

    async def look(self, person_id: int) -> None:
        """Count a picture that goes along with the next request. Raises OverBudget."""
        await self._take(person_id, Used(pictures=1))

    async def _take(self, person_id: int, wanted: Used) -> None:
        async with self._database.unit() as session:
            taken = await usage.take(session, person_id, self._settings, wanted)
        if not taken:
            log.info("language_model.over_budget")
            raise OverBudget

    async def _add(self, person_id: int, more: Used) -> None:
        async with self._database.unit() as session:
            await usage.add(session, person_id, self._settings, more)


def _tokens(message: ChatMessage) -> int:
    content = message["content"]
    if isinstance(content, str):
        return estimate_tokens(content)
    return sum(estimate_tokens(part["text"]) if "text" in part else PICTURE_TOKENS for part in content)
