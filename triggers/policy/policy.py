"""What is never drawn and never played, whatever the settings: minors in anything intimate, and real people.

Each rule is a few word lists (`triggers.policy.words`) and one function. `check` looks at every reading of a text
(`triggers.text.deobfuscation`), so digits for letters, another script or spacing change nothing.
Explicit content is a third rule, which an operator may switch off for adults who confirmed their age.
"""

from enum import StrEnum

from triggers.policy import words
from triggers.policy.names import names_real_person
from triggers.policy.words import found, pattern
from triggers.text.deobfuscation import readings


class Refusal(StrEnum):
    """Why a text is refused; the bot has one clear sentence for each."""

    MINORS = "minors"
    REAL_PERSON = "real_person"
    EXPLICIT = "explicit"


def check(text: str, *, for_photo: bool, explicit_allowed: bool = False) -> Refusal | None:
    """Why this text goes no further, if at all.

    `for_photo`: a photo is wanted; only then real people and explicit content are refused.
    """
    ways = readings(text)
    explicit, tender = found(words.EXPLICIT, ways), found(words.TENDER, ways)
    minors = (
        found(words.ROLE, ways),
        found(words.LOOK, ways) and (for_photo or tender or explicit),
        explicit and found(f"{words.PLAYED_MINOR}|{words.ANY_AGE}", ways),
        found(f"{words.PLAYED_MINOR}|{words.AGE}", ways) and found("сексуальн|соблазн|sexy|seduc", ways),
        found(words.CHILD, ways) and (found(words.NAKED, ways) or (explicit and for_photo)),
        for_photo
        and tender
        and found(f"{words.PLAYED_MINOR}|{words.AGE}", tuple(pattern(words.ONCE).sub(" ", way) for way in ways)),
        tender and found(words.OWN_AGE, ways),
    )
    if any(minors):
        return Refusal.MINORS
    if for_photo and names_real_person(text):
        return Refusal.REAL_PERSON
    return Refusal.EXPLICIT if for_photo and explicit and not explicit_allowed else None


def wishes_explicit(text: str) -> bool:
    """Whether a message asks to see somebody undressed, whether or not it speaks of a photo."""
    return found(words.EXPLICIT_WISH, readings(text))


def check_prompt(prompt: str, *, explicit_allowed: bool = False) -> Refusal | None:
    """`check` for what an image model is given: there nobody has a young age, and no child is near tenderness."""
    ways = readings(prompt)
    young = found(f"{words.AGE}|{words.PLAYED_MINOR}|{words.CHILDLIKE}", ways)
    if young or (found(words.CHILD, ways) and found(words.TENDER, ways)):
        return Refusal.MINORS
    return check(prompt, for_photo=True, explicit_allowed=explicit_allowed)


def check_persona(description: str) -> Refusal | None:
    """`check` for name, character and looks of a persona, who plays and is drawn: nobody young."""
    if found(f"{words.PLAYED_MINOR}|{words.ANY_AGE}|{words.CHILDLIKE}", readings(description)):
        return Refusal.MINORS
    return check(description, for_photo=True)
