"""What words show, in English, and what they allow to change."""

import pytest

from triggers.text.visuals import Visuals, see, subjects


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Сижу на подоконнике в красном свитере, грею руки о кружку. За окном снег.",
            Visuals(
                outfit="red sweater", place="at a window", light="snow outside", action="sitting, with a cup of tea"
            ),
        ),
        (
            "I'm curled up on the couch in an oversized grey hoodie, bowl of ramen on my knees.",
            Visuals(
                outfit="oversized grey hoodie",
                place="living room with a sofa",
                action="sitting, with a bowl of soup",
            ),
        ),
        ("Надела зелёное платье, шарф и очки.", Visuals(outfit="green dress", accessories="scarf, glasses")),
        # About the person, another time, or nothing real: nothing is seen.
        ("А ты в чём? В том синем свитере?", Visuals()),
        ("Вчера я была в красном платье на крыше.", Visuals()),
        ("If we met I would wear a blue dress.", Visuals()),
        ("Я сегодня без шарфа.", Visuals()),
        ("Хорошо, что ты написал.", Visuals()),
    ],
)
def test_what_a_text_shows(text: str, expected: Visuals) -> None:
    assert see(text) == expected


@pytest.mark.parametrize(
    ("text", "before", "now", "allowed"),
    [
        ("Переоделась, жди.", "sweater", "red dress", True),
        ("Накинула дождевик и бегу.", "sweater", "raincoat over a sweater", True),
        ("Вот бы увидеть тебя в шляпе", "sweater", "sweater and a hat", True),
        ("Сняла пальто.", "coat over a dress", "dress", True),
        ("Кланяюсь, насколько позволяет плед.", "pyjamas", "tuxedo", False),
        ("Я смеюсь.", "sweater", "red dress", False),
    ],
)
def test_clothes_change_only_when_the_words_give_a_reason(
    text: str, before: str, now: str, *, allowed: bool
) -> None:
    assert subjects([text]).outfit.allows(before, now) is allowed


def test_the_persons_words_count_as_well() -> None:
    said = subjects(["Пойдём гулять к реке?", "Давай!"])
    assert said.place.allows("kitchen", "river bank")
    assert not subjects(["Как дела?", "Хорошо!"]).place.allows("kitchen", "river bank")
