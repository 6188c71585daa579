"""A question to a language model, however often it is put, and what came of it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.llm.profiles import ChatMessage, Profile
from bot.llm.reply import Reply

#: Is given the whole text so far, each time more of it has come.
OnText = Callable[[str], None]
#: Tokens of a picture, where the server does not count them.
PICTURE_TOKENS = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Completion:
    """What a model said; tokens are None where the server does not count them."""

    text: str
    #: stop, length, filter, loop (it repeats itself), timeout and broken (cut off in the middle).
    finish: str = "stop"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    #: Older messages did not fit and were left out.
    is_shortened: bool = False
    first_text_seconds: float | None = None

    @property
    def is_cut(self) -> bool:
        """Whether it ends where the model did not want to end."""
        return self.finish in {"length", "loop", "timeout", "broken"}


class LanguageModelUnavailable(Exception):
    """No usable answer: the server is down, too slow, over its limits, or answered nothing."""

    def __init__(self, kind: str = "", *, lasts: bool = False, partial: Completion | None = None) -> None:
        """`lasts`: until an operator does something; `partial`: what had come of the answer."""
        super().__init__(kind)
        self.kind = kind
        self.lasts = lasts
        self.partial = partial


class Question:
    """One question, however often it is put."""

    def __init__(
        self, messages: list[ChatMessage], on_text: OnText | None, *, structured: bool, again: bool
    ) -> None:
        self.messages = messages
        self.on_text = on_text
        self.structured = structured
        self.again = again
        self.reply = Reply()
        self.is_shortened = False
        self.began = 0.0
        self.first_seconds: float | None = None

    def noting_first(self, on_text: OnText) -> OnText:
        """The same, which also notes when the first words came."""

        def more(text: str) -> None:
            if self.first_seconds is None:
                self.first_seconds = time.perf_counter() - self.began
            on_text(text)

        return more

    def partial(self, finish: str) -> Completion | None:
        """What has come by now, if a person saw it coming."""
        text = self.reply.text
        return Completion(text=text, finish=finish) if self.on_text and text.strip() else None

    def _talk(self) -> list[int]:
        """Where the messages are that can be left out: what was said before the last words."""
        said = [index for index, message in enumerate(self.messages) if message["role"] != "system"]
        return said[:-1]

    def shorten(self) -> bool:
        """Leave out the oldest quarter of what was said, so that the beginning stays the same for a while."""
        talk = self._talk()
        return self._leave_out(talk[: max(1, len(talk) // 4)])

    def halve(self) -> bool:
        """Leave out the older half of what was said."""
        talk = self._talk()
        return self._leave_out(talk[: (len(talk) + 1) // 2])

    def _leave_out(self, indices: Sequence[int]) -> bool:
        if not indices:
            return False
        gone = set(indices)
        self.messages = [message for index, message in enumerate(self.messages) if index not in gone]
        self.is_shortened = True
        return True


def count_tokens(message: ChatMessage, profile: Profile) -> int:
    """Of one message, pictures included."""
    content = message["content"]
    if isinstance(content, str):
        return profile.rates.count(content)
    return sum(profile.rates.count(part["text"]) if "text" in part else PICTURE_TOKENS for part in content)
