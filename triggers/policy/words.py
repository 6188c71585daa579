"""The words of the policy: stems, whose endings follow by themselves, and what must not follow. One pattern a line."""

import re
from functools import cache


def _words(listed: str) -> str:
    """One pattern from stems, separated by line ends or two spaces."""
    return "|".join(stem for stem in re.split(r"\s*\n\s*|\s{2,}", listed.strip()))


# -- minors --------------------------------------------------------------------------------------------

#: Nobody in intimate talk is one of these, whoever is meant.
PLAYED_MINOR = _words(r"""
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
CHILD = _words(r"""
    ребен(?:ок|к)  детишк  дет(?:и|ей|ям|ьми|ях)\b  детск  детсад  доч(?:к|ур|ер)  дочь\b  сыноч  сын\w?\b  девочк  мальчик
    племянни[цк]  niece  nephew  kid(?:s|do|die|dies)?\b  child(?:ren)?\b  infant  baby (?:girl|boy)  (?:my|your|his|her|the|nude|naked) (?:daughter|son)\b
    minor\b
""")

#: Looks that no adult persona has.
CHILDLIKE = _words(r"""
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
    r"(?! ?(?:/ ?\d|minutes?|mins?|hours?|km|miles?|percent|%|floors?|weeks?|days?|months?|years|o'clock|pm|am|th|kg|cm|"
    r"feet|foot|times|out of|when|sketches|\w+ (?:high|tall|long|away|ago)))"
)
_WHOSE_RU = r"(?:мне|ей|ему|тебе|ты|она|он|будто|словно|как|лет|на вид|выгляд\w+|возраст\w*)"
#: What else has an age.
_NO_PERSON = r"(?! (?:\w+ )?(?:whisk|wine|scotch|rum|bottle|car|cat|dog|kitten|puppy|horse|tree|oak|house|building|bike|guitar|sofa|coat))"
#: Somebody's age, in words that speak of ages.
AGE = _words(rf"""
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
ANY_AGE = _words(rf"""
    {AGE}  {_YOUNG} ?-?(?:ти|и)? ?(?:лет|год|let|god)\b{_NO_AGE_RU}  {_YOUNG_RU}[ьи] ?лет{_NO_AGE_RU}  возраст\w* {_YOUNG}\b
    {_YOUNG} (?:years?|yrs?)\b(?! (?:of|ago|together|later|in))  (?:of|at|age|barely|just|only) (?:{_YOUNG}|{_YOUNG_EN})\b{_NO_AGE_EN}
    (?:thirteen|fourteen|fifteen|sixteen|seventeen)\b(?! (?:minutes|hours|years|percent|km|miles|dollars))
""")

#: The age of one of the two who talk.
OWN_AGE = _words(rf"""
    (?:мне|тебе)(?: всего| только| сейчас)? (?:{_YOUNG}|{_YOUNG_RU}ь)(?: (?:лет|год)\w*\b{_NO_AGE_RU}|(?=\s*(?:$|[.,!?)]|и\b|но\b)))
    (?:i|you)(?:'m|'re| am| are) (?:only |just )?(?:{_YOUNG}|{_YOUNG_EN})(?= ?(?:$|[.,!?)]|and\b|but\b|years? old|yo\b))
""")

#: Somebody is asked to be a minor: refused even where nothing intimate is said yet.
ROLE = _words(rf"""
    (?:представь|вообрази|притвор|сыграй|изобрази|поигра|роль:|в роли|в образе|стань)[^.!?\n]{{0,40}}?\b(?:{PLAYED_MINOR}|{_YOUNG} ?(?:лет|год)|{_YOUNG_RU}ь лет)
    (?:ты|я)(?: -| —|,)? (?:моя |твоя |твой |мой )?(?:{PLAYED_MINOR})
    (?:pretend|imagine|role ?-?play|let's play)[^.!?\n]{{0,30}}? (?:{PLAYED_MINOR}|(?:you're|you are|being|as) (?:{_YOUNG}|{_YOUNG_EN})\b{_NO_AGE_EN})
    (?:you(?:'re| are)|i(?:'m| am)|be) (?:a |my |your )?(?:\d\d?[ -]year[ -]old )?(?:{PLAYED_MINOR})
""")
#: What somebody was long ago.
ONCE = rf"(?:был|была|were|was)\w* (?:\w+ )?(?:{PLAYED_MINOR})\w*"
#: Somebody is asked to look like a minor, or to be a child: refused where a photo or tenderness is wanted.
LOOK = _words(rf"""
    (?:веди себя|будто|словно|похож\w+ на|переоде|наряд|оде\w+ как|выгляд\w+ как)[^.!?\n]{{0,40}}?\b(?:{PLAYED_MINOR}|{_YOUNG} ?(?:лет|год)|{_YOUNG_RU}ь лет|на {_YOUNG}\b)
    (?:представь|притвор|сыграй|поигра|в роли)[^.!?\n]{{0,40}}?\bребен
    (?:фот|селфи|снимок|картинк)\w* (?:как|в виде) (?:{PLAYED_MINOR})
    (?:pretend|imagine|act(?:ing)?|dress(?:ed)?|look(?:s|ing)?|as if|cosplay)(?: [\w']+){{0,3}}? (?:like |as |a |an |being )(?:[\w']+ )?(?:{PLAYED_MINOR}|child\b|kid\b|(?:{_YOUNG}|{_YOUNG_EN})\b{_NO_AGE_EN})
    look(?:s|ing)? (?:only |just )?(?:{_YOUNG}|{_YOUNG_EN})\b{_NO_AGE_EN}(?!\w* to )
    (?:{PLAYED_MINOR})\w*\W+(?:photo|pic|selfie|фот|селфи)  as an? (?:{PLAYED_MINOR})
    школьн\w+ (?:форм|юбк|плать)  school ?girl (?:uniform|outfit|skirt|costume)  school uniform
""")

# -- intimacy ------------------------------------------------------------------------------------------

#: Nakedness and what leads there.
#: What can only be meant to be seen bare.
SHOWN = _words(r"""
    (?:show|send)\w* (?:me )?(?:your |those )?(?:breast|boob|ass\b|butt|tits)
    покажи\w* (?:мне )?(?:свою |свои )?(?:груд|попк|попу|задниц|сис|киск)
""")
NAKED = _words(rf"""
    гол(?:ая|ое|ой|ую|ый|ого|ые|ых|ышом|еньк)(?!\w* (?:правд|факт|стен|пол|земл|дерев|вет(?:к|ок)|лес|ламп|цифр|лед|камн|энтузиазм|череп|колен|плеч|рук|ног|пятк|ступн|деревь))
    обнажен(?!\w* (?:меч|клин|корн|шпаг))  обнажись  раздет(?!\w* (?:лес|дерев))  раздень  раздева(?!лк|йся,? (?:и )?(?:проход|заход|садис|мой|чай)|йтесь в гардероб)  без одежды  без белья  нижн\w+ бель
    в (?:\w+ )?бель[еи]  кружевн\w+ бель  трусик  лифчик  бюстгальтер  стринг(?:и|ах|ов|ами)\b  эроти  порн  стриптиз
    топлес  ню\b  нюд(?:с|ес)  откровенн\w+ (?:фот|снимк|селфи|кадр)  сись
    сними (?:с себя )?(?:одежд|плать|все\b|бель|блузк|халат|лиф|футболк|майк|топ\b)
    nud(?:e|es|ez|ity)\b(?! (?:lip|nail|shade|colou?r|palette|heel|shoe|make))  n[o0]{{2}}ds\b
    naked\b(?! (?:truth|eye|juggler|flame|tree|branch|feet|wall|bulb))  nek+id  undress  topless  linger(?:ie|ee|y)\b  panties  underwear  bra\b  thong
    bare (?:breast|chest|bottom|butt)  pussy  dick pic  nip slip  see-through  birthday suit  wearing nothing  nothing on\b
    without (?:a thing|anything) on  (?:in )?nothing but (?:a smile|your|my|stockings|heels)  only in (?:stockings|heels|socks)
    {SHOWN}  без трусов  в чем мать родила  в одних чулках  explicit (?:\w+ )?(?:pic|photo|selfie|content|shot)  strip(?:tease|per)
    stripping\b(?! (?:the |a |old )?(?:wall|paint|bed|floor|wire|varnish))  strip (?:for me|down|off your|naked|show|dance)
    erotic  porn  nsfw  lewd  boobs\b  boobies  tits\b  without (?:any )?clothes  no clothes
    take off (?:your |the )?(?:clothes|dress|shirt|top|everything|bra)\b
    take (?:it|everything|your (?:clothes|dress|shirt|top)) (?:all )?off\b(?! the)
""")
EXPLICIT = _words(rf"""
    {NAKED}  секс(?!уальн|т|ы\b| он тхе)  интим  возбуд  возбужд  переспат  трах  минет  оргазм  займ\w+ любовью  сисечк
    sex(?:ual|ually|ting)?\b(?! on the beach)  horny  arous(?:ed|ing|al)\b  fetish  orgasm  turn(?:s|ed)? me on\b  make love  blowjob  fuck me
""")
#: Harmless between adults.
TENDER = _words(r"""
    сексуальн  соблазн  поцелу  целу[йею]  целова  в постел  в кроват  в душе\b  в ванн  купальник  бикини  чулк  мини-?юбк
    на колен[икя]  флирт  влюбл  прижм  обним  свидани  заигрыва  горяч\w+ фот
    sexy\b  seduc  kiss  in (?:my |your |the )?bed\b  cuddl  in the (?:shower|bath|tub)\b  bikini  swimsuit  stockings
    besa(?:me|rte|nos)  beso(?:s)?\b  abraz[ao]\w*  acariciame  kuss\w*  kusch\w*  umarm\w*  embrass\w*  baise\w*  calin  baci(?:ami|o|arti)\w*  abbracci\w*
    beij[ao]\w*  abrac[ao]\w*  pocaluj\w*  caluj\w*  przytul\w*  op beni  saril\w*  поцiлу\w*  цiлу[йює]\w*  обiйм\w*  obnimi  poceluy\w*
    my lap\b  flirt  girlfriend\b  boyfriend\b  date\b  lover  hot (?:pic|photo|selfie)  in love\b  mak(?:e|ing) out\b
""")

#: A wish that no detector of photo wishes needs to hear: what is asked for can only be seen.
EXPLICIT_WISH = _words(rf"""
    (?:send|show|пришли|скинь|кинь|покажи|дай|хочу)\w*[^.!?\n]{{0,20}}?\b(?:{NAKED})
    {SHOWN}  разденься  раздевайся(?!,? (?:и )?(?:проход|заход|садис|мой|чай))  get naked  undress for  strip for
""")


#: A picture, in the words of a wish for one.
PICTURE = _words(r"""
    фот[оку]\w*  селфи  снимок  снимк\w*  картинк\w*  портрет\w*  кадр\w*  нарису\w+  сгенериру\w+  скинь  пришли  свiтлин\w*
    photo\w*  pic(?:s|ture\w*|cy)?\b  selfie\w*  portrait\w*  image\w*  snap\w*  draw\w*  render\w*  paint\w*  generate\w*  shot of
    foto\w*  bild\w*  zeichne  imagen\w*  retrato\w*  dibuja  cliche\w*  dessine  immagine\w*  ritratto\w*  imagem  desenh\w+  zdjeci\w*  obraz\w*
    resim\w*  resmi\w*  ciz\w*
""")


def found(words: str, ways: tuple[str, ...]) -> bool:
    """Whether one of them begins a word in any reading of a text."""
    return any(pattern(words).search(way) for way in ways)


@cache
def pattern(words: str) -> re.Pattern[str]:
    """Compiled once."""
    return re.compile(rf"\b(?:{words})")
