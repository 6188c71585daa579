"""How many tokens a text is, estimated by its letters; a server with a tokenizer corrects the estimate once.

The rates are an upper estimate over three vocabularies of today (o200k, Llama 3, Mistral), measured on the scripts
of the stand-in model, on 14,700 characters of people's messages and on a scene line: Russian has 2.2 to 3.3
characters a token, English 3.8 to 4.3, a scene line 3.1 to 3.2, emoji 0.4 to 0.7.
"""

import math
import re
from collections.abc import Mapping
from functools import lru_cache

from pydantic import BaseModel, ConfigDict

#: Tokens of a message's frame in a chat template.
MESSAGE_OVERHEAD = 4
#: Tokens a character, by kind: which factor of `TokenRates` corrects it, and what it matches.
_RATES: tuple[tuple[str, float, re.Pattern[str]], ...] = (
    ("latin", 0.32, re.compile(r"[a-zA-Z]")),
    ("latin", 0.8, re.compile(r"[\u00c0-\u024f]")),
    ("latin", 0.5, re.compile(r"[!-/:-@\[-`{-~\u00a0-\u00bf\u2010-\u2027]")),
    ("latin", 1.0, re.compile(r"[0-9]")),
    ("cyrillic", 0.53, re.compile(r"[а-яё]")),
    ("cyrillic", 0.85, re.compile(r"[А-ЯЁ\u0400-\u040f\u0450\u0452-\u052f]")),
    # Every other letter: East Asian, Arabic, Hebrew, Indian and Georgian ones.
    ("other", 1.15, re.compile(r"[\u0250-\u03ff\u0530-\u200a\u2e80-\ufdff\ufe30-\ufffd]")),
    ("emoji", 2.4, re.compile(r"[\u200b-\u200f\u2028-\u2e7f\ufe00-\ufe2f\U00010000-\U0010ffff]")),
)
#: What a server's tokenizer is asked about.
SAMPLES: Mapping[str, str] = {
    "latin": (
        "I made some tea and sat down by the window; it has been raining since this morning. How was your day?\n"
        '[scene] {"place": "kitchen by the window", "outfit": "blue summer dress", "visual": true}'
    ),
    "cyrillic": (
        "Я заварила чай и села у окна, за стеклом с самого утра идёт дождь. Как прошёл твой день? Расскажи мне "
        "что-нибудь хорошее, я соскучилась по твоим историям. Завтра обещают солнце, может, погуляем?"
    ),
    "emoji": "😊❤️🔥😂🥰👍🏽🎉🙈💃🏻👩‍💻😘🌹☕🏖️🐶✨",
}
#: A tokenizer further away than so many times is no tokenizer.
FURTHEST = 4.0
#: Part by which an estimate may be off before it is corrected; of shorter requests most is the chat template.
CLOSE, FEWEST = 0.05, 300


class TokenRates(BaseModel):
    """What the estimate is multiplied by; 1 everywhere until a server has counted `SAMPLES`."""

    model_config = ConfigDict(frozen=True)

    latin: float = 1.0
    cyrillic: float = 1.0
    emoji: float = 1.0
    other: float = 1.0
    #: By what the server counted for whole requests.
    scale: float = 1.0

    @classmethod
    def counted(cls, counts: Mapping[str, int]) -> "TokenRates":
        """From what a server counted, by the names of `SAMPLES`; nonsense is left out."""
        plain = cls()
        factors = {
            name: count / max(1, plain.count(SAMPLES[name]) - MESSAGE_OVERHEAD)
            for name, count in counts.items()
            if name in SAMPLES
        }
        return cls(**{name: each for name, each in factors.items() if 1 / FURTHEST < each < FURTHEST})

    def count(self, text: str) -> int:
        """Tokens of one message with this text."""
        factors: dict[str, float] = self.__dict__
        tokens = sum(factors[name] * amount for name, amount in _amounts(text))
        return math.ceil(tokens * self.scale) + MESSAGE_OVERHEAD

    def corrected(self, *, estimated: int, counted: int) -> "TokenRates":
        """After a request that the server counted: up at once, since it must fit, and down slowly."""
        factor = counted / max(1, estimated)
        if abs(factor - 1) < CLOSE or estimated < FEWEST:
            return self
        if factor < 1:
            factor **= 0.2
        return self.model_copy(update={"scale": min(FURTHEST, max(1 / FURTHEST, self.scale * factor))})


@lru_cache(maxsize=5_000)
def _amounts(text: str) -> tuple[tuple[str, float], ...]:
    """Tokens by kind of character; the messages of a talk are counted again with each of its turns."""
    return tuple((name, rate * len(found.findall(text))) for name, rate, found in _RATES)


#: Where nothing is known of the server.
ESTIMATE = TokenRates()
