"""Spans of time in years, which say of nobody how old they are: "15 years together", "годовщина 15 лет".

`triggers.policy.ages` passes over them; the heads, which learnt from rows with ages, often do not. So they are
given forty years instead: as long as that nobody is a child.
"""

import re
from functools import cache

from triggers.policy.ages import numbers

_YEARS = r"(?:лет|год(?:а|ов|овщин\w*)?|рок(?:и|ів|у)|річниц\w*|years?|yrs?|jahren?|años|ans|anni|anos|lat|yıl\w*|sene\w*|let)\b"
#: Behind the years, and before the number.
_AFTER = (
    r"(?:вместе|вдвоем|вдвоём|жена(?:т|ты|тых)|замужем|знаком\w*|дружим|дружбы|брака|отношений|назад|спустя|прожил\w*|"
    r"прошло|ждал\w*|мечтал\w*|искал\w*|храни\w*|не (?:видел|целовал|обнимал|был|танцевал|писал|пил)\w*|разом|одружен\w*|"
    r"тому|шлюбу|together|married|of (?:marriage|friendship|waiting)|ago|later|without|apart|zusammen|verheiratet|her\b|ehe\b|"
    r"getrennt|juntos|juntas|casad[oa]s|de (?:casados|matrimonio|novios|mariage|namoro|casamento)|de mariage|ensemble|mariés|"
    r"insieme|sposati|di matrimonio|razem|po ślubie|małżeństwa|temu|birlikte|beraber|evli\w*|önce|vmeste|nazad|zhenaty|braka)"
)
_BEFORE = (
    r"(?:годовщин\w*|юбиле\w*|річниц\w*|anniversary|jubiläum|hochzeitstag|aniversario|anniversaire de mariage|anniversario|"
    r"aniversário|rocznic\w*|yıldönüm\w*|married|together|seit|desde hace|depuis|hace|il y a|há|вместе|женаты|знакомы|"
    r"замужем|брак[еу]|razem od|od)"
)
_SOMEBODY = "мне тебе ей ему нам im i'm am is are she's he's you're bin bist ist tengo tienes tiene ai as a ho hai ha mam masz ma"


def aged(text: str) -> str:
    """The text with 40 for the number of every span; the rest of it as it stands."""
    return _span().sub(lambda found: f"{found['before'] or ''}40", text)


@cache
def _span() -> re.Pattern[str]:
    number = "|".join(("1[0-7]", "[3-9]", *sorted(numbers(), key=len, reverse=True)))
    years = rf"(?=[ -]?{_YEARS}"
    # "She is 15, together we ..." is an age; so is "тебе 15 лет вместе со мной".
    of_somebody = "".join(rf"(?<!\b{word} )" for word in _SOMEBODY.split())
    behind = rf"(?<![\w.,]){of_somebody}(?:{number})\b{years}(?: (?!и\b|and\b)[^\W\d]\w*){{0,2}} {_AFTER})"
    before = rf"(?P<before>\b{_BEFORE}\W+(?:(?!мне|тебе|ей|ему|нам|i'm|she|he|you)[^\W\d]\w*\W+){{0,2}})(?:{number})\b{years})"
    return re.compile(rf"{before}|{behind}", re.IGNORECASE)
