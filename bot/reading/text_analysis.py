"""What texts say about photos, read off the event loop, in processes of their own (`bot.reading.text_reader`).

A text that ends its process, or takes too long, is read once more without the native part: by letters and patterns.
Where the operator has a guard model it judges beside them: what either refuses is refused.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from typing import Any, Literal, TypeVar

import structlog

from bot import metrics
from bot.llm.guard import Guard, GuardAway, Harm, Verdict
from bot.reading import text_reader
from bot.reading.text_reader import AnswerAnalysis, PersonAnalysis, TextReader
from generation.runtime.processes import Processes, ProcessLost
from triggers.detection.detectors import Detectors
from triggers.model.heads import FeatureReader, no_meaning
from triggers.policy.policy import Policy, Refusal

T = TypeVar("T")
Waits = Literal["explicit_waits", "photos_wait", "nothing_waits"]

log = structlog.get_logger(__name__)

#: Processes; the second one keeps others from waiting behind somebody's worst text.
PROCESSES = min(4, max(2, os.cpu_count() or 1))
#: Seconds for the models, and for one text. The worst text that was found takes 0.6 s of CPU time.
LOADING, PATIENCE = 120, 10


class TextAnalyzer:
    """Owns the processes; one per bot, built by `bot.app`."""

    def __init__(self, processes: int | None = None) -> None:
        self._guard: Guard | None = None
        self._waits: Waits = "explicit_waits"
        self._processes = Processes(processes or PROCESSES, begin=text_reader.load, patience=PATIENCE)
        self._without_model = TextReader(Detectors(features=FeatureReader(no_meaning)), Policy())

    async def open(self) -> None:
        """Start the processes, which takes some seconds. Raises ProcessLost when the models cannot be loaded."""
        await self._processes.run(text_reader.read, TextReader.showable, "Hello.", within=LOADING)

    async def close(self) -> None:
        """End the processes; what waits for them is dropped."""
        await self._processes.close()

    def guarded(self, guard: Guard, *, waits: Waits = "explicit_waits") -> "TextAnalyzer":
        """The same processes beside a guard; `waits` says which photos wait for it while it is away."""
        other = copy(self)
        other._guard, other._waits = guard, waits
        return other

    async def person(
        self,
        text: str,
        *,
        by_command: bool,
        explicit_allowed: bool,
        before: Sequence[str] = (),
        minor_said: bool = False,
        after_photo: bool = False,
        of_photo: bool = False,
    ) -> PersonAnalysis:
        """`by_command`: it came with /photo, so it asks. `before` and `minor_said`: as of `Policy.check`.

        `after_photo`: the last answer came with one. `of_photo`: it is a reply to one of her photos.
        """
        window = "\n".join((*before, text)) if before else ""
        heard, harm, harm_together = await asyncio.gather(
            self._read(
                TextReader.person,
                text,
                by_command,
                explicit_allowed,
                tuple(before),
                minor_said,
                after_photo or of_photo,
                of_photo,
            ),
            self._harm(text),
            self._harm(window),
        )
        child = heard.child or minor_said
        if _minors(harm, child=child) or Harm.MINORS in harm_together:
            return replace(heard, refusal=Refusal.MINORS)
        of_wish = heard.refusal_of_wish or _of_photo(harm, explicit_allowed=explicit_allowed)
        return replace(heard, refusal=of_wish if heard.asks else heard.refusal, refusal_of_wish=of_wish)

    async def answer(self, text: str, *, person_text: str) -> AnswerAnalysis:
        """What an answer shows and promises, and whether it is refused; `person_text` is what it answers."""
        analysis, harm = await asyncio.gather(
            self._read(TextReader.answer, text, person_text), self._harm(text, answers=person_text)
        )
        return replace(analysis, refusal=Refusal.MINORS) if _minors(harm, child=analysis.child) else analysis

    async def showable(self, text: str, names: Sequence[str] = ()) -> str:
        """What of a half-written answer may be seen: nothing that is refused, and no promise of a photo yet.

        `names` are those that the persona goes by.
        """
        shown = await self._read(TextReader.showable, text, *((tuple(names),) if names else ()))
        if not shown or self._guard is None:
            return shown
        return "" if {Harm.MINORS, Harm.SEXUAL} & await self._harm(shown) else shown

    async def refusal_of(self, text: str) -> Refusal | None:
        """Whether words that will be kept, such as a fact, are refused."""
        refused, harm = await asyncio.gather(self._read(TextReader.refusal_of, text), self._harm(text))
        return refused or (Refusal.MINORS if Harm.MINORS in harm else None)

    async def refusal_of_persona(self, description: str) -> Refusal | None:
        """Whether a persona that a person wrote is refused."""
        refused, harm = await asyncio.gather(
            self._read(TextReader.refusal_of_persona, description), self._harm(description)
        )
        return refused or _of_photo(harm, explicit_allowed=False)

    async def refusal_of_prompt(self, prompt: str, *, explicit_allowed: bool) -> Refusal | None:
        """Whether the English prompt for the image model is refused. Raises GuardAway when it must wait."""
        refused = await self._read(TextReader.refusal_of_prompt, prompt, explicit_allowed)
        if refused or self._guard is None:
            return refused
        try:
            harm = await self._guard.judge(prompt)
        except GuardAway:
            if self._waits == "photos_wait" or (self._waits == "explicit_waits" and explicit_allowed):
                raise
            return None
        return _of_photo(harm, explicit_allowed=explicit_allowed)

    async def _harm(self, text: str, *, answers: str = "") -> Verdict:
        """What the guard finds; nothing while it is away, and our own layers decide alone."""
        if self._guard is None:
            return frozenset()
        try:
            return await self._guard.judge(text, answers=answers)
        except GuardAway:
            return frozenset()

    async def _read(self, reading: Callable[..., T], *arguments: Any) -> T:
        try:
            return await self._processes.run(text_reader.read, reading, *arguments)
        except ProcessLost as error:
            # The text itself is nobody's business.
            log.error("text_analysis.process_lost", error=str(error), reading=reading.__name__)
            metrics.TEXTS_WITHOUT_MODEL.inc()
            return await asyncio.to_thread(reading, self._without_model, *arguments)


def _minors(harm: Verdict, *, child: bool) -> bool:
    """Some guards have no category for minors: then what they find beside a child is that."""
    return Harm.MINORS in harm or (Harm.SEXUAL in harm and child)


def _of_photo(harm: Verdict, *, explicit_allowed: bool) -> Refusal | None:
    if Harm.MINORS in harm:
        return Refusal.MINORS
    if Harm.VIOLENCE in harm:
        return Refusal.VIOLENCE
    return Refusal.EXPLICIT if Harm.SEXUAL in harm and not explicit_allowed else None
