"""The rules in their order: a table of moments, and what must hold for every moment."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggers import FREE_GAP, PREMIUM_GAP, Frequency, Kind, Moment, decide, draw_gap

QUIET = Moment(
    answer_number=2,
    answers_since_photo=1,
    gap=5,
    latest_gap=7,
    seconds_since_photo=None,
    cooldown=60,
    photos_today=0,
    daily_limit=10,
    photo_waiting=False,
    frequency=Frequency.NORMAL,
    unwelcome=0,
    asked_by_command=False,
    asked=False,
    promised=False,
    shows=False,
    nearly_shows=True,
    story_changed=False,
    atmosphere_changed=False,
)
AUTOMATIC, REQUESTED, REFUSED, NONE = Kind.AUTOMATIC, Kind.REQUESTED, Kind.REFUSED, Kind.NONE
OFTEN, RARELY, ASKED, NEVER = Frequency.OFTEN, Frequency.RARELY, Frequency.ASKED, Frequency.NEVER


@pytest.mark.parametrize(
    ("changes", "kind", "rule"),
    [
        ({}, NONE, "nothing_special"),
        ({"asked": True}, REQUESTED, "request"),
        ({"asked_by_command": True}, REQUESTED, "request"),
        ({"answer_number": 0, "shows": True, "answers_since_photo": 9}, NONE, "opening"),
        ({"photo_waiting": True, "shows": True}, NONE, "one_at_a_time"),
        ({"photo_waiting": True, "asked_by_command": True}, REQUESTED, "request"),
        ({"seconds_since_photo": 59.0, "shows": True}, NONE, "cooldown"),
        ({"seconds_since_photo": 60.0, "shows": True}, AUTOMATIC, "visual_scene"),
        ({"story_changed": True}, AUTOMATIC, "story_change"),
        ({"atmosphere_changed": True}, AUTOMATIC, "atmosphere_change"),
        ({"shows": True}, AUTOMATIC, "visual_scene"),
        ({"answers_since_photo": 4}, NONE, "nothing_special"),
        ({"answers_since_photo": 5}, AUTOMATIC, "cadence"),
        # One that is due waits for an answer that may show something, until the largest gap.
        ({"answers_since_photo": 5, "nearly_shows": False}, NONE, "nothing_special"),
        ({"answers_since_photo": 6, "nearly_shows": False}, NONE, "nothing_special"),
        ({"answers_since_photo": 7, "nearly_shows": False}, AUTOMATIC, "cadence"),
        ({"answers_since_photo": 4, "nearly_shows": True}, NONE, "nothing_special"),
        # The scene line is the first witness; the detector speaks where there is none.
        # A promise is kept however short ago the last photo was, and within all other limits.
        ({"promised": True}, AUTOMATIC, "promise"),
        ({"promised": True, "seconds_since_photo": 1.0}, AUTOMATIC, "promise"),
        ({"promised": True, "photo_waiting": True}, NONE, "one_at_a_time"),
        ({"promised": True, "frequency": ASKED}, NONE, "only_when_asked"),
        ({"promised": True, "photos_today": 10}, NONE, "daily_limit"),
        # The person's own setting.
        ({"frequency": NEVER, "story_changed": True}, NONE, "switched_off"),
        ({"frequency": NEVER, "asked_by_command": True}, REFUSED, "switched_off"),
        ({"frequency": ASKED, "story_changed": True}, NONE, "only_when_asked"),
        ({"frequency": ASKED, "asked": True}, REQUESTED, "request"),
        ({"frequency": OFTEN, "answers_since_photo": 3}, AUTOMATIC, "cadence"),
        ({"frequency": RARELY, "answers_since_photo": 11}, NONE, "nothing_special"),
        ({"frequency": RARELY, "answers_since_photo": 12}, AUTOMATIC, "cadence"),
        ({"frequency": RARELY, "shows": True, "seconds_since_photo": 300.0}, NONE, "cooldown"),
        # The plan's day.
        ({"photos_today": 9, "shows": True}, AUTOMATIC, "visual_scene"),
        ({"photos_today": 10, "shows": True}, NONE, "daily_limit"),
        ({"photos_today": 10, "asked": True}, REFUSED, "daily_limit"),
        # Photos that nobody wanted slow the pace down by themselves.
        ({"unwelcome": 2, "answers_since_photo": 5}, AUTOMATIC, "cadence"),
        ({"unwelcome": 3, "answers_since_photo": 5}, NONE, "nothing_special"),
        ({"unwelcome": 3, "answers_since_photo": 10}, AUTOMATIC, "cadence"),
        ({"unwelcome": 3, "shows": True, "seconds_since_photo": 100.0}, NONE, "cooldown"),
        ({"unwelcome": 6, "answers_since_photo": 19}, NONE, "nothing_special"),
        ({"unwelcome": 60, "answers_since_photo": 20}, AUTOMATIC, "cadence"),
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
    latest_gap=st.integers(1, 10),
    seconds_since_photo=st.none() | st.floats(0, 10_000),
    cooldown=st.floats(0, 1000),
    photos_today=st.integers(0, 40),
    daily_limit=st.integers(0, 40),
    photo_waiting=st.booleans(),
    frequency=st.sampled_from(Frequency),
    unwelcome=st.integers(0, 12),
    asked_by_command=st.booleans(),
    asked=st.booleans(),
    promised=st.booleans(),
    shows=st.booleans(),
    nearly_shows=st.booleans(),
    story_changed=st.booleans(),
    atmosphere_changed=st.booleans(),
)


@given(moments)
def test_no_automatic_photo_comes_against_a_limit_or_a_wish(moment: Moment) -> None:
    decision = decide(moment)
    if decision.kind is not AUTOMATIC:
        return
    assert moment.answer_number > 0
    assert not moment.photo_waiting
    assert moment.photos_today < moment.daily_limit
    assert moment.frequency.automatic
    if decision.rule != "promise" and moment.frequency is Frequency.NORMAL:
        assert moment.seconds_since_photo is None or moment.seconds_since_photo >= moment.cooldown


@given(moments)
def test_who_asks_always_gets_a_photo_or_a_word(moment: Moment) -> None:
    assert (decide(moment).kind in {REQUESTED, REFUSED}) == moment.wished


@given(moments)
def test_a_wish_for_fewer_photos_never_brings_more(moment: Moment) -> None:
    order = [Frequency.OFTEN, Frequency.NORMAL, Frequency.RARELY, Frequency.ASKED, Frequency.NEVER]
    comes = [
        decide(replace(moment, frequency=each, asked=False, asked_by_command=False)).wants_photo for each in order
    ]
    assert comes == sorted(comes, reverse=True)


def test_the_gaps_are_those_of_the_research_and_all_of_them_occur() -> None:
    rng = random.Random(1)
    assert {draw_gap(rng, FREE_GAP) for _ in range(200)} == {5, 6, 7}
    assert {draw_gap(rng, PREMIUM_GAP) for _ in range(200)} == {3, 4, 5}
