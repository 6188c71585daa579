"""The language model as everybody in the bot uses it: each call is made for a person, within their budget."""

from collections.abc import Sequence

import structlog

from bot.accounts import usage
from bot.accounts.usage import Used
from bot.llm.client import LanguageModel
from bot.llm.profiles import ChatMessage
from bot.llm.question import Completion, LanguageModelUnavailable, OnText
from bot.settings import Settings
from generation.runtime.database import Database

log = structlog.get_logger(__name__)


class OverBudget(LanguageModelUnavailable):
    """The person's plan has no more of it today."""


class MeteredModel:
    """Counts before it asks: a call that was given up counts as well. One per process, built by `bot.app`."""

    def __init__(self, model: LanguageModel, database: Database, settings: Settings) -> None:
        self.model = model
        self._database = database
        self._settings = settings

    @property
    def is_structured(self) -> bool:
        """Whether the model is asked for an object with words and scene; else for a line after the words."""
        return self.model.is_structured

    def count(self, text: str) -> int:
        """Tokens of a message with this text."""
        return self.model.count(text)

    @property
    def room(self) -> int | None:
        """Tokens that a request may have; None where the model's context is not known."""
        return self.model.room

    async def answer(
        self,
        person_id: int,
        messages: Sequence[ChatMessage],
        on_text: OnText | None = None,
        *,
        structured: bool = False,
        again: bool = False,
    ) -> Completion:
        """As of `LanguageModel.answer`. Raises OverBudget as well, when the day's calls or tokens are used."""
        guess = self.model.count_all(messages)
        await self._take(person_id, Used(calls=1, prompt_tokens=guess))
        said = await self.model.answer(messages, on_text, structured=structured, again=again)
        prompt = guess if said.prompt_tokens is None else said.prompt_tokens
        completion = self.count(said.text) if said.completion_tokens is None else said.completion_tokens
        await self._add(person_id, Used(prompt_tokens=prompt - guess, completion_tokens=completion))
        return said

    async def transcribe(self, person_id: int, voice: bytes, *, seconds: int) -> str:
        """What is said in a voice message of so many seconds. Raises LanguageModelUnavailable and OverBudget."""
        await self._take(person_id, Used(voice_seconds=seconds))
        return await self.model.transcribe(voice, self._settings.llm_transcription_model)

    async def look(self, person_id: int) -> None:
        """Count a picture that goes along with the next request. Raises OverBudget."""
        await self._take(person_id, Used(pictures=1))

    async def _take(self, person_id: int, wanted: Used) -> None:
        async with self._database.autocommit() as session:
            taken = await usage.take(session, person_id, self._settings, wanted)
        if not taken:
            log.info("language_model.over_budget")
            raise OverBudget

    async def _add(self, person_id: int, more: Used) -> None:
        async with self._database.autocommit() as session:
            await usage.add(session, person_id, self._settings, more)
