"""Ages as they are said: in digits, words and Roman numerals, by school class, birth year, looks and arithmetic.

`young(text)` finds somebody under 18 and says of whom it is said. The languages are those of the policy (docs/policy.md).
A line of a table is what a maintainer adds; tests/triggers/policy/test_ages.py has a row for each.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from triggers.text.deobfuscation import fold

ADULT = 18
#: Younger than this is nobody of whom a bare number is meant.
LEAST = 3
#: Nobody younger writes here.
LEAST_WRITER = 8


class Whose(StrEnum):
    """Of whom an age is said."""

    PERSON = "person"
    """Whoever writes: "I'm fifteen"."""
    PERSONA = "persona"
    """Whoever is spoken to."""
    SOMEONE = "someone"
    """A third one, or it cannot be told."""
    FAMILY = "family"
    """A child in a family, a pupil, somebody long ago: everyday talk of adults."""


@dataclass(frozen=True, slots=True)
class Young:
    """One place of a text where somebody is under 18."""

    whose: Whose
    #: The words that say so, folded.
    words: str


# -- numbers -------------------------------------------------------------------------------------------

#: Words for 3 to 17, in this order; forms of one number are separated by "/".
_NUMBERS = """
ru: три/трех/трем четыре/четырех/четырем пять/пяти шесть/шести семь/семи восемь/восьми девять/девяти десять/десяти одиннадцать/одиннадцати двенадцать/двенадцати тринадцать/тринадцати четырнадцать/четырнадцати пятнадцать/пятнадцати шестнадцать/шестнадцати семнадцать/семнадцати
uk: три/трьох чотири/чотирьох п'ять/п'яти шість/шести сім/семи вісім/восьми дев'ять/дев'яти десять/десяти одинадцять/одинадцяти дванадцять/дванадцяти тринадцять/тринадцяти чотирнадцять/чотирнадцяти п'ятнадцять/п'ятнадцяти шістнадцять/шістнадцяти сімнадцять/сімнадцяти
en: three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
de: drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn
es: tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis diecisiete
fr: trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept
it: tre quattro cinque sei sette otto nove dieci undici dodici tredici quattordici quindici sedici diciassette
pt: três quatro cinco seis sete oito nove dez onze doze treze catorze/quatorze quinze dezesseis/dezasseis dezessete/dezassete
pl: trzy/trzech cztery/czterech pięć/pięciu sześć/sześciu siedem/siedmiu osiem/ośmiu dziewięć/dziewięciu dziesięć/dziesięciu jedenaście/jedenastu dwanaście/dwunastu trzynaście/trzynastu czternaście/czternastu piętnaście/piętnastu szesnaście/szesnastu siedemnaście/siedemnastu
tr: üç dört beş altı yedi sekiz dokuz on on-bir on-iki on-üç on-dört on-beş on-altı on-yedi
latn: tri chetyre pyat shest sem vosem devyat desyat odinnadcat/odinnadtsat dvenadcat/dvenadtsat trinadcat/trinadtsat chetyrnadcat/chetyrnadtsat pyatnadcat/pyatnadtsat/pjatnadcat shestnadcat/shestnadtsat semnadcat/semnadtsat
"""
_EIGHTEEN = (
    "восемнадцать восемнадцати вісімнадцять вісімнадцяти eighteen achtzehn dieciocho dix-huit diciotto dezoito "
    "osiemnaście osiemnastu on-sekiz vosemnadcat vosemnadtsat"
)
_ROMAN = {
    roman: str(number)
    for number, roman in enumerate(
        ["VIII", "IX", "X", "XI", "XII", "XIII", "XIV", "XV", "XVI", "XVII", "XVIII"], start=8
    )
}


def numbers() -> frozenset[str]:
    """Every word for 3 to 17, as it is written."""
    words = _NUMBERS.replace("/", " ").replace("-", " ").split()
    return frozenset(word for word in words if not word.endswith(":"))


@cache
def _number_words() -> dict[str, str]:
    """Words that are a number by themselves, folded; Turkish "on beş" is two of them."""
    known: dict[str, str] = {}
    for line in _NUMBERS.strip().splitlines():
        for number, forms in enumerate(line.partition(":")[2].split(), start=LEAST):
            for form in forms.split("/"):
                known[fold(form.replace("on-", "on "))] = str(number)
    for word in _EIGHTEEN.split():
        known[fold(word.replace("on-", "on "))] = str(ADULT)
    # Everyday words of another language than the one in which they are numbers.
    for other in ("sei", "on", "sept", "six", "elf", "tre", "sem", "tri", "once", "ten", "acht", "dez", "dix"):
        known.pop(other, None)
    return known | {"ten": "10"}


_ROMAN_AGE = re.compile(
    r"\b(?:V|VI|VII|VIII|IX|X|XI|XII|XIII|XIV|XV|XVI|XVII)\b(?= ?(?:лет|год|рок|years?|y/?o|anos?|años|Jahre|ans|anni|lat|класс|клас))"
)
#: Tens, with the units that follow them: nobody under 18.
_TENS = re.compile(
    r"\b(?:двадцат\w|тридцат\w|сорок\w?|пятьдесят|шестьдесят|семьдесят|восемьдесят|девяносто|двадцят\w|тридцят\w|п'ятдесят|шiстдесят|twenty|thirty|"
    r"fou?rty|fifty|sixty|seventy|eighty|ninety|hundred|treinta|cuarenta|cincuenta|sesenta|vingt|trente|quarante|cinquante|soixante|trinta|quarenta|vinte|"
    r"cinquenta|sessenta|dwadziescia|trzydziesci|czterdziesci|piecdziesiat|szescdziesiat|yirmi|otuz|kirk|elli|altmis)\b(?:[ -](?:y |et |e )?"
    r"(?:[^\W\d_]{2,9}(?=\W|$)))?"
)
#: A number and its years in one word, as in "пятнадцатилетняя" and "fünfzehnjährig": beginnings for 3 to 17, and ends.
_ONE_WORD = """
трех четырех пяти шести семи восьми девяти десяти одиннадцати двенадцати тринадцати четырнадцати пятнадцати шестнадцати семнадцати
трьох чотири п'яти шести семи восьми дев'яти десяти одинадцяти дванадцяти тринадцяти чотирнадцяти п'ятнадцяти шiстнадцяти сiмнадцяти
drei vier funf sechs sieben acht neun zehn elf zwolf dreizehn vierzehn funfzehn sechzehn siebzehn
trzy cztero piecio szescio siedmio osmio dziewiecio dziesiecio jedenasto dwunasto trzynasto czternasto pietnasto szesnasto siedemnasto
tri quattr cinqu sei sett ott nov dec undic dodic tredic quattordic quindic sedic diciassett
treh chetyreh pyati shesti semi vosmi devyati desyati odinnadcati dvenadcati trinadcati chetyrnadcati pyatnadcati shestnadcati semnadcati
"""
_ONE_WORD_ENDS = r"(?P<end>летн|летк|лiтн|рiчн|jahrig|letni|latk|latek|enne|letn|letk)"
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


def in_digits(text: str) -> str:
    """The text folded, its small numbers in digits: "Мне пятнадцать" as "мне 15"."""
    words = _number_words()
    text = _ROMAN_AGE.sub(lambda roman: _ROMAN[roman[0]], text)
    folded = ". ".join(" ".join(line.split()) for line in fold(text).replace("’", "'").splitlines() if line.strip())
    folded = re.sub(r"\bon (bir|iki|uc|dort|bes|alti|yedi|sekiz)\b", lambda two: words[two[0]], folded)
    folded = _TENS.sub("99 ", folded)
    folded = _one_word().sub(lambda word: f"{_beginnings()[word['begin']]}-летн", folded)
    digits = _WORD.sub(lambda word: words.get(word[0], word[0]), folded)
    return re.sub(r"(?<=\d)-?(?:ть|ти|x|цать|надцать)\b", "", digits)


@cache
def _beginnings() -> dict[str, str]:
    lines = (line.split() for line in _ONE_WORD.strip().splitlines())
    return {word: str(number) for line in lines for number, word in enumerate(line, start=LEAST)}


@cache
def _one_word() -> re.Pattern[str]:
    longest_first = sorted(_beginnings(), key=len, reverse=True)
    return re.compile(rf"\b(?P<begin>{'|'.join(longest_first)})[ -]?{_ONE_WORD_ENDS}")


# -- how an age is said --------------------------------------------------------------------------------

_N = r"(?P<n>1[0-7]|[3-9])"
_NOT_N = r"(?<![\d.,:/$€£%#№])"
#: Units of what is no age, or of an age long ago.
_NO_AGE = (
    r"(?! ?(?:/ ?\d|in the (?:morning|evening|afternoon)|утра|вечера|ночи|ранку|%|°|€|\$|:\d|минут|час|секунд|дн|недел|месяц|км|кг|см|руб|тыс|штук|раз\b|этаж|назад|тому|опыт|стаж|подряд|"
    r"спустя|вместе|хвилин|годин(?!к)|днiв|тижн|тому|min|hour|sec|day|week|month|km|miles?|kg|cm|feet|foot|ft|percent|"
    r"o'clock|am\b|pm\b|times|floors?|people|of us|out of|dollars|euros?|bucks|degrees|st(?:unden|ock)|minuten|tage|wochen|uhr|"
    r"horas?|minutos?|dias?|semanas?|meses|veces|pisos?|heures?|minutes?|jours?|semaines?|mois|fois|ore\b|minuti|giorni|"
    r"settiman|mesi\b|volte|godzin|minut|dni\b|tygodni|miesi|razy|saat|dakika|gun\b|hafta|kez|kere|ago|vezes))"
)
_OF_THINGS = (
    r"(?![^.,!?]{0,14}(?:ago\b|назад|тому|опыт|стаж|experien|married|marriage|in prison|contract|брак|together|вместе|работ|"
    r"warrant|гарант|юбиле|выдерж|виски|коньяк|whisk|wine|scotch|rum\b|вин[оа]\b|hace\b|vor\b|faz\b|il y a|fa\b|temu\b|"
    r"дружб|истори|отношен|ипотек|mortgage|кот\b|кошк|пес\b|собак|щен|дуб|дом\b|машин|car\b|cat\b|dog\b|horse|tree|house|"
    r"bike|guitar|sofa|coat|bottle|в отпуск|не был|не видел))"
)
_YEARS = r"(?:лет|год\w*|годик\w*|рок(?:и|iв|у)|рочк\w*|years?|yrs?|anos?|anito\w*|jahr\w*|ans?\b|anni\b|lat(?:ka|ek|ki)?\b|yas\w*|let\b|goda?\b)"
_SOON = r"(?:всего |только |сейчас |уже |лишь |еще |ровно |почти |only |just |barely |like |still |now |about |almost |erst |gerade |nur |solo |apenas |seulement |a peine |solo |tylko |dopiero |daha |tilki |тiльки |лише |вже )*"
_END = r"(?=\s*(?:$|[.,!?;)…\"»\n]|и\b|но\b|а\b|and\b|but\b|so\b|y\b|und\b|et\b|e\b|i\b|ve\b|lol\b|btw\b|:\)))"
_IS = r"(?:'s|'m|'re|s|m|re| am| is| are| was| turn(?:s|ed|ing)?| will be| just turned)?"

#: Somebody's age as a number.
_AGES = (
    rf"{_NOT_N}\b{_N}[ -]?(?:ти|и|х|ми)?[ -]?(?:летн|лiтн|рiчн|летк)\w*{_OF_THINGS}",
    rf"{_NOT_N}\b{_N}(?: |-)?(?:y/o|yo|y\.o|yrs? old|jahrig\w*|jahr(?:e|iger)? alt|ans d'age|anni d'eta)\b{_OF_THINGS}",
    rf"{_NOT_N}\b{_N}[ -]years?[ -]olds?{_OF_THINGS}",
    rf"\b(?:of|de|di|von|mit|w wieku|на|в|за|at|aged?|los|les|z) (?:age )?{_N} {_YEARS}{_OF_THINGS}{_END}",
    rf"\b(?:girl|boy|kid|teen|nina|nino|chica|chico|chavala?|muchach[ao]|madchen|junge|fille|garcon|ragazz[ao]|bambin[ao]|menin[ao]|"
    rf"garot[ao]|dziewczyn\w*|chlopak\w*|kiz\w*|oglan\w*|девочк\w*|мальчик\w*|девчонк\w*|пацан\w*|дiвчинк\w*|хлопчик\w*) "
    rf"(?:of |de |von |di |в |лет |aged |w wieku )?{_N}\b{_NO_AGE}",
    rf"\b(?:age[ds]?|ages?|возраст\w*|вiк\w*|edad|alter|eta|idade|wiek\w*|yas[iu]?|years?|лет|годков|let)\b\s?[:=\-–—]?\s?(?:is |of |de |di |von |- )?{_SOON}{_N}\b{_NO_AGE}",
    rf"\b(?:мне|тебе|ей|ему|менi|тобi|iй|йому|mne|tebe|ey|emu|исполнилось|исполняется|исполнится|стукнуло|виповнилося|виповнилось)"
    rf"(?: [^\W\d]\w*){{0,2}} {_SOON}{_N}(?: ?{_YEARS}{_OF_THINGS}|{_END})",
    rf"\b(?:i|you|u|she|he|they|who|im|ur|youre|shes|hes){_IS} (?:not even |actually |really |in fact ){{0,2}}{_SOON}{_N}\b{_NO_AGE}(?! ?years (?!old))(?! \w+ (?:high|tall|long|away|ago|left|short))",
    rf"\b(?:tengo|tienes|tiene|tenes|cumpli|cumplo|cumples|cumple|cumpliste|tenho|tens|tem|fiz|faco|ho|hai|ha|compio|compie|mam|masz|ma|"
    rf"skonczyl\w*|j'ai|ai|t'as|as|a|aura|avoir|bin|bist|ist|werde|wird|wurde) {_SOON}{_N}(?: {_YEARS}{_OF_THINGS}|{_END})",
    rf"\b{_N} yas(?:im|in|i|ind)\w*",
    rf"\b(?:выгляд\w*|на вид|с виду|тянет|тяну|smotr\w*|looks?|looking|passe[sd]? for|pass for|seems?|acts?|sieh\w*|sah|aussieh\w*|wirk\w*|"
    rf"aparent\w*|parec\w*|represent\w*|fait|parai\w*|sembr\w*|dimostr\w*|wyglad\w*|gorun\w*|gosteri\w*|вигляда\w*)"
    rf"(?: [^\W\d]\w*){{0,4}}?[ ~]{_SOON}{_N}\b{_NO_AGE}",
    rf"\b(?:девушк|парн|студентк|любовниц|подруг|woman|man|lady|frau|mann|mujer|femme|donna|mulher|kobiet|kadin)\w*,? {_N} ?{_YEARS}{_OF_THINGS}",
    rf"^\W*{_SOON}{_N} ?{_YEARS}\W*$",
    rf",\s*{_N} {_YEARS}{_OF_THINGS}{_END}",
    rf"\b(?:name|имя|кто я|i'?mya|nombre|nom|nome|imie|isim|iм'я)\b[^\n,]{{0,24}},\s*{_N}\b(?=\s*[,.\n]|$)",
    rf"\b(?:мне|mne|менi|im|i'm|i am|bin|ben|lvl|level|turning|пусть будет|сделай|make (?:her|him|it|me)) {_N}\b{_NO_AGE}(?= если|\s*$|,| if| sen| to be| xd|[,.!?;)])",
    rf"\b{_N}[fmж]\b",
    rf"\b(?:teen|teenager|подросток|тинейджер\w*)\b\W{{0,4}}(?:here\W{{0,3}})?{_N}\b",
)
#: A class of a school, by number or word.
_ORDINAL_RU = r"(?:перв|втор|трет|четверт|пят|шест|седьм|восьм|девят|десят|одиннадцат)"
_ORDINAL_EN = (
    r"(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|\d{1,2}(?:st|nd|rd|th))"
)
_CLASSES = (
    rf"{_ORDINAL_RU}\w{{0,3}}[ -]?(?:класс(?!н)|клас(?!сик|ний))\w*(?! опасн| в самол| точност)",
    r"\b(?:[1-9]|1[01])[ -]?(?:й|го|м|ом|ый|ого|а|б|в|г)?[ -]?[\"«]?[абвг]?[\"»]? ?(?:класс(?!н|ик)|клас(?!сик))\w*",
    r"\b(?:[1-9]|1[01]) ?[\"«]?[абв][\"»]? класс\w*",
    rf"\b{_ORDINAL_EN}[ -]?grade(?:r|rs)?\b",
    r"\bgrade (?:[1-9]|1[0-2])\b(?! (?:steak|beef|egg|level|bolt|steel|or grade|hold))",
    r"\b(?:[1-9]|1[0-3])\.? ?klasse\b|\bklasse (?:[1-9]|1[0-3])\b|\b(?:sieb|acht|neun|zehn|funf|sechs|dritt|viert)\w* klasse\b",
    r"\b(?:[1-9]|1[0-2])\.? ?sinif\w*",
    r"\b(?:[1-8])\.? ?klas(?:a|ie|y)\b|\bklas(?:a|ie) (?:[1-8]|pierwsz|drug|trzeci|czwart|piat|szost|siodm|osm)\w*",
    r"\b(?:[1-9]|1[0-2])[ºo°]? ?(?:ano (?:do|da)|de (?:primaria|secundaria|eso)|grado)\b",
    r"\ben (?:sixieme|cinquieme|quatrieme|troisieme|6e|5e|4e|3e|cm1|cm2|ce1|ce2|primaire)\b",
    r"\b(?:prima|seconda|terza) media\b|\b(?:in )?(?:prima|seconda|terza|quarta|quinta) (?:elementare|superiore|liceo)\b",
)
#: Not yet of age, without a number below 18.
_NOT_YET = (
    r"\b(?:до|к|for|before|till|until|til|bis|hasta|jusqu'?a|fino|ate|do|de) (?:\w+ ){0,2}(?:18\b|совершеннолет\w*|повнолiт\w*|"
    r"majorite|volljahrig\w*|mayoria de edad|maggiore eta|maioridade|pelnoletnos\w*|legal age)(?! (?:лет|часов|минут|hours|:))",
    r"\b(?:через|за|in|en|dans|tra|fra|za|daqui a) (?:\w+ ){1,4}(?:исполн\w+ |будет |стукнет |turns? |be |werde ich |werd ich |cumpl\w+ |"
    r"faco |avro |bede mial\w* |skoncze |j'aurai )(?:мне |ей |мне будет )?18\b",
    r"\b(?:turn(?:s|ing)?|be|being|исполнится|будет|стукнет|cumplo|cumplire|werde|faco|avro|skoncze) 18 (?:\w+ )?(?:in|next|soon|this|через|скоро|"
    r"в следующем|на будущий|el|en|nachste\w*|im|bald|l'annee|em|no ano|dans|tra|za|w przyszlym)\b",
    r"\b(?:скоро|почти|almost|nearly|not quite|not yet|isn'?t|aren'?t|ain'?t|not even|not|noch nicht|fast|bald|casi|aun no|presque|bientot|quasi|"
    r"prawie|jeszcze nie|henuz|daha) (?:yet |исполнилось |tengo |j'ai |ho |mam |even |legally |i'm )*18\b(?! (?:minutes|hours|km|%|лет назад))",
    r"\b(?:нет|немае|нема|не исполнилось|не стукнуло|не виповнилося) (?:еще |и |ще |даже |мне |ей |полных )*18\b",
    r"\b(?:under|unter|below|less than|younger than|младше|моложе|молодше|menor(?:es)? de|moins de|meno di|menos de|ponizej|nie ma) ?-?(?:jestes? )?18\b"
    r"(?! (?:minutes|hours|km|%|градус|degrees))|\bu18\b",
    r"\b(?:under ?-?age[d]?|below legal age|not (?:yet )?(?:of age|legal|an? adult|of legal age)|несовершеннолетн\w*|неповнолiтн\w*|"
    r"не достиг\w* (?:возраст|совершеннолет)\w*|minderjahrig\w*|noch nicht volljahrig|nicht volljahrig|menor(?:es)? de edad|menor de idade|mineure?s?\b|"
    r"minorenn[ei]|nieletni\w*|niepelnoletni\w*|resit degil\w*|resit olma\w*|малолет\w*|малолiт\w*)",
    r"\b(?:не|ще не) (?:совсем |еще )?(?:взросл(?:ая|ый)|доросл(?:а|ий))\b(?=[^.!?]{0,20}(?:школ|урок|мам))",
)
#: Born in a year, with it in `y`.
_BORN = re.compile(
    r"(?:родил\w*|рожден\w*|г\. ?р|народил\w*|народжен\w*|born|birth\w*|b\.|geboren\w*|geburts\w*|jahrgang|nee?\b|naissance|nat[aoie]\b|nascit\w*|"
    r"nacid\w*|naci\b|nacio\b|nacimiento|nasci\w*|urodz\w*|rocznik\w*|dogum\w*|rodilas|rodilsya|class of)[^!?\n]{0,24}?(?P<y>20[0-3]\d)\b"
    r"|\b(?:soy|sou|jestem|sono|je suis|bin|i'm an?|i am an?|я|мой год|my year is|dob\W{0,3}[\d./-]{0,6})\W{1,3}(?:del?l? |z |du |aus |from )?(?P<y3>20[0-3]\d)\b"
    r"|\b(?P<y2>20[0-3]\d)(?:-?го)? ?(?:г\.? ?р\b|года? рожд\w*|року народж\w*|dogumlu\w*|r\. ?ur\w*|rocznik\w*)"
)
_MATHS = re.compile(
    r"(?P<a>\d{1,2}) ?(?P<op>минус|мiнус|minus|less|moins|meno|menos|-|–|плюс|plus|mas|\+|mais|und)\W? ?(?P<b>\d{1,2})\b"
)
_TIMES = re.compile(
    r"\b(?:(?P<twice>дважды|двiчi|twice|double|dos veces|deux fois|zweimal|due volte|dwa razy|2 times|2 раза по)|(?P<thrice>трижды|три(?:жды)? по|three times|tres veces|"
    r"trois fois|dreimal|tre volte|trzy razy)) (?:as much as )?(?P<n>\d{1,2})\b|\b(?:half (?:of )?|половин\w* (?:от )?|вдвое (?:моложе|младше) )(?P<half>\d{2})\b"
)
_CUE = re.compile(
    r"лет|год|возраст|мне|тебе|ей\b|ему\b|рокiв|\bold\b|\bage|years?|\bi'?m\b|you'?re|she'?s|he'?s|anos|jahr|alt\b|\bans\b|anni|\blat\b|yas"
)


# -- of whom -------------------------------------------------------------------------------------------

_FAMILY = re.compile(
    r"\b(?:my|her|his|our|their|мо[йяиеюмх]\w*|наш\w*|у (?:меня|нас|сестры|брата|подруги|друга|коллеги|соседки)|mein\w*|unser\w*|mi|mis|mon|ma|mes|mio|mia|"
    r"meu|minha|moj\w*|мiй|моя|benim)?\s?\b(?:сын\w{0,3}|дочь|дочк\w*|дочер\w*|доч\w{1,4}|племянни\w+|внук\w*|внуч\w*|крестни\w+|ребен\w+|дет(?:и|ей|ям|ьми)|малыш\w*|"
    r"брат\w{0,5}|сестр\w+|сестренк\w+|братишк\w+|ученик\w*|учени(?:ц|к)\w*|соседск\w+|син\w{0,3}|донь\w+|доч[цк]\w+|племiнни\w+|онук\w*|дитин\w+|дiт\w+|"
    r"sons?|daughters?|kids?|child(?:ren)?|nieces?|nephews?|grand(?:son|daughter|kids?)|brothers?|sisters?|students?|pupils?|cousins?|neighbou?r'?s|"
    r"sohn\w*|tochter\w*|kind(?:er|ern)?|neffe\w*|nichte\w*|enkel\w*|bruder|schwester|schuler\w*|hij[oa]s?|sobrin[oa]s?|niet[oa]s?|herman[oa]s?|alumn[oa]s?|"
    r"fils|filles?|neveu\w*|niece\w*|frere\w*|soeur\w*|enfants?|eleves?|figli[oae]?\w*|nipot[ei]|fratell\w*|sorell\w*|bambin[oi]|alunn[oai]|filh[oa]s?|"
    r"irma\w*|syn\w*|cork\w*|dzieck\w*|dzieci\w*|siostr\w*|brat\w*|wnuk\w*|oglu?m\w*|kizim\w*|yegen\w*|torun\w*|kardes\w*|cocu\w*|"
    r"teach\w*|marking|grading|instructor|coach\w*|учител\w*|препода\w*|замеща\w*|проверя\w*|репетитор\w*|вожат\w*|unterricht\w*|lehrer\w*|azubi\w*|professor\w*|"
    r"trabalho|trabajo|instit\w*|nauczyciel\w*|ogretmen\w*|insegn\w*|maestr[ao]|godson|goddaughter|stepson|stepdaughter|nephew\w*|хрещени\w+|ahijad[oa]|"
    r"whisk\w*|rum|ron|rhum|wine|коньяк\w*|виски|вiскi|oak|tree|car|labrador\w*|лабрадор\w*|kater|kopeg\w*|kedi\w*|gatto|кiт|ипотек\w*|"
    r"собак\w*|кот\w{0,2}|кошк\w*|пес|щенк\w*|cats?|dogs?|pupp\w+|kitten\w*|hund|katze|perr[oa]|gat[oa]|chien|chat)\b"
)
_PAST = re.compile(
    r"\b(?:когда (?:мне|я|ей|ему|ты|тебе)|мне было|было|были?|была|тогда|в детстве|назад|в свои|с \d+|лет с|when i was|when i (?:first|started)|i was|he was|she was|"
    r"was|were|used to|since i was|back (?:then|when)|als ich|war ich|ich war|damals|mit \d+ (?:jahren )?(?:habe|bin|war)|cuando (?:yo )?tenia|tenia|cuando era|"
    r"quand j'avais|j'avais|quando avevo|avevo|quando eu tinha|tinha|kiedy mial\w*|mial\w* wtedy|mialam|mialem|gdy mial\w*|коли менi|менi було|yasindayken|iken)\b"
)
_PERSONA = re.compile(
    r"\b(?:ты|тебе|тебя|тобi|твi?[йяоею]\w*|будь|стань|представь|вообрази|притворись|сыграй|you|you'?re|ur|u|your|be|pretend|imagine|play|act|"
    r"du|dir|dich|dein\w*|bist|sei|tu|eres|tienes|tenes|te|t'as|es|hai|sei|voce|masz|jestes|sen|sana|ti|tebe)\b"
)
_PLAYS = re.compile(
    r"\b(?:будь|стань|представь|вообрази|притворись|сыграй|играй|be|pretend|imagine|play|act as|sei|spiel|stell dir vor|se|juega|imagina|joue|fai|"
    r"immagina|seja|finge|badz|udawaj|ol|уяви|зiграй)\b(?! (?:careful|nice|there|quiet|patient))"
)
_PERSON = re.compile(
    r"\b(?:я|мне|меня|мiй|менi|мой|моя|i|i'?m|im|me|ich|mir|bin|yo|tengo|soy|je|j'ai|moi|io|ho|sono|eu|tenho|sou|mam|jestem|ja|ben|bana|mne|ya)\b"
)


def young(text: str, *, this_year: int) -> Iterator[Young]:
    """Each place where somebody is under 18."""
    said = in_digits(text)
    for start, end in _places(said, this_year):
        clause = said[max(said.rfind(mark, 0, start) for mark in (". ", "! ", "? ", "\n", "; ")) + 1 : start]
        near, words = clause[-60:], said[start:end]
        whose = _whose(near, words)
        said_number = re.search(r"\d+", words)
        if whose is Whose.PERSON and said_number and int(said_number[0]) < LEAST_WRITER:
            # "How many for you?" - "Five for me."
            whose = Whose.SOMEONE
        yield Young(whose, words)
    for child in _child_of_the_family().finditer(said):
        if not _PERSONA.search(said, max(0, child.start() - 60), child.start()):
            yield Young(Whose.FAMILY, child[0])


def _places(said: str, this_year: int) -> Iterator[tuple[int, int]]:
    for pattern in _patterns():
        for found in pattern.finditer(said):
            yield found.span()
    for born in _BORN.finditer(said):
        if 0 <= this_year - int(born["y"] or born["y2"] or born["y3"]) < ADULT:
            yield born.span()
    for sum_ in (*_MATHS.finditer(said), *_TIMES.finditer(said)):
        if LEAST <= _value(sum_) < ADULT and _CUE.search(said, max(0, sum_.start() - 40), sum_.end() + 16):
            yield sum_.span()


def _value(sum_: re.Match[str]) -> int:
    parts = sum_.groupdict()
    if "op" in parts:
        minus = parts["op"] not in {"плюс", "plus", "mas", "+", "mais", "und"}
        return int(parts["a"]) + (-1 if minus else 1) * int(parts["b"])
    if parts["half"]:
        return int(parts["half"]) // 2
    return int(parts["n"]) * (2 if parts["twice"] else 3)


def _whose(before: str, words: str) -> Whose:
    both = f"{before} {words}"
    # Whoever the words themselves name; what stands before them may be about somebody else.
    if not _PAST.search(both):
        if _PERSON.search(words):
            return Whose.PERSON
        if _PERSONA.search(words):
            return Whose.PERSONA
    if _PLAYS.search(before):
        return Whose.PERSONA
    persona = _PERSONA.search(both)
    if not persona and (_PAST.search(both) or _FAMILY.search(before)):
        return Whose.FAMILY
    if persona and not _FAMILY.search(before[persona.end() :]):
        return Whose.PERSONA
    return Whose.PERSON if _PERSON.search(both) else Whose.SOMEONE


@cache
def _child_of_the_family() -> re.Pattern[str]:
    return re.compile(rf"{_FAMILY.pattern},? (?:is |уже |скоро |already |just |всего )*{_N} (?:{_YEARS}|месяц)")


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern) for pattern in (*_AGES, *_CLASSES, *_NOT_YET))
