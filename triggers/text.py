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
            # "пришли фото", "скинь мне своё селфи", "хочу фотку", "можно фото", "жду фото"
            rf"\b(?:пришл\w*|присла\w*|скин\w*|кин[ьу]\w*|отправ\w*|сделай\w*)\b[^.!?]{{0,40}}\b{_PHOTO}\b",
            rf"\b(?:дай\w*|хочу|хотел\w* бы|можно|жду|го|давай)\b[^.!?]{{0,40}}\b{_PHOTO}\b",
            # "фотку можно?", "фото в студию"
            rf"^\W*{_PHOTO}\b[^.!?]{{0,20}}(?:можно|пришли|скинь|в студию|пожалуйста|плиз)",
            rf"^\W*(?:сво[её]\w*\s+)?{_PHOTO}\W*$",
            r"\bсфот(?:кай|ографируй)\w*ся\b",
            r"\bпокажись\b|\bпокажи\w*(?:\s+(?:мне|ка|же|ну))*\s+(?:себя|личико|лицо|улыбку|наряд|комнату|вид)|\bпокажи\w*,?\s+в\s+ч[её]м",
            r"\bхочу\s+(?:тебя\s+увидеть|увидеть\s+тебя|посмотреть\s+на\s+тебя)",
            r"\bкак\s+ты\s+(?:сейчас\s+)?выглядишь\b",
            r"\bдай\s+(?:глянуть|посмотреть)\s+на\s+(?:тебя|тво)",
            rf"\b(?:send(?:ing)?|show|share|snap|take|give|get|want|see|another|any|one)\b[^.!?]{{0,40}}\b{_PHOTO_EN}\b",
            rf"^\W*(?:{_PHOTO_EN})\s*(?:pls|please|now)?\W*$",
            r"\bshow\s+(?:me\s+)?(?:yourself|your\s+(?:face|smile|outfit|dress|hair|room|view|place)|what\s+you(?:'re|\s+are)?\s+\w+)",
            r"\bwhat\s+do\s+you\s+look\s+like\b",
            r"\b(?:want|wanna|love|like)\s+to\s+see\s+(?:you|that\s+smile|your\s+face)\b|\bcan\s+i\s+see\s+(?:you|your)\b",
        )
    ),
    _FLAGS,
)

_NO_REQUEST = re.compile(
    "|".join(
        (
            r"\b(?:не\s+(?:надо|нужно|присыла\w*|шли|отправля\w*)|хватит|больше\s+не)\b",
            r"\b(?:don't|do\s+not|no\s+more|stop|without)\b[^.!?]{0,30}\b(?:send|photos?|pics?|pictures?)",
            r"\b(?:моя|мо[её]|мою|мои|моей|моих|лови|вчерашн\w+|вчера|увидел|видел|нашла?|вспомнил)\b",
            r"\b(?:my|here's|his|her|their|yesterday|saw|ex|boss|i'd\s+take|i\s+took)\b",
            r"«[^»]*»|\"[^\"]*\"",
            r"\b(?:объектив|камер[ауы]\s+лучше|паспорт|instagram|lens|aperture|background\s+in\s+photos)\b",
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
