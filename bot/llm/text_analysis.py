"""What texts say about photos, read off the event loop, in processes of their own (`bot.llm.text_reader`).

A text that ends its process, or takes too long, is read once more without the native part: by letters and patterns.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import structlog

from bot import metrics
from bot.llm import text_reader
from bot.llm.text_reader import AnswerAnalysis, PersonAnalysis, TextReader
from generation.runtime.processes import Processes, ProcessLost
from triggers.detection.detectors import Detectors
from triggers.model.heads import FeatureReader, no_meaning
from triggers.policy.policy import Policy, Refusal

T = TypeVar("T")

log = structlog.get_logger(__name__)

#: Processes; the second one keeps others from waiting behind somebody's worst text.
PROCESSES = min(4, max(2, os.cpu_count() or 1))
#: Seconds for the models, and for one text. The worst text that was found takes 0.6 s of CPU time.
LOADING, PATIENCE = 120, 10


class TextAnalyzer:
    """Owns the processes; one per bot, built by `bot.app`."""

    def __init__(self) -> None:
        self._processes = Processes(PROCESSES, begin=text_reader.load, patience=PATIENCE)
        self._without_model = TextReader(Detectors(features=FeatureReader(no_meaning)), Policy())

    async def open(self) -> None:
        """Start the processes, which takes some seconds. Raises ProcessLost when the models cannot be loaded."""
        await self._processes.run(text_reader.read, TextReader.showable, "Hello.", within=LOADING)

    async def close(self) -> None:
        """End the processes; what waits for them is dropped."""
        await self._processes.close()

    async def person(
        self,
        text: str,
        *,
        by_command: bool,
        explicit_allowed: bool,
        before: Sequence[str] = (),
        minor_said: bool = False,
    ) -> PersonAnalysis:
        """`by_command`: it came with /photo, so it asks. `before` and `minor_said`: as of `Policy.check`."""
        return await self._read(TextReader.person, text, by_command, explicit_allowed, tuple(before), minor_said)

    async def answer(self, text: str, *, person_text: str) -> AnswerAnalysis:
        """What an answer shows and promises, and whether it is refused; `person_text` is what it answers."""
        return await self._read(TextReader.answer, text, person_text)

    async def showable(self, text: str) -> str:
        """What of a half-written answer may be seen: nothing that is refused, and no promise of a photo yet."""
        return await self._read(TextReader.showable, text)

    async def refusal_of(self, text: str) -> Refusal | None:
        """Whether words that will be kept, such as a fact, are refused."""
        return await self._read(TextReader.refusal_of, text)

    async def refusal_of_persona(self, description: str) -> Refusal | None:
        """Whether a persona that a person wrote is refused."""
        return await self._read(TextReader.refusal_of_persona, description)

    async def refusal_of_prompt(self, prompt: str, *, explicit_allowed: bool) -> Refusal | None:
        """Whether the English prompt for the image model is refused."""
        return await self._read(TextReader.refusal_of_prompt, prompt, explicit_allowed)

    async def _read(self, reading: Callable[..., T], *arguments: Any) -> T:
        try:
            return await self._processes.run(text_reader.read, reading, *arguments)
        except ProcessLost as error:
            # The text itself is nobody's business.
            log.error("text_analysis.process_lost", error=str(error), reading=reading.__name__)
            metrics.TEXTS_WITHOUT_MODEL.inc()
            return await asyncio.to_thread(reading, self._without_model, *arguments)
