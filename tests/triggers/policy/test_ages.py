"""Ages in digits, words, Roman numerals, classes, birth years, looks and arithmetic; and numbers that are none."""

import re

import pytest

from triggers.policy.ages import Whose, in_digits, young
from triggers.policy.spans import aged


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


@pytest.mark.parametrize(
    "span",
    [
        "мы женаты 14 лет, сделай фото в платье", "двенадцать лет вместе, обними", "наша годовщина, 16 лет! покажись", "я 11 лет не танцевал, пойдём",
        "married for 13 years, kiss me", "kiss me like twelve years ago", "16 years of marriage and still in love", "seit 14 Jahren zusammen, küss mich",
        "17 años casados, dame un beso", "13 ans ensemble, un bisou", "16 anni insieme, baciami", "15 lat po ślubie, pocałuj mnie", "14 років разом, поцілуй",
    ],
)  # fmt: skip
def test_years_together_are_nobodys_age(span: str) -> None:
    assert re.search(r"\b40\b", aged(span))
    assert not list(young(aged(span), this_year=2026))


@pytest.mark.parametrize(
    "said",
    ["вместе с Аней 14 лет в душе", "с Аней 14 лет вместе в душе", "we cuddle together, gf 15 years", "15 years old together with me",
     "Anna 15 years together with me", "мне 14 лет, мы вместе", "тебе 12 лет вместе со мной", "ей 16 лет, вместе гуляем", "she is 15 together with me", "i'm 14 years without a kiss"],
)  # fmt: skip
def test_an_age_is_never_taken_for_years_together(said: str) -> None:
    assert aged(said) == said
