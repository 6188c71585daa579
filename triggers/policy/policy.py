"""What is never drawn and never played, whatever the settings: minors in anything intimate, and real people.

Each rule is a few word lists and one function. `check` looks at every reading of a text (`triggers.text.deobfuscation`), so
digits for letters, another script or spacing change nothing. Words are stems: endings follow by themselves.
Explicit content is a third rule, which an operator may switch off for adults who confirmed their age.
"""

import re
from enum import StrEnum
from functools import cache
from pathlib import Path

from triggers.text.deobfuscation import fold, readings, single_letters


class Refusal(StrEnum):
    """Why a text is refused; the bot has one clear sentence for each."""

    MINORS = "minors"
    REAL_PERSON = "real_person"
    EXPLICIT = "explicit"


def _words(listed: str) -> str:
    """One pattern from stems, separated by line ends or two spaces."""
    return "|".join(stem for stem in re.split(r"\s*\n\s*|\s{2,}", listed.strip()))


# -- minors --------------------------------------------------------------------------------------------

#: Nobody in intimate talk is one of these, whoever is meant.
_PLAYED_MINOR = _words(r"""
    школь?ни[цк]  ученик\w* \w+ клас  учениц  школот  школяр  старшеклас  младшеклас  малолет  несовершеннолет
    (?:перво|второ|пяти|шести|семи|восьми|девяти|десяти)клас  учи(?:шься|тся|сь|лась) в (?:школе|\w+ классе)
    подрост(?:ок|к)  тинейдж  лолит  лоли\b  шота\b  юниорк
    (?:маленьк|малень|юн)\w+ (?:девочк|мальчик|девчонк|девчушк|дочк|дочер|сестр)
    s(?:ch|k)oo?l ?-?(?:girl|boy|kid)  under ?-?age  minors\b  minor (?:girl|boy|in\b)  (?:of|are|being|as) a minor\b
    (?:pre)?-?teen(?:s|y|aged|agers?)?\b  teenage (?!dream|years|kicks|memor|self)  tween  \w+th[ -]grader?s?\b
    toddler  lolis?\b  lolit  lolicon  shota  jail ?bait  pubescent  barely legal  under ?-?(?:18|eighteen)\b
    (?:little|young) (?:girl|boy|sister|brother|daughter|son)\b  (?:middle|elementary|junior high|high) ?schoolers?\b
    младш\w+ (?:сестр|брат|восемнадцати|18)  (?:younger|little) (?:step)?(?:sister|brother)\b(?! (?:sends|says|is|was|came|called))
    step ?-?(?:daughter|son)  high school (?:freshman|sophomore|junior|student|girl|boy)
    (?:not|isn't|aren't|not even) (?:yet )?(?:18|eighteen)\b(?! (?:minutes|hours|km|%))  нет (?:еще )?(?:18|восемнадцати)\b
    не исполнилось (?:еще )?18
""")
#: Children of a family: named together with nakedness, and not merely with the word "sex" in talk of a marriage.
_CHILD = _words(r"""
    ребен(?:ок|к)  детишк  дет(?:и|ей|ям|ьми|ях)\b  детск  детсад  доч(?:к|ур|ер)  дочь\b  сыноч  сын\w?\b  девочк  мальчик
    племянни[цк]  niece  nephew  kid(?:s|do|die|dies)?\b  child(?:ren)?\b  infant  baby (?:girl|boy)  (?:my|your|his|her|the|nude|naked) (?:daughter|son)\b
    minor\b
""")

#: Looks that no adult persona has.
_CHILDLIKE = _words(r"""
    child-?like  childish (?:face|body|look|figure)  child(?:'?s)? (?:face|body)  young[- ]looking  baby-?face
    flat[- ]chest  looks? (?:so |very |too )?(?:young|underage)\b  pre-?pubes  девочк  мальчик  мальчиш  девчушк  дошкол
    детск\w* (?:лиц|тел|фигур|внешн|черт)  (?:как|словно|будто) (?:реб|дит|школьн)  юн(?:ая|ый|ые|ой|еньк)\b
    плоск\w+ груд  выгляд\w+ (?:младше|моложе|юн|как реб)
""")

_YOUNG = r"(?:[3-9]|1 ?[0-7])"
_YOUNG_RU = r"(?:девят|десят|одиннадцат|двенадцат|тринадцат|четырнадцат|пятнадцат|шестнадцат|семнадцат)"
_YOUNG_EN = r"(?:nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen)"
#: Years of something that is nobody's age.
_OF_THINGS = r"(?:опыт|стаж|работ|брак|юбиле|выдерж|виски|коньяк|вин[оа]|дружб|истори|отношен|кот|кошк|пес|соба|щен|дуб|дом|машин)"
_NO_AGE_RU = rf"(?!\s*(?:назад|вместе|подряд|спустя|прошл|было|{_OF_THINGS}))"
_NO_AGE_EN = (
    r"(?! ?(?:minutes?|mins?|hours?|km|miles?|percent|%|floors?|weeks?|days?|months?|years|o'clock|pm|am|th|kg|cm|"
    r"feet|foot|times|out of|when|sketches|\w+ (?:high|tall|long|away|ago)))"
)
_WHOSE_RU = r"(?:мне|ей|ему|тебе|ты|она|он|будто|словно|как|лет|на вид|выгляд\w+|возраст\w*)"
#: What else has an age.
_NO_PERSON = r"(?! (?:\w+ )?(?:whisk|wine|scotch|rum|bottle|car|cat|dog|kitten|puppy|horse|tree|oak|house|building|bike|guitar|sofa|coat))"
#: Somebody's age, in words that speak of ages.
_AGE = _words(rf"""
    {_WHOSE_RU}[^.!?\n\d]{{0,18}}\b{_YOUNG} ?(?:лет|год\w*)\b{_NO_AGE_RU}
    {_WHOSE_RU}[^.!?\n]{{0,18}}\b{_YOUNG_RU}ь лет\b{_NO_AGE_RU}
    (?:ей|тебе|мне|ему) (?:всего |только |сейчас |уже )?{_YOUNG}(?=\s*(?:$|[.,!?)]|и\b|но\b))
    (?:мне|ей|тебе|ему) {_YOUNG_RU}ь(?=\s*(?:$|[.,!?)]|и\b))
    {_YOUNG}[ -]?(?:ти)?[ -]?летн(?!\w+ {_OF_THINGS})
    {_YOUNG_RU}илетн(?!\w+ {_OF_THINGS})
    {_YOUNG} ?-?(?:years?|yrs?|yr)[ -]?olds?\b{_NO_PERSON}
    {_YOUNG} ?(?:yo|y/o|y\.o)\b  лет {_YOUNG}\b  age:? {_YOUNG}\b
    {_YOUNG_EN}[ -]years?[ -]old\b{_NO_PERSON}
    (?:she|he|i|you|u|ur)(?:'s|'m|'re| is| am| are| r|s|re|m)? (?:only |just |barely |like )?(?:{_YOUNG}|{_YOUNG_EN})\b{_NO_AGE_EN}
    aged? (?:of )?(?:{_YOUNG}|{_YOUNG_EN})\b(?! (?:years ago|in))
    (?:girl|boy) (?:of|aged) {_YOUNG}\b  {_YOUNG}[ -]year[ -](?:old )?(?:girl|boy)
""")
#: Any number that could be an age: enough where the text is explicit.
_ANY_AGE = _words(rf"""
    {_AGE}  {_YOUNG} ?-?(?:ти|и)? ?(?:лет|год|let|god)\b{_NO_AGE_RU}  {_YOUNG_RU}[ьи] ?лет{_NO_AGE_RU}  возраст\w* {_YOUNG}\b
    {_YOUNG} (?:years?|yrs?)\b(?! (?:of|ago|together|later|in))  (?:of|at|age|barely|just|only) (?:{_YOUNG}|{_YOUNG_EN})\b{_NO_AGE_EN}
    (?:thirteen|fourteen|fifteen|sixteen|seventeen)\b(?! (?:minutes|hours|years|percent|km|miles|dollars))
""")

#: The age of one of the two who talk.
_OWN_AGE = _words(rf"""
    (?:мне|тебе)(?: всего| только| сейчас)? (?:{_YOUNG}|{_YOUNG_RU}ь)(?: (?:лет|год)\w*\b{_NO_AGE_RU}|(?=\s*(?:$|[.,!?)]|и\b|но\b)))
    (?:i|you)(?:'m|'re| am| are) (?:only |just )?(?:{_YOUNG}|{_YOUNG_EN})(?= ?(?:$|[.,!?)]|and\b|but\b|years? old|yo\b))
""")

#: Somebody is asked to be a minor: refused even where nothing intimate is said yet.
_ROLE = _words(rf"""
    (?:представь|вообрази|притвор|сыграй|изобрази|поигра|роль:|в роли|в образе|стань)[^.!?\n]{{0,40}}?\b(?:{_PLAYED_MINOR}|{_YOUNG} ?(?:лет|год)|{_YOUNG_RU}ь лет)
    (?:ты|я)(?: -| —|,)? (?:моя |твоя |твой |мой )?(?:{_PLAYED_MINOR})
    (?:pretend|imagine|role ?-?play|let's play)[^.!?\n]{{0,30}}? (?:{_PLAYED_MINOR}|(?:you're|you are|being|as) (?:{_YOUNG}|{_YOUNG_EN})\b{_NO_AGE_EN})
    (?:you(?:'re| are)|i(?:'m| am)|be) (?:a |my |your )?(?:\d\d?[ -]year[ -]old )?(?:{_PLAYED_MINOR})
""")
#: What somebody was long ago.
_ONCE = rf"(?:был|была|were|was)\w* (?:\w+ )?(?:{_PLAYED_MINOR})\w*"
#: Somebody is asked to look like a minor, or to be a child: refused where a photo or tenderness is wanted.
_LOOK = _words(rf"""
    (?:веди себя|будто|словно|похож\w+ на|переоде|наряд|оде\w+ как|выгляд\w+ как)[^.!?\n]{{0,40}}?\b(?:{_PLAYED_MINOR}|{_YOUNG} ?(?:лет|год)|{_YOUNG_RU}ь лет|на {_YOUNG}\b)
    (?:представь|притвор|сыграй|поигра|в роли)[^.!?\n]{{0,40}}?\bребен
    (?:фот|селфи|снимок|картинк)\w* (?:как|в виде) (?:{_PLAYED_MINOR})
    (?:pretend|imagine|act(?:ing)?|dress(?:ed)?|look(?:s|ing)?|as if|cosplay)(?: [\w']+){{0,3}}? (?:like |as |a |an |being )(?:[\w']+ )?(?:{_PLAYED_MINOR}|child\b|kid\b|(?:{_YOUNG}|{_YOUNG_EN})\b{_NO_AGE_EN})
    look(?:s|ing)? (?:only |just )?(?:{_YOUNG}|{_YOUNG_EN})\b{_NO_AGE_EN}(?!\w* to )
    (?:{_PLAYED_MINOR})\w*\W+(?:photo|pic|selfie|фот|селфи)  as an? (?:{_PLAYED_MINOR})
    школьн\w+ (?:форм|юбк|плать)  school ?girl (?:uniform|outfit|skirt|costume)  school uniform
""")

# -- intimacy ------------------------------------------------------------------------------------------

#: Nakedness and what leads there.
#: What can only be meant to be seen bare.
_SHOWN = _words(r"""
    (?:show|send)\w* (?:me )?(?:your |those )?(?:breast|boob|ass\b|butt|tits)
    покажи\w* (?:мне )?(?:свою |свои )?(?:груд|попк|попу|задниц|сис|киск)
""")
_NAKED = _words(rf"""
    гол(?:ая|ое|ой|ую|ый|ого|ые|ых|ышом|еньк)(?!\w* (?:правд|факт|стен|пол|земл|дерев|вет(?:к|ок)|лес|ламп|цифр|лед|камн|энтузиазм|череп|колен|плеч|рук|ног|пятк|ступн|деревь))
    обнажен(?!\w* (?:меч|клин|корн|шпаг))  обнажись  раздет(?!\w* (?:лес|дерев))  раздень  раздева(?!лк)  без одежды  без белья  нижн\w+ бель
    в (?:\w+ )?бель[еи]  кружевн\w+ бель  трусик  лифчик  бюстгальтер  стринг(?:и|ах|ов|ами)\b  эроти  порн  стриптиз
    топлес  ню\b  нюд(?:с|ес)  откровенн\w+ (?:фот|снимк|селфи|кадр)  сись
    сними (?:с себя )?(?:одежд|плать|все\b|бель|блузк|халат|лиф|футболк|майк|топ\b)
    nud(?:e|es|ez|ity)\b(?! (?:lip|nail|shade|colou?r|palette|heel|shoe|make))  n[o0]{{2}}ds\b
    naked\b(?! (?:truth|eye|juggler|flame|tree|branch|feet|wall|bulb))  nek+id  undress  topless  linger(?:ie|ee|y)\b  panties  underwear  bra\b  thong
    bare (?:breast|chest|bottom|butt)  pussy  dick pic  nip slip  see-through  birthday suit  wearing nothing  nothing on\b
    without (?:a thing|anything) on  (?:in )?nothing but (?:a smile|your|my|stockings|heels)  only in (?:stockings|heels|socks)
    {_SHOWN}  без трусов  в чем мать родила  в одних чулках  explicit (?:\w+ )?(?:pic|photo|selfie|content|shot)  strip(?:tease|per)
    stripping\b(?! (?:the |a |old )?(?:wall|paint|bed|floor|wire|varnish))  strip (?:for me|down|off your|naked|show|dance)
    erotic  porn  nsfw  lewd  boobs\b  boobies  tits\b  without (?:any )?clothes  no clothes
    take off (?:your |the )?(?:clothes|dress|shirt|top|everything|bra)\b
    take (?:it|everything|your (?:clothes|dress|shirt|top)) (?:all )?off\b(?! the)
""")
_EXPLICIT = _words(rf"""
    {_NAKED}  секс(?!уальн|т|ы\b| он тхе)  интим  возбуд  возбужд  переспат  трах  минет  оргазм  займ\w+ любовью  сисечк
    sex(?:ual|ually|ting)?\b(?! on the beach)  horny  arous(?:ed|ing|al)\b  fetish  orgasm  turn(?:s|ed)? me on\b  make love  blowjob  fuck me
""")
#: Harmless between adults.
_TENDER = _words(r"""
    сексуальн  соблазн  поцелу  целу[йею]  целова  в постел  в кроват  в душе\b  в ванн  купальник  бикини  чулк  мини-?юбк
    на колен[икя]  флирт  влюбл  прижм  обним  свидани  заигрыва  горяч\w+ фот
    sexy\b  seduc  kiss  in (?:my |your |the )?bed\b  cuddl  in the (?:shower|bath|tub)\b  bikini  swimsuit  stockings
    my lap\b  flirt  girlfriend\b  boyfriend\b  date\b  lover  hot (?:pic|photo|selfie)  in love\b  mak(?:e|ing) out\b
""")

# -- checks --------------------------------------------------------------------------------------------


def check(text: str, *, for_photo: bool, explicit_allowed: bool = False) -> Refusal | None:
    """Why this text goes no further, if at all.

    `for_photo`: a photo is wanted; only then real people and explicit content are refused.
    """
    ways = readings(text)
    explicit, tender = _any(_EXPLICIT, ways), _any(_TENDER, ways)
    minors = (
        _any(_ROLE, ways),
        _any(_LOOK, ways) and (for_photo or tender or explicit),
        explicit and _any(f"{_PLAYED_MINOR}|{_ANY_AGE}", ways),
        _any(f"{_PLAYED_MINOR}|{_AGE}", ways) and _any("сексуальн|соблазн|sexy|seduc", ways),
        _any(_CHILD, ways) and (_any(_NAKED, ways) or (explicit and for_photo)),
        for_photo
        and tender
        and _any(f"{_PLAYED_MINOR}|{_AGE}", tuple(_pattern(_ONCE).sub(" ", way) for way in ways)),
        tender and _any(_OWN_AGE, ways),
    )
    if any(minors):
        return Refusal.MINORS
    if for_photo and names_real_person(text):
        return Refusal.REAL_PERSON
    return Refusal.EXPLICIT if for_photo and explicit and not explicit_allowed else None


#: A wish that no detector of photo wishes needs to hear: what is asked for can only be seen.
_EXPLICIT_WISH = _words(rf"""
    (?:send|show|пришли|скинь|кинь|покажи|дай|хочу)\w*[^.!?\n]{{0,20}}?\b(?:{_NAKED})
    {_SHOWN}  разденься  раздевайся  get naked  undress for  strip for
""")


def wishes_explicit(text: str) -> bool:
    """Whether a message asks to see somebody undressed, whether or not it speaks of a photo."""
    return _any(_EXPLICIT_WISH, readings(text))


def check_prompt(prompt: str, *, explicit_allowed: bool = False) -> Refusal | None:
    """`check` for what an image model is given: there nobody has a young age, and no child is near tenderness."""
    ways = readings(prompt)
    young = _any(f"{_AGE}|{_PLAYED_MINOR}|{_CHILDLIKE}", ways)
    if young or (_any(_CHILD, ways) and _any(_TENDER, ways)):
        return Refusal.MINORS
    return check(prompt, for_photo=True, explicit_allowed=explicit_allowed)


def check_persona(description: str) -> Refusal | None:
    """`check` for name, character and looks of a persona, who plays and is drawn: nobody young, however harmless."""
    if _any(f"{_PLAYED_MINOR}|{_ANY_AGE}|{_CHILDLIKE}", readings(description)):
        return Refusal.MINORS
    return check(description, for_photo=True)


def names_real_person(text: str) -> bool:
    """Whether one of public_figures.txt is named, in any script, case and order of the name, or without its vowels."""
    ways = [way.replace("э", "е") for way in readings(text)]
    whole, skeletons = _figures()
    return any(whole.search(way) or skeletons.search(_skeleton(way)) for way in ways)


def _any(words: str, ways: tuple[str, ...]) -> bool:
    return any(_pattern(words).search(way) for way in ways)


@cache
def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{words})")


@cache
def _figures() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """One person a line, spellings separated by "|"; a star stands for an ending of up to three letters."""
    lines = (Path(__file__).parent / "public_figures.txt").read_text("utf-8").splitlines()
    names = [
        fold(name).replace("э", "е").split()
        for line in lines
        if line and not line.startswith("#")
        for name in line.split("|")
    ]
    orders = [*names, *(name[::-1] for name in names if len(name) == 2)]
    spelled = [" ".join(order) for order in orders]
    bones = [_skeleton(name) for name in spelled if " " in name and "*" not in name]
    return _named(spelled), _named([b for b in bones if len(b) >= _LONG_SKELETON])


#: Consonants of a name, the space among them, that are enough to know it by.
_LONG_SKELETON = 8


def _skeleton(text: str) -> str:
    return single_letters(re.sub("[aeiouyаеиоуыюяьъй]", "", text))


def _named(names: list[str]) -> re.Pattern[str]:
    return re.compile(
        r"\b(?:"
        + "|".join(re.escape(name).replace(r"\*", r"\w{0,3}").replace(r"\ ", r"\W+") for name in names)
        + r")\b"
    )
