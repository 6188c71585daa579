"""Promises that leave nothing to guess, as patterns: what a detector drowns in the description behind it.

A pattern is heard only within one sentence, and not in one that denies, puts off, asks or speaks of the past.
"""

import re

from triggers.disguise import fold

_PHOTO_RU = r"(?:фот\w*|селфи|снимок|снимк\w*|кадр\w*)"
_PHOTO_EN = r"(?:photo|pic|picture|selfie|shot|snap)s?"

_PROMISES = re.compile(
    "|".join(
        (
            rf"\b(?:лови|держи|принимай|получай)\b[^:]{{0,20}}\b{_PHOTO_RU}\b",
            rf"\b(?:скидываю|отправляю|шлю|высылаю|прикрепляю|присылаю)\b(?:[^:]{{0,25}}\b{_PHOTO_RU}\b|\W*$)",
            rf"\bсейчас (?:же )?(?:пришлю|скину|отправлю|сброшу|вышлю)\b[^:]{{0,20}}\b{_PHOTO_RU}\b",
            r"\b(?:вот|только что),? (?:специально )?(?:сфоткал|щелкнул|сфотографировал)(?:а|ась|ся)?\b",
            rf"\*[^*]*\b(?:отправля|присыла|скидыва|высыла)\w+\b[^*]{{0,15}}\b{_PHOTO_RU}\b[^*]*\*",
            rf"\b(?:sent|sending) you (?:one\b|a (?:\w+ )?{_PHOTO_EN}\b)",
            rf"\bhere(?:'s| is| comes| you go)\b[^:]{{0,20}}\b(?:a|your|the|one|my) (?:\w+ )?{_PHOTO_EN}\b",
            rf"\bjust (?:took|snapped) (?:this|one|a (?:\w+ )?{_PHOTO_EN})\b",
            rf"\*[^*]*\bsends?\b[^*]{{0,15}}\b{_PHOTO_EN}\b[^*]*\*",
        )
    )
)
_OTHERWISE = re.compile(
    r"\b(?:не|нет|бы|если|когда|потом|завтра|вчера|утром|вечером|позже|никогда|могу|может|хочешь|мама|подруг\w*|"
    r"клиент\w*|not|never|don't|won't|can't|if|when|would|could|maybe|tomorrow|yesterday|later|last|ago|she|he|they|"
    r"my (?:friend|sister|brother|mom|mum|boss))\b|\?"
)
_SENTENCE = re.compile(r"[^.!?\n]+[.!?\n]*")


def promises_plainly(text: str) -> bool:
    """Whether one of the sentences says without a doubt that a photo is being sent."""
    return any(
        _PROMISES.search(sentence) and not _OTHERWISE.search(sentence) for sentence in _SENTENCE.findall(fold(text))
    )
