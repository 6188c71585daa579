"""The person never sees the scene line, whatever a model makes of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.personas.scene import MAX_FIELD, Scene
from bot.personas.speech import split_answer

LINE = (
    '{"place": "kitchen", "outfit": "apron", "action": "cooking", "camera": "close-up", "atmosphere": "cosy",'
    ' "visual": true}'
)


@pytest.mark.parametrize(
    "raw",
    [
        f"Hello!\n[scene] {LINE}",
        f"Hello!\n\n[Scene]: {LINE}\n",
        f"Hello!\n**[scene]** {LINE}",
        f"Hello!\nscene: {LINE}",
        f"Hello!\n{LINE}",
        f"Hello!\n```json\n{LINE}\n```",
        f"Hello!\n[scene] {LINE} trailing words",
    ],
)
def test_the_line_is_found_in_every_shape(raw: str) -> None:
    text, scene = split_answer(raw)
    assert text == "Hello!"
    assert scene == Scene.model_validate_json(LINE)


@pytest.mark.parametrize(
    "raw",
    [
        "Hello!",
        "Hello!\n[scene] place: kitchen, outfit: apron",
        f"Hello!\n[scene] {LINE[:40]}",
        'Hello!\n[scene] {"visual": "perhaps", "place": ["x"]}',
        'Hello!\n[scene] {"visual": null, "outfit": null}',
        "Hello!\n[scene] [1, 2]",
    ],
)
def test_a_missing_or_broken_line_costs_the_scene_and_nothing_else(raw: str) -> None:
    assert split_answer(raw) == ("Hello!", None)


def test_words_about_a_scene_stay_in_the_text() -> None:
    text = "What a scene that was! She said {nothing}."
    assert split_answer(text) == (text, None)


@given(st.text(), st.dictionaries(st.text(max_size=8), st.text() | st.integers() | st.none()))
def test_no_answer_shows_the_marker_or_breaks(text: str, values: dict[str, object]) -> None:
    shown, _ = split_answer(f"{text}\n[scene] {json.dumps(values)}")
    assert not shown.endswith("}") or "[scene]" not in shown.splitlines()[-1]


def test_fields_are_bounded_and_on_one_line() -> None:
    _, scene = split_answer(f'x\n[scene] {{"place": "{"a " * 500}", "outfit": "red\\ndress"}}')
    assert scene is not None
    assert len(scene.place) <= MAX_FIELD
    assert scene.outfit == "red dress"


def test_a_part_that_is_no_text_costs_that_part_alone() -> None:
    _, scene = split_answer('x\n[scene] {"place": null, "outfit": ["red"], "action": "running", "visual": "True"}')
    assert scene == Scene(action="running", visual=True)


@pytest.mark.parametrize("marker", ["<scene>", "(scene:", "[scene]:", "**Scene:**"])
def test_other_brackets_hide_as_well(marker: str) -> None:
    assert split_answer(f"Hello!\n{marker} {LINE}")[0] == "Hello!"


def test_a_scene_line_nested_without_end_is_no_scene() -> None:
    assert split_answer("Hello!\n[scene] " + '{"a":' * 3000) == ("Hello!", None)


def test_a_picture_in_markdown_is_left_out() -> None:
    assert split_answer("Look ![selfie](https://example.com/selfie.jpg) here")[0] == "Look  here"
