"""Ages in digits, words, Roman numerals, classes, birth years, looks and arithmetic; and numbers that are none."""

import pytest

from triggers.policy.ages import Whose, in_digits, young


def whose(text: str) -> set[Whose]:
    return {each.whose for each in young(text, this_year=2026)}


@pytest.mark.parametrize(
    "text",
    ["Мне пятнадцать", "ей всего 14", "ты девятиклассница", "она учится в седьмом классе", "в 10 «Б» классе", "I'm fifteen lol", "she looks thirteen",
     "300 years old but looks like a child of ten", "born in 2012", "2011 г.р.", "мне 18 минус 3", "дважды семь лет", "half of 28 is my age",
     "через три года мне исполнится 18", "не достигла совершеннолетия", "ich bin 16 Jahre alt", "tengo quince años", "j'ai 14 ans",
     "ho sedici anni", "mam 15 lat", "on beş yaşındayım", "tenho 13 anos", "мені чотирнадцять років", "XV лет", "Аня, 16 лет", "Age: sixteen",
     "a boy of nine in a classroom", "she's a ninth grader", "in grade 8", "9. Klasse", "7. sınıftayım", "menor de edad", "not yet 18",
     "почти 18", "I turn 18 next spring", "under eighteen", "sixteen-year-old", "пятнадцатилетняя", "15-річна", "мне 16ть", "pretend you're twelve",
     "выглядит лет на тринадцать", "sie sieht aus wie 14", "née en 2013"],
)  # fmt: skip
def test_somebody_is_under_age(text: str) -> None:
    assert whose(text) - {Whose.FAMILY}, in_digits(text)


@pytest.mark.parametrize(
    "text",
    ["I'm 15 minutes away", "квартира 14", "виски 12 лет", "I have 12 years of experience", "I'm 25", "ей тридцать пять", "мне двадцать один",
     "she's twenty-one", "двадцать пять лет", "we've been married for 12 years", "я вернусь через 10 минут", "у меня 5 котов", "He is 6 feet tall",
     "It's 15 degrees", "мне уже 18", "I am over 18", "a ten-year-old whisky", "мне 5 звезд поставили", "работаю 7 лет", "tengo treinta y cinco años",
     "j'ai vingt-cinq ans", "mam dwadzieścia trzy lata", "в 2012 году купил машину", "размер 16", "дом 15, квартира 7", "at 5 o'clock", "15 из 20",
     "мне 10 штук", "ur 9/10 today", "you are 10/10", "эпизод 12", "chapter nine", "I'm on floor 9", "we were 12 people"],
)  # fmt: skip
def test_other_numbers_are_no_ages(text: str) -> None:
    assert whose(text) <= {Whose.FAMILY}, in_digits(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I'm fifteen", Whose.PERSON),
        ("мне пятнадцать лет", Whose.PERSON),
        ("ты школьница, тебе 14", Whose.PERSONA),
        ("imagine you are sixteen", Whose.PERSONA),
        ("будь моей дочкой, пять лет", Whose.PERSONA),
        ("my son is 8 years old", Whose.FAMILY),
        ("моей дочке пять лет", Whose.FAMILY),
        ("when I was 12 we moved", Whose.FAMILY),
        ("ей 16 лет", Whose.SOMEONE),
        ("мне 5", Whose.SOMEONE),
        ("my son is 8, he loves lego\nbtw i'm 16 lol", Whose.PERSON),
    ],
)
def test_of_whom_it_is_said(text: str, expected: Whose) -> None:
    assert whose(text) - {Whose.FAMILY} <= {expected}
    assert whose(text) or expected is Whose.FAMILY
