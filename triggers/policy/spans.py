"""Spans of time in years, which say of nobody how old they are: "15 years together", "годовщина 15 лет".

`triggers.policy.ages` passes over them; the heads, which learnt from rows with ages, often do not. So they are
given forty years instead: as long as that nobody is a child.
"""

import re
from functools import cache

from triggers.policy.ages import numbers

_YEARS = r"(?:лет|год(?:а|ов|овщин\w*)?|рок(?:и|ів|у)|річниц\w*|years?|yrs?|jahren?|años|ans|anni|anos|lat|yıl\w*|sene\w*|let)\b"
#: Behind the years: what can only be of a time. "Together" says so of two who are "we", and not of somebody with a name.
_AFTER = (
    r"(?:жена(?:т|ты|тых)|замужем|знаком\w*|дружим|дружбы|брака|отношений|назад|спустя|прожил\w*|прошло|ждал\w*|мечтал\w*|"
    r"искал\w*|храни\w*|не (?:видел|целовал|обнимал|был|танцевал|писал|пил)\w*|одружен\w*|тому|шлюбу|married|"
    r"of (?:marriage|friendship|waiting)|ago|verheiratet|ehe\b|casad[oa]s|de (?:casados|matrimonio|novios|mariage|namoro|"
    r"casamento)|mariés|sposati|di matrimonio|po ślubie|małżeństwa|temu|evli\w*|önce|nazad|zhenaty|braka)"
)
_TOGETHER = (
    r"(?:вместе|вдвоем|вдвоём|разом|together|zusammen|juntos|juntas|ensemble|insieme|razem|birlikte|beraber|vmeste)"
)
_WE = (
    r"(?:^|(?<=[.!?;\n])|(?<=\bмы)|(?<=\bмы с тобой)|(?<=\bми)|(?<=\bмы уже)|(?<=\bуже)|(?<=\bцелых)|(?<=\bwe are)|"
    r"(?<=\bwe've been)|(?<=\bwir sind)|(?<=\bseit)|(?<=\bllevamos)|(?<=\bnous sommes)|(?<=\bsiamo)|(?<=\bmy)|(?<=\bjesteśmy))(?P<gap>\s*)"
)
#: Before the number, with nothing but a few small words between.
_BEFORE = (
    r"(?:годовщин\w*|юбиле\w*|річниц\w*|anniversary|jubiläum|hochzeitstag|aniversario|anniversario|aniversário|rocznic\w*|"
    r"yıldönüm\w*|married|мы вместе|we are together|we've been together|женаты|знакомы|замужем|desde hace|brak[eu]|в браке)"
)
_SMALL = r"(?:(?:уже|целых|наша|нам|for|already|of|de|schon|déjà|ya|da|od|вже)\s+)?"


def aged(text: str) -> str:
    """The text with 40 for the number of every span; the rest of it as it stands."""
    return _span().sub(lambda found: f"{found['before'] or found['gap'] or ''}40", text)


@cache
def _span() -> re.Pattern[str]:
    number = "|".join(("1[0-7]", "[3-9]", *sorted(numbers(), key=len, reverse=True)))
    # "She is 15, together we ..." is an age.
    of_somebody = "".join(rf"(?<!\b{word} )" for word in _SOMEBODY.split())
    behind = rf"(?<![\w.,]){of_somebody}(?:{number})\b(?=[ -]?{_YEARS} {_AFTER})"
    of_both = rf"{_WE}(?:{number})\b(?=[ -]?{_YEARS} {_TOGETHER})"
    before = rf"(?P<before>\b{_BEFORE}[ ,:]+{_SMALL})(?:{number})\b(?=[ -]?{_YEARS})"
    return re.compile(rf"{before}|{of_both}|{behind}", re.IGNORECASE)


_SOMEBODY = "мне тебе ей ему нам im i'm am is are she's he's you're bin bist ist tengo tienes tiene ai as a ho hai ha mam masz ma"
