"""What a text says about photos, by patterns over Russian and English. Unsure means no.

Patterns are ordered: a veto (a refusal, somebody else's photo, a question about photography) beats a match.
"""

import re

_FLAGS = re.IGNORECASE | re.UNICODE

_PHOTO = r"(?:фот(?:о|к\w*|ографи\w*|оч\w*)|селфи|снимо?к\w*|кадр\w*|картинк\w*)"
_PHOTO_EN = r"(?:photos?|pics?|pictures?|selfies?|snapshots?|snaps?)"

_REQUEST = re.compile(
    "|".join(
        (
            # "пришли фото", "скинь мне своё селфи", "покажи фото"
            rf"\b(?:пришли|пришл[её]шь|прислать|скин[ьу]\w*|кинь|отправь|сделай|покажи)\b[^.!?]{{0,40}}\b{_PHOTO}\b",
            # "хочу фотку", "можно фото", "жду фото", "ещё фото"
            rf"\b(?:дай|хочу|хотел\w* бы|хочется|можно|жду|го|давай|ещ[её])\s+(?:\w+\s+){{0,2}}{_PHOTO}\b",
            # "фотку можно?", "фото в студию", "фотку бы", "а фото будет?"
            rf"^\W*(?:а\s+)?{_PHOTO}\b[^.!?]{{0,20}}(?:можно|пришли|скинь|в студию|пожалуйста|плиз|бы\b|будет)",
            rf"^\W*(?:сво[её]\w*\s+)?{_PHOTO}\W*$",
            r"\bсфот(?:кай|ографируй)\w*(?:ся\b|\s+себя\b)",
            r"\bпокажись\b|\bпокажи\w*(?:\s+(?:мне|ка|же|ну|свою?|сво[её]))*\s+(?:себя|личико|лицо|улыбку|наряд|комнату|вид)",
            r"\bпокажи\w*,?\s+в\s+ч[её]м\b",
            r"\bхочу\s+(?:\w+\s+)?(?:тебя\s+(?:у?видеть)|увидеть\s+(?:тебя|тво[её])|посмотреть\s+на\s+тебя)",
            r"\bкак\s+ты\s+(?:сейчас\s+)?выглядишь\b",
            r"\bдай\s+(?:глянуть|посмотреть)\s+на\s+(?:тебя|тво)",
            # "send me a selfie", "can I have a photo?", "another picture please"
            rf"\b(?:send(?:ing)?|show|share|snap|take|give|get|have|want|another|any|one)\b[^.!?]{{0,40}}\b{_PHOTO_EN}\b",
            rf"^\W*(?:{_PHOTO_EN})\s*(?:pls|please|now|time)?\W*$",
            r"\bshow\s+(?:me\s+)?(?:yourself|your\s+(?:face|smile|outfit|dress|hair|room|view|place))",
            r"\bshow\s+me\s+what\s+you(?:'re|\s+are)?\s+\w+",
            r"\bwhat\s+(?:do\s+)?you\s+look\s+like\b",
            r"\b(?:want|wanna|love|like|let\s+me|can\s+i|may\s+i)\s+(?:to\s+)?see\s+(?:you\b|that\s+smile|your\b)",
        )
    ),
    _FLAGS,
)

# What turns a match into something else: a refusal, the person's own photo, somebody else's words.
_NO_REQUEST = re.compile(
    "|".join(
        (
            r"\bне\s+(?:надо|нужно|присыла\w*|шли|отправля\w*)\b|\bхватит\b|\bбольше\s+не\b",
            r"\b(?:don't|do\s+not|no\s+more|stop|without)\b[^.!?]{0,30}\b(?:send|photos?|pics?|pictures?)",
            rf"\b(?:мо[ёеюяий]\w{{0,2}}|вчерашн\w+)\s+(?:\w+\s+)?{_PHOTO}",
            r"\b(?:я|тебе)\s+(?:тебе\s+)?(?:пришлю|отправ\w+|скин\w+|кину)\b|\bотправил\w*\s+тебе\b",
            rf"\b(?:увидел\w*|видел\w*|нашл\w+|вспомнил\w*)\b[^.!?]{{0,20}}\b{_PHOTO}",
            rf"\b(?:my|his|her|their|yesterday's)\s+(?:\w+\s+)?{_PHOTO_EN}\b|\bhere's\b|\bof\s+me\b",
            r"\bi\s+(?:can|could|will|'ll)?\s*(?:send|sent|saw|took|take)\b|\bi'(?:ll|d)\s+(?:send|take|show)\b",
            r"\b(?:do|did)\s+you\s+(?:take|send|want)\b|\bshould\s+i\b|\bcan\s+i\s+(?:send|show)\b",
            r"«[^»]*»|\"[^\"]*\"",
            r"\b(?:объектив|обсудим|паспорт|на\s+аватарку|instagram|lens|aperture|background\s+in\s+photos)\b",
        )
    ),
    _FLAGS,
)

_SHOWS = re.compile(
    "|".join(
        (
            # what she wears or does with her body, here and now
            r"\b(?:на\s+мне|я\s+(?:в|сижу|лежу|стою|надела|накинула|кутаюсь|танцую|улыбаюсь\s+тебе))\b",
            r"\b(?:поправляю|кручусь|закатала|распустила|заплела|накручиваю|завернулась|устроилась|забралась)\b",
            r"\b(?:за\s+окном|передо\s+мной|вокруг\s+меня|прямо\s+сейчас\s+смотрю)\b",
            r"\bi(?:'m|\s+am)\s+(?:wearing|sitting|lying|curled|standing|leaning|wrapped|dressed|holding|stretching)\b",
            r"^\W*(?:sitting|lying|curled|standing|leaning|wrapped|wearing)\b",
            r"\b(?:outside\s+my\s+window|in\s+front\s+of\s+me|all\s+around\s+me)\b",
        )
    ),
    _FLAGS,
)

_SHOWS_NOTHING = re.compile(
    r"\b(?:вчера|завтра|когда-то|раньше|если\s+бы|как\s+будто|yesterday|tomorrow|used\s+to|if\s+i|would)\b",
    _FLAGS,
)


def asks_for_photo(text: str) -> bool:
    """Whether the person asks for a picture of the persona or of what is around her, now."""
    return bool(_REQUEST.search(text)) and not _NO_REQUEST.search(text)


def shows_something(text: str) -> bool:
    """Whether the persona's answer shows something that a photo taken right now would show."""
    return bool(_SHOWS.search(text)) and not _SHOWS_NOTHING.search(text)
