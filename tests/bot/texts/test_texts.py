"""Everything the bot says exists in every language, plural forms included."""

import re
from pathlib import Path

import pytest

from bot.admin.actions.registry import ACTIONS
from bot.admin.broadcast_sender import AUDIENCES
from bot.admin.panel import PAGES
from bot.handlers.account.privacy import KEPT
from bot.handlers.personas.own_persona import QUESTIONS
from bot.models import BroadcastStatus, DislikeReason, Gender
from bot.monitoring.figures import FIGURES
from bot.monitoring.texts import CHART
from bot.personas.persona import FOLDER as PERSONAS
from bot.personas.persona import Persona, load
from bot.photos import wait_texts
from bot.telegram.callbacks import Manner
from bot.texts import FOLDER, Texts
from bot.updates.menu import ADMIN_COMMANDS
from generation.figures import STAGES
from generation.runtime.monitoring.alert_rules import Action
from generation.runtime.monitoring.alert_rules import load as load_rules
from triggers import Frequency
from triggers.policy.policy import Refusal

TEXTS = Texts()
KEY = re.compile(r"^([a-z][a-z0-9_-]+) =", re.MULTILINE)
SOURCES = "\n".join(path.read_text() for path in (Path(__file__).parents[3] / "bot").rglob("*.py"))


def keys(locale: str) -> set[str]:
    return {key for path in FOLDER.glob(f"{locale}*.ftl") for key in KEY.findall(path.read_text())}


def personas() -> list[Persona]:
    return [load(path) for path in sorted(PERSONAS.glob("*.toml"))]


def test_both_languages_have_the_same_keys() -> None:
    assert keys("ru") == keys("en")


def test_every_key_that_code_asks_for_exists_and_every_key_is_asked_for() -> None:
    literal = re.findall(r"\b(?:say|tell)\(\s*\"([a-z_-]+)\"", SOURCES)
    either = re.findall(r"\b(?:say|tell)\(\s*\"([a-z_-]+)\" if [^\"]+ else \"([a-z_-]+)\"", SOURCES)
    asked = {*literal, *(key for pair in either for key in pair), "premium-paid", "premium-renewed"}
    asked |= {f"command-{name}" for name in ADMIN_COMMANDS} | {f"dislike-{each}" for each in DislikeReason}
    asked |= {f"own-{question.field}" for question in QUESTIONS} | {"language-name", "model-down", "model-later"}
    asked |= {f"own-gender-{gender}" for gender in Gender} | {f"answer-{each}" for each in Manner}
    asked |= {f"atmosphere-{each}" for persona in personas() for each in persona.atmospheres}
    asked |= {f"privacy-kept-{what}" for what in KEPT}
    asked |= {f"frequency-{each}" for each in Frequency} | {f"policy-{each}" for each in Refusal}
    asked |= {f"act-{action}" for action in ACTIONS if action != "silence"} | {f"page-{page}" for page in PAGES}
    asked |= {f"stage-{stage}" for stage in STAGES} | {f"alert-action-{action}" for action in Action}
    # The rule on PostgreSQL itself has sentences of its own.
    asked |= {f"alert-{rule}" for rule in load_rules("", FIGURES).rules if rule != "database_away"}
    asked |= {f"chart-{each}" for each in CHART} | {f"audience-{each}" for each in AUDIENCES}
    asked |= {f"broadcast-{each}" for each in BroadcastStatus if each is not BroadcastStatus.DRAFT}
    assert asked == keys("en")


@pytest.mark.parametrize(
    ("seconds", "russian", "english"),
    [
        (16, "примерно через 20 секунд, в очереди оно 2-е.", "in about 20 seconds; it is number 2 in the queue."),
        (60, "примерно через 1 минуту, в очереди оно 2-е.", "in about 1 minute; it is number 2 in the queue."),
        (125, "примерно через 2 минуты, в очереди оно 2-е.", "in about 2 minutes; it is number 2 in the queue."),
        (300, "примерно через 5 минут, в очереди оно 2-е.", "in about 5 minutes; it is number 2 in the queue."),
        (7300, "примерно через 2 часа, в очереди оно 2-е.", "in about 2 hours; it is number 2 in the queue."),
        (1260, "примерно через 21 минуту, в очереди оно 2-е.", "in about 21 minutes; it is number 2 in the queue."),
    ],
)
def test_a_long_wait_is_said_in_whole_words(seconds: float, russian: str, english: str) -> None:
    for locale, words in (("ru", russian), ("en", english)):
        assert words in wait_texts.ahead(TEXTS.in_locale(locale), seconds, 2)


@pytest.mark.parametrize("seconds", [0, 15])
def test_a_short_wait_needs_no_word(seconds: float) -> None:
    assert wait_texts.ahead(TEXTS.in_locale("ru"), seconds, 1) == ""


def test_while_no_gpu_is_there_nobody_promises_a_time() -> None:
    assert (
        wait_texts.ahead(TEXTS.in_locale("en"), None, 1)
        == "The photo will be a little late: I'll send it as soon as I can."
    )


def test_a_full_queue_tells_its_length_if_anybody_knows_it() -> None:
    say = TEXTS.in_locale("ru")
    assert "примерно на 2 минуты" in wait_texts.full(say, 120)
    assert "не получаются" in wait_texts.full(say, None)


@pytest.mark.parametrize(
    ("code", "locale"), [("ru", "ru"), ("ru-RU", "ru"), ("en", "en"), ("de", "en"), (None, "en"), ("", "en")]
)
def test_the_language_of_telegram_is_taken_and_english_for_the_rest(code: str | None, locale: str) -> None:
    assert TEXTS.locale_of(code) == locale


def test_a_missing_value_is_a_bug_that_shows() -> None:
    with pytest.raises(KeyError, match="hello"):
        TEXTS.in_locale("en")("hello")
