"""How a scene goes on after an answer."""

import random

from bot.chat.scene_continuity import after_answer
from bot.personas import persona
from bot.personas.camera import TAKES, Framing, another, framing, orientation
from bot.personas.scene import MAX_FIELD, Scene
from bot.photos.prompt import MAX_SCENE, clean, describe
from bot.reading.text_reader import AnswerAnalysis
from generation.models import Orientation
from triggers.text.visuals import see, subjects

ALISA = persona.load(persona.FOLDER / "alisa.toml")
BEFORE = Scene(place="attic studio with a lamp", outfit="grey sweater", light="lamp light", atmosphere="cosy")


def reading(answer: str, person: str = "", *, visual: bool = True) -> AnswerAnalysis:
    return AnswerAnalysis(
        visual=visual,
        nearly_visual=False,
        promise=False,
        visual_chance=float(visual),
        promise_chance=0.0,
        without_promise=answer,
        visuals=see(answer),
        subjects=subjects((person, answer)),
        refusal=None,
    )


def test_what_is_of_the_moment_comes_from_the_scene_line_and_what_lasts_stays() -> None:
    after = after_answer(BEFORE, Scene(action="running", outfit="red gown"), reading("Ха-ха!"), ALISA)
    assert after.action == "running"
    assert after.lasting() == BEFORE.lasting()


def test_a_place_in_fewer_words_is_the_same_place() -> None:
    after = after_answer(BEFORE, Scene(place="Attic studio"), reading("Пойдём гулять."), ALISA)
    assert after.place == BEFORE.place


def test_the_light_of_a_place_stays_behind() -> None:
    after = after_answer(BEFORE, Scene(place="beach"), reading("Пришла на пляж."), ALISA)
    assert (after.place, after.light) == ("beach", "")
    from_words = after_answer(BEFORE, None, reading("Лежу на пляже, солнце."), ALISA)
    assert (from_words.place, from_words.light) == ("beach", "bright sunlight")


def test_without_a_scene_line_an_answer_that_shows_nothing_changes_nothing() -> None:
    after = after_answer(BEFORE, None, reading("На пляже в красном платье.", visual=False), ALISA)
    assert after == Scene.model_validate(BEFORE.lasting())


def test_accessories_join_the_outfit_and_clothes_replace_it() -> None:
    scarf = after_answer(BEFORE, None, reading("Замотала красный шарф."), ALISA)
    assert scarf.outfit == "grey sweater, red scarf"
    dress = after_answer(scarf, None, reading("Надела зелёное платье."), ALISA)
    assert dress.outfit == "green dress"


def test_accessories_of_a_long_evening_never_make_a_scene_that_cannot_be_read() -> None:
    scene = BEFORE
    for thing in ("шарф", "шляпа", "очки", "перчатки", "рюкзак", "наушники", "тапки", "корона", "носки") * 3:
        for colour in ("красный", "синий", "зелёный"):
            scene = after_answer(scene, None, reading(f"На мне {colour} {thing}."), ALISA)
    assert len(scene.outfit) <= MAX_FIELD
    assert Scene.model_validate(scene.lasting()).outfit == scene.outfit


def test_an_atmosphere_that_the_persona_does_not_have_is_no_change() -> None:
    assert after_answer(BEFORE, Scene(atmosphere="Dreamy"), reading("Да."), ALISA).atmosphere == "dreamy"
    assert after_answer(BEFORE, Scene(atmosphere="apocalyptic"), reading("Да."), ALISA).atmosphere == "cosy"


def test_another_take_never_has_the_framing_of_the_one_before() -> None:
    for camera in ("medium shot", "close-up selfie", "wide shot", "full body", "", *(take.words for take in TAKES)):
        for take in range(20):
            assert framing(another(camera, take).words) is not framing(camera)
    assert len({another("medium shot", take) for take in range(20)}) >= 4


def test_cameras_are_understood() -> None:
    assert framing("Extreme close-up") is Framing.CLOSE
    assert framing("half-body portrait, eye level") is Framing.HALF
    assert framing("full-length") is Framing.FULL
    assert orientation("panoramic view of the bay") is Orientation.LANDSCAPE
    assert orientation("full body, in a mirror") is Orientation.PORTRAIT


def test_a_prompt_is_plain_bounded_words() -> None:
    words = "a (very:1.4) <lora:x:1> [dress] {a|b} embedding:easy \\ / `x`"
    assert clean(words) == "a very 1.4 dress a b easy x"
    scene = Scene(**dict.fromkeys(("place", "outfit", "light", "action", "camera", "mood"), "word " * 60))
    assert len(describe(ALISA, "attic", scene).prompt) < MAX_SCENE + 400


def test_a_persona_has_seeds_of_her_own() -> None:
    everybody = [persona.load(path) for path in sorted(persona.FOLDER.glob("*.toml"))]
    families = [{each.seed(random.Random(number)) // persona.SEEDS for number in range(50)} for each in everybody]
    assert all(len(family) == 1 for family in families)
    assert len(set.union(*families)) == len(everybody)
