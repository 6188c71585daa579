"""What texts say about photos, read off the event loop: detectors, visuals and policy, in a thread of their own."""

import asyncio
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from typing import TypeVar

from bot.llm.prompts import gives_away
from bot.personas.scene import split_answer
from triggers.detection.detectors import SURE, Detectors, Task
from triggers.detection.patterns import promises_plainly
from triggers.policy.policy import Refusal, check, check_persona, check_prompt, wishes_explicit
from triggers.text.visuals import NOTHING, Subjects, Visuals, see, subjects

#: Sentences, and stage directions in asterisks as pieces of their own.
_PIECE = re.compile(r"\s*(?:\*[^*\n]+\*|[^.!?…\n*]+(?:[.!?…]+|\n|$|(?=\*))|[.!?…\n*]+)[)(»\"”]*")
T = TypeVar("T")
#: Answers of more sentences are not taken apart, and no more than so many are taken out of one.
MOST_SENTENCES = 12
MOST_PROMISES = 3
#: A rest of fewer words hangs in the air ("How do you like it?") and gives way to a true sentence.
LEAST_WORDS = 4
_WORD = re.compile(r"\w+")
_WORDS = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class PersonAnalysis:
    """What a person's words ask for, and whether they are refused."""

    asks: bool
    refusal: Refusal | None
    #: What the words themselves would like to see; counts when a photo is asked for.
    wish: Visuals = NOTHING


@dataclass(frozen=True, slots=True)
class AnswerAnalysis:
    """What the persona's answer shows and promises, and whether it is refused."""

    visual: bool
    promise: bool
    #: The answer without what promises a photo; empty when nothing else is left, or when nobody can tell.
    without_promise: str
    visuals: Visuals
    #: What the turn, the person's words included, speaks of.
    subjects: Subjects
    refusal: Refusal | None


class TextAnalyzer:
    """Owns the detectors and their thread; one per process, built by `bot.app`."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="text-analysis")
        self._detectors: Detectors | None = None

    async def open(self) -> None:
        """Load the models, which takes a second or two."""
        await self._run(self._load)

    def close(self) -> None:
        """End the thread; what waits for it is dropped."""
        self._thread.shutdown(cancel_futures=True)

    async def person(self, text: str, *, by_command: bool, explicit_allowed: bool) -> PersonAnalysis:
        """`by_command`: it came with /photo, so it asks."""
        return await self._run(partial(self._person, text, by_command, explicit_allowed))

    async def answer(self, text: str, *, person_text: str) -> AnswerAnalysis:
        """What an answer shows and promises, and whether it is refused; `person_text` is what it answers."""
        return await self._run(partial(self._answer, text, person_text))

    async def showable(self, text: str) -> str:
        """What of a half-written answer may be seen: nothing that is refused, and no promise of a photo yet."""
        return await self._run(partial(self._showable, text))

    async def refusal_of(self, text: str) -> Refusal | None:
        """Whether words that will be kept, such as a fact, are refused."""
        return await self._run(partial(check, text, for_photo=True))

    async def refusal_of_persona(self, description: str) -> Refusal | None:
        """Whether a persona that a person wrote is refused."""
        return await self._run(partial(check_persona, description))

    async def refusal_of_prompt(self, prompt: str, *, explicit_allowed: bool) -> Refusal | None:
        """Whether the English prompt for the image model is refused."""
        return await self._run(partial(check_prompt, prompt, explicit_allowed=explicit_allowed))

    # -- in the thread ---------------------------------------------------------------------------------

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _load(self) -> None:
        self._detectors = Detectors()
        # The first use of each pattern and table takes tens of milliseconds.
        self._person("Пришли фото. Send a photo.", True, False)
        self._answer("Сижу у окна. I am here, here you go.", "")
        check_prompt("a woman by the window")

    @property
    def _opened(self) -> Detectors:
        if self._detectors is None:
            raise RuntimeError("TextAnalyzer.open() was not awaited")
        return self._detectors

    def _person(self, text: str, by_command: bool, explicit_allowed: bool) -> PersonAnalysis:
        asks = by_command or self._opened.is_request(text) or wishes_explicit(text)
        refusal = check(text, for_photo=asks, explicit_allowed=explicit_allowed)
        return PersonAnalysis(asks, refusal, see(text) if asks else NOTHING)

    def _answer(self, text: str, person_text: str) -> AnswerAnalysis:
        visual, promise = self._opened.reads(text) if _WORDS.search(text) else (False, False)
        return AnswerAnalysis(
            visual=visual,
            promise=promise,
            without_promise=self._without_promise(text) if promise else text,
            visuals=see(text),
            subjects=subjects((person_text, text)),
            refusal=check(text, for_photo=False),
        )

    def _showable(self, text: str) -> str:
        text = split_answer(text)[0]
        if check(text, for_photo=False) or gives_away(text):
            return ""
        pieces = _PIECE.findall(text)
        kept = takewhile(lambda piece: not promises_plainly(piece), pieces)
        return "".join(kept).strip()

    def _without_promise(self, text: str) -> str:
        """Take out, one by one, the sentence without which the rest promises least."""
        pieces = [piece for piece in _PIECE.findall(text) if piece.strip()]
        if len(pieces) > MOST_SENTENCES:
            return ""
        for _ in range(MOST_PROMISES):
            rests = ["".join(pieces[:index] + pieces[index + 1 :]).strip() for index in range(len(pieces))]
            chances = [
                self._opened.probability(Task.PROMISE, rest) if _WORDS.search(rest) else 1.0 for rest in rests
            ]
            if not chances or min(chances) == 1.0:
                return ""
            best = chances.index(min(chances))
            if chances[best] <= SURE and not self._promises_alone(pieces[:best] + pieces[best + 1 :]):
                return rests[best] if len(_WORD.findall(rests[best])) >= LEAST_WORDS else ""
            del pieces[best]
        return ""

    def _promises_alone(self, pieces: Sequence[str]) -> bool:
        return any(
            _WORDS.search(piece) and self._opened.probability(Task.PROMISE, piece) > SURE for piece in pieces
        )
