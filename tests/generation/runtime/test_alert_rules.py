"""Alert rules: limits, waits, hysteresis; the file that comes along, and files that are wrong."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.monitoring.figures import FIGURES as ALL
from generation.figures import FIGURES
from generation.runtime.monitoring import alert_rules
from generation.runtime.monitoring.alert_rules import OK, Action, Rule, RulesError, State, Throttle, load, step
from generation.runtime.monitoring.figures import Snapshot

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOT = Rule(name="hot", figure="gpu_temperature", above=85, clear_at=80, for_seconds=10, action=Action.THROTTLE)
FEW = Rule(name="few", figure="workers_well", below=1, clear_at=2, for_seconds=0)


def played(rule: Rule, *values: float | None, every: float = 5) -> list[bool]:
    """Whether it fires after each look."""
    state, fires = OK, []
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
        (Rule(figure="queue_depth", total=True, above=1, clear_at=1), [("", 7.0)]),
        (Rule(figure="queue_depth", of="free", above=1, clear_at=1), [("", 5.0)]),
        (Rule(figure="queue_depth", above=1, clear_at=1), [("premium", 2.0), ("free", 5.0)]),
        (Rule(figure="stage", of="render", above=1, clear_at=1), []),
    ):
        assert list(rule.values(snapshot)) == expected


def test_the_rules_of_the_research_come_along() -> None:
    rules = load("", ALL).rules
    assert (rules["high_queue_depth"].limit, rules["high_queue_depth"].action) == (50, Action.SCALE_UP)
    assert (rules["high_latency"].limit, rules["high_latency"].of) == (20, "0.95")
    assert rules["high_latency"].action is Action.INVESTIGATE
    hot = rules["gpu_overheating"]
    assert (hot.limit, hot.clear_at, hot.action) == (85, 80, Action.THROTTLE)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('[rules.a]\nfigure = "nothing"\nabove = 1\nuntil = 0', "there is no figure 'nothing'"),
        ('[rules.a]\nfigure = "silence"\nabove = 1\nclear_at = 2', "harmless side"),
        ('[rules.a]\nfigure = "silence"\nclear_at = 2', "one of above and below"),
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
        load(path, FIGURES)
    assert sentence in str(error.value)


@pytest.mark.parametrize("figure", [figure.name for figure in ALL])
def test_every_figure_that_there_is_can_have_a_rule(tmp_path: Path, figure: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(f'window = 900\n[rules.a]\nfigure = "{figure}"\nabove = 1\nclear_at = 0\n')
    assert load(path, ALL).rules["a"].figure == figure


def test_a_worker_leaves_figures_that_it_does_not_know_to_the_bot(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text('window = 900\n[rules.a]\nfigure = "updates_waiting"\nabove = 9\nclear_at = 1\n')
    assert load(path, None).with_action(Action.THROTTLE) == []
    with pytest.raises(RulesError, match="there is no figure 'updates_waiting'"):
        load(path, FIGURES)


def test_an_operators_file_may_still_say_hold_and_until(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text('window = 900\n[rules.a]\nfigure = "silence"\nabove = 9\nuntil = 1\nhold = 5\n')
    rule = load(path, ALL).rules["a"]
    assert (rule.clear_at, rule.for_seconds) == (1, 5)


def test_a_state_keeps_since_when_and_its_last_value() -> None:
    state = step(HOT, State(NOON, NOON, 90), 84, NOON + timedelta(minutes=1))
    assert state == State(NOON, NOON, 84)
