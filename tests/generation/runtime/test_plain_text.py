"""What strangers and foreign servers write reaches prompts, logs, cards and rows as text and nothing else."""

import io
import json
import logging
import unicodedata
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from bot.personas.persona import load_all
from bot.personas.scene import Scene
from bot.personas.speech import split_answer
from bot.photos.prompt import describe
from bot.texts import Texts
from bot.updates.inbox import _storable
from generation.errors import RenderFailed
from generation.runtime import logs
from generation.runtime.plain_text import one_line, plain_text
from generation.workflows import workflow

#: A terminal's colours and title, a way back over the line, a turned direction, invisible orders, half a character.
NASTY = "a\x1b[31m\x1b]0;title\x07\rb\x08\x00\x9bc\u202ed\u2066e\U000e0041\U000e0042f\ud83dg\ufeff\uffff\u2028h"
CLEAN = "a[31m]0;title\nbcdefg\nh"


def test_what_is_no_text_is_taken_out() -> None:
    assert plain_text(NASTY) == CLEAN
    assert one_line(NASTY) == CLEAN.replace("\n", "\\n")


@pytest.mark.parametrize(
    "text",
    [
        "Привет, как ты?\n\tХорошо",
        "naïve café — “quotes”…",
        "👩‍👩‍👧 family, 👋🏽, ❤️",
        "שלום and مرحبا\u200f!",
        "می‌خواهم",
        "𝒻𝒶𝓃𝒸𝓎",
    ],
)
def test_what_people_write_stays(text: str) -> None:
    assert plain_text(text) == text


@given(st.text())
def test_nothing_that_a_terminal_obeys_or_a_database_refuses_is_left(text: str) -> None:
    plain = plain_text(text)
    kinds = {char: unicodedata.category(char) for char in plain}
    assert {char for char, kind in kinds.items() if kind in {"Cc", "Cs"}} <= {"\n", "\t"}
    assert "\n" not in one_line(text)
    assert plain_text(plain) == plain
    plain.encode()


def test_updates_prompts_cards_scenes_and_errors_hold_plain_text() -> None:
    update = {"message": {"text": NASTY, "from": {"first_name": NASTY}, "photo": [{"file_id": NASTY}]}}
    assert NASTY not in str(_storable(update))
    assert _storable(update)["message"]["text"] == CLEAN
    raw = f"Words{NASTY}\n[scene] {json.dumps({'place': 'attic' + NASTY, 'visual': True})}"
    text, scene = split_answer(raw)
    assert text == f"Words{CLEAN}"
    assert scene is not None
    persona = load_all(set(workflow.load_all()))["alisa"]
    drawn = Scene(place=f"attic{NASTY}".replace("\ud83d", ""), action="a\x1b[31mb")
    prompt = describe(persona, next(iter(persona.stories)), drawn).prompt
    assert prompt == plain_text(prompt).replace("\n", " ")
    assert str(RenderFailed("Error", NASTY, "3")) == f"Error in node 3: {CLEAN}"
    card = Texts().in_locale("en")("admin-reload-refused", why=NASTY)
    assert card.endswith(CLEAN)


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What a process logs."""
    handlers, level, settings = logging.root.handlers, logging.root.level, structlog.get_config()
    logs.configure("console", "info", process="test")
    written = io.StringIO()
    (handler,) = logging.root.handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(written)
    yield written
    logging.root.handlers = handlers
    logging.root.setLevel(level)
    structlog.configure(**settings)
    structlog.contextvars.clear_contextvars()


def test_a_line_of_a_log_is_one_line_and_moves_no_cursor(lines: io.StringIO) -> None:
    # pytest's own capture cannot take half a character.
    said = f"x\nadmin.logged_in{NASTY}".replace("\ud83d", "")
    structlog.get_logger("of.ours").warning("person.said", value=said)
    logging.getLogger("of.theirs").warning("value %s", said)
    written = lines.getvalue()
    assert written.count("\n") == 2
    assert "\x1b]0;" not in written
    assert "\u202e" not in written
