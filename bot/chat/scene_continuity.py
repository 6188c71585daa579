"""How the scene goes on after an answer: what lasts changes only when the talk says so. Pure.

A language model likes to put another dress on her for no reason. So what its scene line says of outfit, place and
light is believed only in a turn whose words speak of clothes, of a place or a way there, of light
(`triggers.text.visuals.subjects`). Where it gave no line, the answer's own words are read
(`triggers.text.visuals.see`).
"""

import re
from dataclasses import fields

from bot.personas.persona import Persona
from bot.personas.scene import MAX_FIELD, OF_THE_TURN, Scene
from bot.reading.text_reader import AnswerAnalysis
from triggers.text.visuals import NOTHING, Subject, Visuals, recoloured

#: Letters that no English word has: the image model understands English only.
_NOT_ENGLISH = re.compile(r"[^\x00-\u024f\u2010-\u2027]")


def after_answer(
    before: Scene, spoken: Scene | None, reading: AnswerAnalysis, persona: Persona, wish: Visuals = NOTHING
) -> Scene:
    """The scene of this moment: `spoken` is the model's scene line, if it gave a usable one.

    `wish` is what a person who asks for a photo would like to see. The model has read it as well, so it counts only
    where there is no scene line.
    """
    if spoken is None:
        return _from_words(before, reading, wish)
    english = _in_english(spoken, reading.visuals)
    said = reading.subjects
    place = _next(before.place, english.place, said.place)
    moved = place != before.place
    return english.model_copy(
        update={
            "outfit": _next(before.outfit, english.outfit, said.outfit),
            "place": place,
            # The old light stays in the old place.
            "light": english.light if moved else _next(before.light, english.light, said.light),
            "atmosphere": _atmosphere(before, english, persona),
        }
    )


def retaken(old: Scene, spoken: Scene | None, reading: AnswerAnalysis, wish: Visuals) -> Scene:
    """The scene of a photo that somebody wants otherwise: what they say of it changes, all the rest stays."""
    seen = _either(wish, reading.visuals if reading.visual else NOTHING)
    line = _in_english(spoken, reading.visuals) if spoken else Scene()
    said = reading.subjects
    outfit = _next(old.outfit, line.outfit, said.outfit)
    if wish.colour and not wish.outfit:
        outfit = recoloured(old.outfit, wish.colour)
    elif seen.outfit or seen.accessories:
        outfit = _dressed(old.outfit, seen)
    place = seen.place or _next(old.place, line.place, said.place)
    return old.model_copy(
        update={
            "outfit": outfit[:MAX_FIELD],
            "place": place,
            "light": seen.light or ("" if place != old.place else old.light),
            "action": wish.action or old.action,
            "mood": wish.mood or old.mood,
        }
    )


def _from_words(before: Scene, reading: AnswerAnalysis, wish: Visuals) -> Scene:
    """Only an answer that shows something, or a wish, can change what is seen."""
    lasting = Scene.model_validate(before.lasting())
    if not reading.visual and wish == NOTHING:
        return lasting
    seen = _either(reading.visuals if reading.visual else NOTHING, wish)
    moved = bool(seen.place) and seen.place != before.place
    return lasting.model_copy(
        update={
            "outfit": _dressed(before.outfit, seen),
            "place": seen.place or before.place,
            "light": seen.light or ("" if moved else before.light),
            "action": seen.action,
            "mood": seen.mood,
        }
    )


def _either(first: Visuals, second: Visuals) -> Visuals:
    return Visuals(
        **{part.name: getattr(first, part.name) or getattr(second, part.name) for part in fields(Visuals)}
    )


def _in_english(scene: Scene, seen: Visuals) -> Scene:
    """A field in another language is replaced by what the answer's words show, or left out."""
    instead = {
        "outfit": seen.outfit,
        "place": seen.place,
        "light": seen.light,
        "action": seen.action,
        "mood": seen.mood,
    }
    foreign = [
        name for name in Scene.model_fields if name not in OF_THE_TURN and _NOT_ENGLISH.search(getattr(scene, name))
    ]
    return scene.model_copy(update={name: instead.get(name, "") for name in foreign})


def _next(before: str, now: str, said: Subject) -> str:
    """What is now, if the words of the turn give a reason for it; the same in fewer words is no change."""
    if not now or (before and set(now.lower().split()) <= set(before.lower().split())):
        return before
    return now if not before or said.allows(before, now) else before


def _dressed(before: str, seen: Visuals) -> str:
    """New clothes replace the old ones; a scarf or glasses join them."""
    worn = seen.outfit or before
    added = [each for each in seen.accessories.split(", ") if each and each not in worn]
    return ", ".join(part for part in (worn, *added) if part)[:MAX_FIELD]


def _atmosphere(before: Scene, now: Scene, persona: Persona) -> str:
    """One that the persona does not have is no change."""
    atmosphere = now.atmosphere.lower()
    return atmosphere if atmosphere in persona.atmospheres else before.atmosphere
