"""The rules in their order: a table of moments, and what must hold for every moment."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggers import Kind, Moment, decide, draw_gap

QUIET = Moment(
    answer_number=2,
    answers_since_photo=1,
    gap=5,
    seconds_since_photo=None,
    cooldown=60,
    photo_waiting=False,
    asked_by_command=False,
    person_text="I had a long day",
    answer_text="Tell me about it.",
    scene_visual=False,
    story_changed=False,
    atmosphere_changed=False,
)


@pytest.mark.parametrize(
    ("changes", "kind", "rule"),
    [
        ({}, Kind.NONE, "nothing_special"),
        ({"person_text": "send me a selfie"}, Kind.REQUESTED, "request"),
        ({"person_text": "Пришли, пожалуйста, фото"}, Kind.REQUESTED, "request"),
        ({"asked_by_command": True}, Kind.REQUESTED, "request"),
        ({"person_text": "don't send me photos", "answers_since_photo": 1}, Kind.NONE, "nothing_special"),
        ({"answer_number": 0, "scene_visual": True, "answers_since_photo": 9}, Kind.NONE, "opening"),
        ({"photo_waiting": True, "scene_visual": True}, Kind.NONE, "one_at_a_time"),
        ({"photo_waiting": True, "asked_by_command": True}, Kind.REQUESTED, "request"),
        ({"seconds_since_photo": 59.0, "scene_visual": True}, Kind.NONE, "cooldown"),
        ({"seconds_since_photo": 60.0, "scene_visual": True}, Kind.AUTOMATIC, "visual_scene"),
        ({"story_changed": True}, Kind.AUTOMATIC, "story_change"),
        ({"atmosphere_changed": True}, Kind.AUTOMATIC, "atmosphere_change"),
        ({"scene_visual": True}, Kind.AUTOMATIC, "visual_scene"),
        ({"answers_since_photo": 4}, Kind.NONE, "nothing_special"),
        ({"answers_since_photo": 5}, Kind.AUTOMATIC, "cadence"),
        ({"scene_visual": None, "answer_text": "I'm wearing your favourite scarf"}, Kind.AUTOMATIC, "visual_scene"),
        ({"scene_visual": False, "answer_text": "I'm wearing your favourite scarf"}, Kind.NONE, "nothing_special"),
        ({"scene_visual": None, "answer_text": "На мне синее платье"}, Kind.AUTOMATIC, "visual_scene"),
        ({"scene_visual": None, "answer_text": "Вчера на мне было платье"}, Kind.NONE, "nothing_special"),
    ],
)
def test_the_first_rule_that_fits_decides(changes: dict[str, object], kind: Kind, rule: str) -> None:
    decision = decide(replace(QUIET, **changes))  # type: ignore[arg-type]
    assert (decision.kind, decision.rule) == (kind, rule)
    assert decision.reason


moments = st.builds(
    Moment,
    answer_number=st.integers(0, 50),
    answers_since_photo=st.integers(0, 50),
    gap=st.integers(1, 10),
    seconds_since_photo=st.none() | st.floats(0, 10_000),
    cooldown=st.floats(0, 1000),
    photo_waiting=st.booleans(),
    asked_by_command=st.booleans(),
    person_text=st.text(),
    answer_text=st.text(),
    scene_visual=st.none() | st.booleans(),
    story_changed=st.booleans(),
    atmosphere_changed=st.booleans(),
)


@given(moments)
def test_no_automatic_photo_comes_too_early(moment: Moment) -> None:
    if decide(moment).kind is Kind.AUTOMATIC:
        assert moment.answer_number > 0
        assert not moment.photo_waiting
        assert moment.seconds_since_photo is None or moment.seconds_since_photo >= moment.cooldown


@given(moments)
def test_the_same_moment_always_gets_the_same_decision(moment: Moment) -> None:
    assert decide(moment) == decide(moment)


def test_the_gaps_are_those_of_the_research_and_all_of_them_occur() -> None:
    rng = random.Random(1)
    assert {draw_gap(rng, premium=False) for _ in range(200)} == {5, 6, 7}
    assert {draw_gap(rng, premium=True) for _ in range(200)} == {3, 4, 5}
