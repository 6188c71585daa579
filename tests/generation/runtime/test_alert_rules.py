"""Alert rules: limits, hold times, hysteresis; the file that comes along, and files that are wrong."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from generation.runtime.monitoring import alert_rules
from generation.runtime.monitoring.alert_rules import CALM, Action, Rule, RulesError, State, Throttle, load, step
from generation.runtime.monitoring.figures import Snapshot

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOT = Rule(name="hot", figure="gpu_temperature", above=85, until=80, hold=10, action=Action.THROTTLE)
FEW = Rule(name="few", figure="workers_well", below=1, until=2, hold=0)


def played(rule: Rule, *values: float | None, every: float = 5) -> list[bool]:
    """Whether it fires after each look."""
    state, fires = CALM, []
    for number, value in enumerate(values):
        state = step(rule, state, value, NOON + timedelta(seconds=number * every))
        fires.append(state.fired_at is not None)
    return fires


def test_it_fires_after_its_hold_time_and_ends_on_the_calm_side() -> None:
    assert played(HOT, 86, 86, 86, 84, 81, 80, 84) == [False, False, True, True, True, False, False]


def test_a_break_begins_the_hold_time_anew() -> None:
    assert played(HOT, 86, 86, 85, 86, 86, 86) == [False, False, False, False, False, True]


def test_below_is_the_same_the_other_way_round() -> None:
    assert played(FEW, 1, 0, 1, 2) == [False, True, True, False]


def test_a_value_that_is_gone_ends_it() -> None:
    assert played(FEW, 0, None, 0) == [True, False, True]


def test_a_worker_throttles_by_its_own_card() -> None:
    throttle = Throttle(alert_rules.Rules(900, {"hot": HOT, "few": FEW}))
    looks = [(86, 0), (86, 10), (82, 20), (80, 30)]
    throttled = [throttle.look({"gpu_temperature": heat}, NOON + timedelta(seconds=at)) for heat, at in looks]
    assert throttled == [False, True, True, False]


def test_sums_single_values_and_each_by_itself() -> None:
    snapshot = Snapshot(NOON, {"queue_depth": {"premium": 2.0, "free": 5.0}})
    for rule, expected in (
        (Rule(figure="queue_depth", total=True, above=1, until=1), [("", 7.0)]),
        (Rule(figure="queue_depth", of="free", above=1, until=1), [("", 5.0)]),
        (Rule(figure="queue_depth", above=1, until=1), [("premium", 2.0), ("free", 5.0)]),
        (Rule(figure="stage", of="render", above=1, until=1), []),
    ):
        assert list(rule.values(snapshot)) == expected


def test_the_rules_of_the_research_come_along() -> None:
    rules = load().rules
    assert (rules["high_queue_depth"].limit, rules["high_queue_depth"].action) == (50, Action.SCALE_UP)
    assert (rules["high_latency"].limit, rules["high_latency"].of) == (20, "0.95")
    assert rules["high_latency"].action is Action.INVESTIGATE
    hot = rules["gpu_overheating"]
    assert (hot.limit, hot.until, hot.action) == (85, 80, Action.THROTTLE)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('[rules.a]\nfigure = "nothing"\nabove = 1\nuntil = 0', "there is no figure 'nothing'"),
        ('[rules.a]\nfigure = "silence"\nabove = 1\nuntil = 2', "calm side"),
        ('[rules.a]\nfigure = "silence"\nuntil = 2', "one of above and below"),
        ('[rules.a]\nfigure = "silence"\nabove = 1\nuntil = 1\nof = "x"', "single value"),
        ('[rules.a]\nfigure = "silence"\nabove = 1\nuntil = 1\naction = "throttle"', "of a card can throttle it"),
        ('[rules.a]\nfigure = "silence"\nabove = 1\nuntil = 1\naction = "pray"', "rules.a.action"),
        ("[rules.a", "bad.toml"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(tmp_path: Path, content: str, sentence: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(f"window = 900\n{content}\n")
    with pytest.raises(RulesError, match=r"bad\.toml") as error:
        load(path)
    assert sentence in str(error.value)


def test_a_state_keeps_since_when_and_its_last_value() -> None:
    state = step(HOT, State(NOON, NOON, 90), 84, NOON + timedelta(minutes=1))
    assert state == State(NOON, NOON, 84)
