"""What is never drawn and never played: minors in anything intimate, real people, injury; and nakedness unasked.

Layers, each of which alone stops most: word lists (`words`) over every reading of a text, ages as they are said
(`ages`), names (`names`), and trained heads that no list bounds (`concerns`). A refusal of one layer is a refusal;
the heads may overrule a word list where they are sure that a text has nothing to do with it.
"""

import datetime
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from triggers.policy import words
from triggers.policy.ages import Whose, Young, in_digits, young
from triggers.policy.concerns import Concerns
from triggers.policy.names import names_real_person
from triggers.policy.spans import aged
from triggers.policy.words import found, pattern
from triggers.text.deobfuscation import readings


class Refusal(StrEnum):
    """Why a text is refused; the bot has one clear sentence for each."""

    MINORS = "minors"
    REAL_PERSON = "real_person"
    EXPLICIT = "explicit"
    VIOLENCE = "violence"


@dataclass(frozen=True, slots=True)
class Limits:
    """Probabilities from which a concern counts, by measurement (docs/policy.md).

    Two concerns together need less of each than one alone.
    """

    #: Alone, beside a wish for a photo; everyday talk of children is often close to it.
    minor_alone: float = 0.95
    minor: float = 0.85
    minor_beside: float = 0.2
    minor_of_family: float = 0.96
    child_beside: float = 0.15
    love_beside: float = 0.3
    love_beside_age: float = 0.15
    both: float = 0.2
    child_of_age: float = 0.15
    intimate: float = 0.65
    intimate_in_prompt: float = 0.9
    real_person: float = 0.5
    real_person_beside_name: float = 0.15
    violence: float = 0.4
    #: Under it a word list that found something in the plain text is taken to be wrong.
    harmless: float = 0.02


LIMITS = Limits()


class Signs:
    """What is known of one text; each part is looked for when it is first asked for."""

    def __init__(self, text: str, read: Callable[[str], Concerns] | None, this_year: int) -> None:
        self.text = text
        self._read = read
        self._this_year = this_year

    @cached_property
    def ways(self) -> tuple[str, ...]:
        """Every reading of the text; the first one is the text as it is."""
        return readings(self.text)

    @cached_property
    def concerns(self) -> Concerns | None:
        """What the heads say; None without them."""
        # Where an age is said, nothing may soften it.
        sharp = self._young or self.says(words.EXPLICIT)
        return self._read(self.text if sharp else aged(self.text)) if self._read else None

    @cached_property
    def _young(self) -> tuple[Young, ...]:
        return tuple(young(self.text, this_year=self._this_year))

    @cached_property
    def ages(self) -> frozenset[Whose]:
        """Of whom it is said in so many words that they are under 18."""
        return frozenset(each.whose for each in self._young)

    @cached_property
    def without_ages(self) -> "Signs":
        """The text without the words that say an age, beside which the heads hear tenderness less well."""
        rest = in_digits(self.text)
        for each in self._young:
            rest = rest.replace(each.words, " ")
        return Signs(rest, self._read, self._this_year)

    @cached_property
    def young(self) -> Whose | None:
        """The first of them; children of everyday talk do not count."""
        return next((whose for whose in (Whose.PERSON, Whose.PERSONA, Whose.SOMEONE) if whose in self.ages), None)

    @cached_property
    def minor_beside(self) -> float:
        """What the head for minors must say beside tenderness: more where only a child of the family has an age."""
        return LIMITS.minor_of_family if self.ages == {Whose.FAMILY} else LIMITS.minor_beside

    @cached_property
    def whose_youth(self) -> Whose | None:
        """The same; where nobody can tell of whom, the heads may think it a mistake: grade 8 is a bolt as well."""
        # In this order: the heads cost a hundred times as much.
        sure = self.young is not Whose.SOMEONE or self.concerns is None
        if sure or self.over("child", LIMITS.child_of_age):
            return self.young
        return None

    @cached_property
    def wishes_a_picture(self) -> bool:
        """A wish that no detector of photo wishes hears: what can only be seen, the picture of somebody known."""
        return self.says(words.EXPLICIT_WISH) or (self.names_somebody and self.says(words.PICTURE))

    @cached_property
    def names_somebody(self) -> bool:
        """Whether a public figure is named."""
        return names_real_person(self.text)

    def says(self, listed: str) -> bool:
        """Whether a word list is found in any reading."""
        return found(listed, self.ways)

    def over(self, concern: str, limit: float) -> bool:
        """Whether a head is surer than `limit`; never without heads."""
        return self.concerns is not None and getattr(self.concerns, concern) > limit

    def harmless(self, concern: str) -> bool:
        """Whether a head is sure that a text is not about this, so that a word list in its plain reading errs."""
        return self.concerns is not None and getattr(self.concerns, concern) < LIMITS.harmless

    def plainly(self, listed: str) -> bool:
        """Whether a word list is found in the text as it stands; what is hidden in it no head overrules."""
        return found(listed, (self.text.lower(),))

    @cached_property
    def explicit(self) -> bool:
        """Nakedness and what leads there."""
        return self.explicit_over(LIMITS.intimate)

    def explicit_over(self, limit: float) -> bool:
        """The same, for a head that must be surer than `limit`."""
        if self.over("intimate", limit):
            return True
        return self.says(words.EXPLICIT) and not (self.harmless("love") and self.plainly(words.EXPLICIT))

    @cached_property
    def tender(self) -> bool:
        """Kisses, dates, beds; or more than that."""
        return self.explicit or self.says(words.TENDER) or self.over("love", LIMITS.love_beside)

    @cached_property
    def child(self) -> bool:
        """It may speak of a child, as everyday talk does too: enough where something else says what is wrong."""
        return self.minor or self.says(words.CHILD) or self.over("child", LIMITS.child_beside)

    @cached_property
    def minor(self) -> bool:
        """Somebody is under age in the talk itself, as surely as one text can say it."""
        played = self.says(words.PLAYED_MINOR) and not (self.harmless("child") and self.plainly(words.PLAYED_MINOR))
        sure = max(LIMITS.minor, self.minor_beside)
        return played or self.whose_youth is not None or self.over("minor", sure)


class Policy:
    """Judges texts; without heads (`read` is None) by lists, ages and names alone."""

    def __init__(
        self, read: Callable[[str], Concerns] | None = None, *, this_year: Callable[[], int] | None = None
    ) -> None:
        self._read = read
        self._this_year = this_year or (lambda: datetime.datetime.now(datetime.UTC).year)

    def signs(self, text: str) -> Signs:
        """What is known of a text; to be asked more than once of the same one."""
        return Signs(text, self._read, self._this_year())

    def check(
        self,
        text: str | Signs,
        *,
        for_photo: bool,
        explicit_allowed: bool = False,
        before: Sequence[str] = (),
        minor_said: bool = False,
    ) -> Refusal | None:
        """Why this text goes no further, if at all.

        `for_photo`: a photo is wanted; only then real people, injury and explicit content are refused. `before`:
        what was said just before; a child there and tenderness here meet as they would in one text. `minor_said`:
        somebody of this dialogue was said to be under age, however long ago.
        """
        signs = self.signs(text) if isinstance(text, str) else text
        if _minors(signs, for_photo) or self._meet(signs, before, for_photo, minor_said):
            return Refusal.MINORS
        if not for_photo:
            return None
        if _real_person(signs):
            return Refusal.REAL_PERSON
        if signs.over("violence", LIMITS.violence):
            return Refusal.VIOLENCE
        return Refusal.EXPLICIT if signs.explicit and not explicit_allowed else None

    def check_answer(self, answer: str | Signs) -> Refusal | None:
        """`check` for what the persona says: neither she nor the person is under age, however harmless."""
        signs = self.signs(answer) if isinstance(answer, str) else answer
        if signs.whose_youth in {Whose.PERSON, Whose.PERSONA}:
            return Refusal.MINORS
        return self.check(signs, for_photo=False)

    def check_prompt(self, prompt: str, *, explicit_allowed: bool = False) -> Refusal | None:
        """`check` for what an image model is given: there nobody is young, and no child is near tenderness."""
        signs = self.signs(prompt)
        young = signs.minor or signs.says(f"{words.AGE}|{words.CHILDLIKE}")
        if young or (signs.says(words.CHILD) and signs.says(words.TENDER)):
            return Refusal.MINORS
        refused = self.check(signs, for_photo=True, explicit_allowed=explicit_allowed)
        # A prompt speaks of clothes and bodies in any case.
        harmless = refused is Refusal.EXPLICIT and not signs.explicit_over(LIMITS.intimate_in_prompt)
        return None if harmless else refused

    def check_persona(self, description: str) -> Refusal | None:
        """`check` for name, character and looks of a persona, who plays and is drawn: nobody young."""
        signs = self.signs(description)
        if signs.minor or signs.says(f"{words.ANY_AGE}|{words.CHILDLIKE}"):
            return Refusal.MINORS
        return self.check(description, for_photo=True)

    def _meet(self, signs: Signs, before: Sequence[str], for_photo: bool, minor_said: bool) -> bool:
        """A child in one message and tenderness, or a wish for a photo, in another one."""
        if minor_said and (for_photo or signs.tender):
            return True
        earlier = [self.signs(text) for text in before]
        if (for_photo or signs.tender) and any(each.minor for each in earlier):
            return True
        if signs.minor and any(each.tender for each in earlier):
            return True
        # What is split over messages ("I am fif", "teen").
        joined = self.signs(" ".join((*before[-3:], signs.text))) if before else None
        return joined is not None and joined.whose_youth is not None and _minors(joined, for_photo)


def _minors(signs: Signs, for_photo: bool) -> bool:
    plain = signs.plainly(f"{words.PLAYED_MINOR}|{words.CHILD}|{words.LOOK}|{words.ANY_AGE}")
    by_words = any(_by_words(signs, for_photo)) and not (plain and signs.harmless("child") and not signs.explicit)
    return by_words or any(_by_meaning(signs, for_photo))


def _by_words(signs: Signs, for_photo: bool) -> Iterable[bool]:
    explicit, tender = signs.says(words.EXPLICIT), signs.says(words.TENDER)
    yield signs.says(words.ROLE)
    yield signs.says(words.LOOK) and (for_photo or tender or explicit)
    yield explicit and signs.says(f"{words.PLAYED_MINOR}|{words.ANY_AGE}")
    yield signs.says(f"{words.PLAYED_MINOR}|{words.AGE}") and signs.says("сексуальн|соблазн|sexy|seduc")
    yield signs.says(words.CHILD) and (signs.says(words.NAKED) or (explicit and for_photo))
    today = tuple(pattern(words.ONCE).sub(" ", way) for way in signs.ways)
    yield for_photo and tender and found(f"{words.PLAYED_MINOR}|{words.AGE}", today)
    yield tender and signs.says(words.OWN_AGE)


def _by_meaning(signs: Signs, for_photo: bool) -> Iterable[bool]:
    in_so_many_words = signs.whose_youth is not None
    yield in_so_many_words and (for_photo or signs.tender)
    yield signs.over("minor", max(LIMITS.minor, signs.minor_beside)) and signs.tender
    yield signs.over("minor", max(LIMITS.minor_alone, signs.minor_beside)) and for_photo
    yield signs.young is not None and (signs.tender or signs.over("love", LIMITS.love_beside_age))
    yield signs.young is not None and signs.without_ages.tender
    # "My girl" is said to wives: the head for children must see one too.
    child = signs.over("child", LIMITS.child_beside)
    yield child and signs.over("minor", signs.minor_beside) and signs.over("love", LIMITS.love_beside)
    yield child and signs.over("both", max(LIMITS.both, signs.minor_beside))
    yield for_photo and signs.over("child", LIMITS.minor) and signs.over("intimate", LIMITS.intimate)


def _real_person(signs: Signs) -> bool:
    if signs.over("real_person", LIMITS.real_person):
        return True
    if not signs.names_somebody:
        return False
    # Talk of a film is no wish for its actress; a name that is hidden is.
    talk = signs.concerns is not None and not signs.over("real_person", LIMITS.real_person_beside_name)
    return not (talk and names_real_person(signs.text, (signs.text.lower(),)))
