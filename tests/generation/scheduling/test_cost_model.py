"""What a worker learns of its GPU."""

import pytest

from generation.scheduling.cost_model import CostModel


def test_what_was_measured_counts_and_scales_what_was_not() -> None:
    speeds = CostModel({"a": [10.0, 12.0, 14.0, 16.0]})
    assert speeds.costs("a") == [10], "no batch before one alone was measured"
    speeds.measured("a", 1, 5.0)
    assert speeds.costs("a") == [5, 6, 7, 8]
    speeds.measured("a", 4, 20.0)
    assert speeds.costs("a")[3] == 20
    assert speeds.costs("a")[0] == 5


def test_sizes_between_two_that_were_measured_lie_between_them() -> None:
    speeds = CostModel({"a": [10.0, 12.0, 14.0, 16.0, 18.0]})
    speeds.measured("a", 1, 10.0)
    speeds.measured("a", 4, 40.0)
    assert speeds.costs("a")[:4] == [10, 20, 30, 40], "this card gains nothing, whatever the prior says of two"


def test_one_slow_graph_does_not_change_the_picture_at_once() -> None:
    speeds = CostModel({"a": [10.0]})
    speeds.measured("a", 1, 10.0)
    speeds.measured("a", 1, 100.0)
    assert speeds.of("a", 1) == pytest.approx(37)


def test_a_batch_that_did_not_fit_into_memory_is_not_tried_again() -> None:
    speeds = CostModel({"a": [10.0, 12.0, 14.0, 16.0]})
    speeds.measured("a", 1, 10.0)
    speeds.out_of_memory("a", 4)
    assert len(speeds.costs("a")) == 3
    speeds.out_of_memory("a", 2)
    assert len(speeds.costs("a")) == 1


@pytest.mark.parametrize(("every", "load"), [(10.0, 1.0), (20.0, 0.5), (5.0, 2.0)])
def test_the_load_is_the_work_that_came_over_the_time_it_took(every: float, load: float) -> None:
    speeds = CostModel({"a": [10.0]})
    now = 0.0
    for _ in range(200):
        now += every
        speeds.claimed("a", 1, now)
    assert speeds.load(now) == pytest.approx(load, rel=0.1)
    assert speeds.load(now + 2000) < 0.01


def test_a_worker_that_has_just_begun_knows_how_busy_it_is() -> None:
    speeds = CostModel({"a": [10.0]})
    for number in range(4):
        speeds.claimed("a", 1, number * 10.0)
    assert speeds.load(40.0) == pytest.approx(1, rel=0.15)
    assert speeds.load(40.0, waiting=80) > 2, "those that wait have come as well"


def test_priors_of_the_operators_card_hold_until_a_measurement_contradicts_them() -> None:
    speeds = CostModel({"a": [8.5, 12.0, 14.0, 16.0]}, trusted={"a"})
    assert len(speeds.costs("a")) == 4
    speeds.measured("a", 4, 17.0)
    assert len(speeds.costs("a")) == 4
    speeds = CostModel({"a": [8.5, 12.0, 14.0, 16.0]}, trusted={"a"})
    speeds.measured("a", 4, 34.0)
    assert len(speeds.costs("a")) == 1, "the batch was no faster than four alone: one alone is measured next"
    speeds.measured("a", 1, 8.5)
    assert speeds.costs("a")[3] == 34.0
