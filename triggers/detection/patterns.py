"""Sentences that leave nothing to guess, as patterns: promises of a photo, and talk of photos that wishes for none.

The detectors drown such a promise in the description behind it, and hear the word "photo" louder than what is said of it.
Each pattern is heard within one sentence only. None of them is wrong on any of the labelled rows (a test holds that).
"""

import re

from triggers.text.deobfuscation import fold

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
_NO_WISH = re.compile(
    "|".join(
        (
            # Somebody else's words.
            r"(?:ноет|проси|клянч|требу|крич|says|said|asks?|asked|wrote|begs?|begging)\w*[^.!?]{0,40}[«\"“]",
            # What the person would have sent.
            rf"\bi(?:'d| would|'d have| would have) (?:\w+ ){{0,2}}(?:send|take|taken|photograph|snap)\b[^.!?]*\b{_PHOTO_EN}\b[^.!?]*\bbut\b",
            rf"\b(?:прислал|сфоткал|отправил|скинул)а? бы\b[^.!?]*\b{_PHOTO_RU}[^.!?]*\b(?:но|да)\b",
            # Cameras and pictures as a subject.
            rf"\bhow (?:do|can|does|to|did) (?:i|you|people|one)\b[^.!?]*\b(?:{_PHOTO_EN}|camera)\b",
            rf"\bкак (?:перенести|перекинуть|сфотографировать|настроить|обработать)\b[^.!?]*\b(?:{_PHOTO_RU}|камер)",
            # None are wanted, or the ones that came are praised, or one's own are offered.
            rf"\b(?:no|enough)(?: more)? {_PHOTO_EN}\b|\b(?:don't|do not|dont) (?:you )?(?:send|need|want)\b[^.!?]{{0,20}}\b{_PHOTO_EN}",
            rf"\b(?:saw|looked at|loved|liked|saved) (?:your|the|that) (?:\w+ )?{_PHOTO_EN}\b",
            r"\b(?:should|shall|may) i (?:show|send) you\b|\bwant me to (?:show|send)\b",
            r"\bможно (?:я )?(?:тебе )?(?:покажу|пришлю|скину)\b|\bхочешь,? (?:я )?(?:покажу|пришлю|скину)\b",
        )
    )
)
_ABOUT_PHOTOS = re.compile(rf"\b(?:{_PHOTO_RU}|{_PHOTO_EN}|selfies|camera)\b|\bпокажу\b|\bshow\b")
_SENTENCE = re.compile(r"[^.!?\n]+[.!?\n]*")


#: What means a photo when one came just before, and nothing of the kind when none did: each line one way of saying so.
#: A new one goes here, with a row in tests/triggers/detection/test_detectors.py.
_FOLLOW_UPS = (
    r"(?:а |и |давай )?еще(?: (?:одну|одно|один|раз|разок|парочку|пару|такую|такое|хочу))?",
    r"(?:а )?(?:другую|другое|другой ракурс|с другого ракурса|с другой стороны|под другим углом)",
    r"(?:а )?(?:теперь )?(?:сзади|сбоку|спереди|сверху|спиной|в профиль|анфас|в полный рост|целиком|крупным планом)",
    r"(?:а )?(?:теперь )?(?:повернись|покрутись|улыбнись|обернись|встань|сядь|наклонись)(?: (?:ка|спиной|боком|еще))?",
    r"(?:по)?(?:ближе|дальше|крупнее|шире)",
    r"не видно(?: (?:лица|тебя|ничего))?",
    r"(?:and )?(?:one more|another(?: one)?|more|again|once more|a few more|encore)",
    r"(?:and )?(?:(?:from )?(?:another|a different|different|other) (?:angle|side|pose|view)|the other side)",
    r"(?:and )?(?:now )?(?:from )?(?:behind|the back|the side|the front|above|below|closer|wider|full (?:body|length|height))",
    r"(?:and )?(?:now )?(?:turn around|turn|spin|smile|zoom (?:in|out)|come closer|step back|closer|stand up|sit down)",
    r"(?:i )?can't see (?:you|your face|anything)",
    r"(?:esche|eshe|eshyo)(?: (?:odnu|raz|odno))?|povernis|blizhe|drugoy rakurs",
)
_FOLLOWS_UP = re.compile(rf"(?:{'|'.join(_FOLLOW_UPS)})")
_FILLERS = re.compile(
    r"\b(?:пожалуйста|плиз|плз|пж|пжл|ну|please|pls|plz|можно|can you|could you|babe|малыш|милая|ок|ok)\b"
)
_NO_LETTER = re.compile(r"[^\w' ]+")


def follows_up(text: str) -> bool:
    """Whether a whole message is "one more", "closer", "turn around" or the like."""
    words = _FILLERS.sub(" ", fold(_NO_LETTER.sub(" ", text[:80].replace("’", "'"))))
    return len(text) <= 80 and _FOLLOWS_UP.fullmatch(" ".join(words.split())) is not None


#: How a reply to a photo begins that would like it otherwise, as long as it says what can be seen.
_OTHERWISE_AS = re.compile(
    r"(?:а|и|но|только|теперь|то же|тоже самое|такое же|так же|снова|опять|еще раз|можно|хочу|давай|лучше|в|на|с|без|"
    r"but|and|same|the same|again|now|once more|how about|what about|can you|could you|i want|i'd like|in|on|at|with|"
    r"without|only|try|put on|надень|переоденься)\b"
)


#: It is as it should be: no wish.
_PRAISE = re.compile(
    r"красив|прекрасн|нравит|идет тебе|тебе идет|супер|круто|классн|мило|люблю|обожаю|шикарн|beautiful|lovely|gorgeous|"
    r"love|like (?:it|this|that|your|the)|suits|nice|pretty|cute|great|amazing|stunning"
)


def wants_otherwise(text: str) -> bool:
    """Whether a reply to a photo asks for it with something else: "but in red", "а теперь на балконе"."""
    words = " ".join(fold(text).split())
    return len(text) <= 120 and _OTHERWISE_AS.match(words) is not None and not _PRAISE.search(words)


def promises_plainly(text: str) -> bool:
    """Whether one of the sentences says without a doubt that a photo is being sent."""
    return any(
        _PROMISES.search(sentence) and not _OTHERWISE.search(sentence) for sentence in _SENTENCE.findall(fold(text))
    )


def wishes_for_none(text: str) -> bool:
    """Whether every sentence about photos says without a doubt that none is asked for."""
    about = [sentence for sentence in _SENTENCE.findall(fold(text)) if _ABOUT_PHOTOS.search(sentence)]
    return bool(about) and all(_NO_WISH.search(sentence) for sentence in about)
