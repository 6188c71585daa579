"""What texts say about photos, as plain functions over detectors, visuals and policy.

`bot.reading.text_analysis` runs them in processes of their own: they are CPU work, and the detectors are native
code that reads what strangers write.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, TypeVar

from bot.llm.prompts import gives_away
from bot.personas import speech
from triggers.detection.detectors import NEARLY, SURE, Detectors, Task
from triggers.detection.patterns import promises_plainly, wants_otherwise
from triggers.model.embedding import Embedder
from triggers.model.heads import FeatureReader
from triggers.policy.ages import Whose
from triggers.policy.concerns import ConcernReader
from triggers.policy.policy import Policy, Refusal
from triggers.text.visuals import NOTHING, Subjects, Visuals, see, subjects

T = TypeVar("T")

#: Sentences, and stage directions in asterisks as pieces of their own.
_PIECE = re.compile(r"\s*(?:\*[^*\n]+\*|[^.!?…\n*]+(?:[.!?…]+|\n|$|(?=\*))|[.!?…\n*]+)[)(»\"”]*")
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
    #: How likely they ask for a photo, from 0 to 1, and why they would be refused if they did.
    asks_chance: float = 0.0
    refusal_of_wish: Refusal | None = None
    #: Of whom it is said that they are under 18; None when of nobody.
    minor: Whose | None = None
    #: It may speak of a child.
    child: bool = False
    #: What the words themselves would like to see; counts when a photo is asked for.
    wish: Visuals = NOTHING


@dataclass(frozen=True, slots=True)
class AnswerAnalysis:
    """What the persona's answer shows and promises, and whether it is refused."""

    visual: bool
    #: It may show something: enough for a photo that is due anyway.
    nearly_visual: bool
    promise: bool
    #: How likely it shows something and promises a photo, from 0 to 1.
    visual_chance: float
    promise_chance: float
    #: The answer without what promises a photo; empty when nothing else is left, or when nobody can tell.
    without_promise: str
    visuals: Visuals
    #: What the turn, the person's words included, speaks of.
    subjects: Subjects
    refusal: Refusal | None
    #: It may speak of a child.
    child: bool = False


class TextReader:
    """Reads one text at a time."""

    def __init__(self, detectors: Detectors, policy: Policy) -> None:
        self._detectors = detectors
        self._policy = policy

    def warm_up(self) -> None:
        """The first use of each pattern and table takes tens of milliseconds."""
        self.person("Пришли фото. Send a photo.", True, False, (), False, False, False)
        self.answer("Сижу у окна. I am here, here you go.", "")
        self.showable("Сижу у окна. I am here.")
        self.refusal_of_prompt("a woman by the window", False)

    def person(
        self,
        text: str,
        by_command: bool,
        explicit_allowed: bool,
        before: Sequence[str],
        minor_said: bool,
        after_photo: bool,
        of_photo: bool,
    ) -> PersonAnalysis:
        """`by_command`: it came with /photo, so it asks. `before` and `minor_said`: as of `Policy.check`.

        `after_photo`: the last answer came with one. `of_photo`: it is a reply to one of her photos.
        """
        signs, wish = self._policy.signs(text), see(text)
        otherwise = of_photo and wish != NOTHING and wants_otherwise(text)
        sure = by_command or signs.wishes_a_picture or otherwise
        chance = 1.0 if sure else self._detectors.request(text, after_photo=after_photo)
        refusal, refusal_of_wish = (
            self._policy.check(
                signs, for_photo=photo, explicit_allowed=explicit_allowed, before=before, minor_said=minor_said
            )
            for photo in (False, True)
        )
        asks = chance > SURE
        return PersonAnalysis(
            asks,
            refusal_of_wish if asks else refusal,
            asks_chance=chance,
            refusal_of_wish=refusal_of_wish,
            minor=signs.whose_youth,
            child=signs.child,
            wish=wish,
        )

    def answer(self, text: str, person_text: str) -> AnswerAnalysis:
        """What an answer shows and promises; `person_text` is what it answers."""
        visual, promised = self._detectors.reads(text) if _WORDS.search(text) else (0.0, 0.0)
        promise = promised > SURE
        signs = self._policy.signs(text)
        return AnswerAnalysis(
            visual=visual > SURE,
            nearly_visual=visual > NEARLY,
            promise=promise,
            visual_chance=visual,
            promise_chance=promised,
            without_promise=self._without_promise(text) if promise else text,
            visuals=see(text),
            subjects=subjects((person_text, text)),
            refusal=self._policy.check_answer(signs),
            child=signs.child,
        )

    def showable(self, text: str, names: Sequence[str] = ()) -> str:
        """What of a half-written answer may be seen."""
        text = speech.showable(text, names)
        # By the same policy as the whole answer: nothing is shown that would be taken back.
        if self._policy.check_answer(text) or gives_away(text):
            return ""
        pieces = _PIECE.findall(text)
        kept = takewhile(lambda piece: not promises_plainly(piece), pieces)
        return "".join(kept).strip()

    def refusal_of(self, text: str) -> Refusal | None:
        """Words that will be kept."""
        return self._policy.check(text, for_photo=True)

    def refusal_of_persona(self, description: str) -> Refusal | None:
        """A persona that a person wrote."""
        return self._policy.check_persona(description)

    def refusal_of_prompt(self, prompt: str, explicit_allowed: bool) -> Refusal | None:
        """An English prompt for the image model."""
        return self._policy.check_prompt(prompt, explicit_allowed=explicit_allowed)

    def _without_promise(self, text: str) -> str:
        """Take out, one by one, the sentence without which the rest promises least."""
        pieces = [piece for piece in _PIECE.findall(text) if piece.strip()]
        if len(pieces) > MOST_SENTENCES:
            return ""
        for _ in range(MOST_PROMISES):
            rests = ["".join(pieces[:index] + pieces[index + 1 :]).strip() for index in range(len(pieces))]
            chances = [
                self._detectors.probability(Task.PROMISE, rest) if _WORDS.search(rest) else 1.0 for rest in rests
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
            _WORDS.search(piece) and self._detectors.probability(Task.PROMISE, piece) > SURE for piece in pieces
        )


_reader: TextReader | None = None


def load() -> None:
    """Begin the process: the models, which take a second or two."""
    global _reader  # noqa: PLW0603 - one reader is what this process is for
    embedder = Embedder()
    policy = Policy(ConcernReader(FeatureReader(embedder.late)))
    _reader = TextReader(Detectors(features=FeatureReader(embedder.early)), policy)
    _reader.warm_up()


def read(reading: Callable[..., T], *arguments: Any) -> T:
    """One reading, a function of `TextReader`, in a process that `load` began."""
    return reading(_reader, *arguments)
