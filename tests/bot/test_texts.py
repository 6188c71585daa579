"""Everything the bot says exists in every language, plural forms included."""

import re
from pathlib import Path

import pytest

from bot.texts import FOLDER, Texts

TEXTS = Texts()
KEY = re.compile(r"^([a-z][a-z-]+) =", re.MULTILINE)
SOURCES = "\n".join(path.read_text() for path in (Path(__file__).parents[2] / "bot").rglob("*.py"))


def keys(locale: str) -> set[str]:
    return set(KEY.findall((FOLDER / f"{locale}.ftl").read_text()))


def test_both_languages_have_the_same_keys() -> None:
    assert keys("ru") == keys("en")


def test_every_key_that_code_asks_for_exists_and_every_key_is_asked_for() -> None:
    asked = set(re.findall(r"\bsay\(\s*\"([a-z-]+)\"", SOURCES))
    commands = {f"command-{name}" for name in ("photo", "persona", "story", "reset", "help")}
    assert asked | commands == keys("en")


@pytest.mark.parametrize(("waiting", "form"), [(1, "1 фото"), (3, "3 фото"), (25, "25 фото")])
def test_plurals_in_russian(waiting: int, form: str) -> None:
    assert form in TEXTS.in_locale("ru")("photo-queue-full", waiting=waiting)


def test_plurals_in_english() -> None:
    say = TEXTS.in_locale("en")
    assert "1 photo is" in say("photo-queue-full", waiting=1)
    assert "2 photos are" in say("photo-queue-full", waiting=2)


@pytest.mark.parametrize(
    ("code", "locale"), [("ru", "ru"), ("ru-RU", "ru"), ("en", "en"), ("de", "en"), (None, "en"), ("", "en")]
)
def test_the_language_of_telegram_is_taken_and_english_for_the_rest(code: str | None, locale: str) -> None:
    assert TEXTS.locale_of(code) == locale


def test_a_missing_value_is_a_bug_that_shows() -> None:
    with pytest.raises(KeyError, match="hello"):
        TEXTS.in_locale("en")("hello")
