"""The scheduler against a simulated clock: what the benches and docs/scaling.md rest on."""

import random
from itertools import pairwise

import pytest

from sandbox.simulation import (
    RESEARCH,
    Arrival,
    Policy,
    bursts,
    first_come_first_served,
    fixed_window,
    ours,
    poisson,
    simulate,
)

ONE_BY_ONE = 1 / RESEARCH[0]


@pytest.mark.parametrize("policy", [ours(), first_come_first_served, fixed_window()])
@pytest.mark.parametrize("gpus", [1, 3])
def test_everybody_is_served_once_and_no_gpu_does_two_things_at_once(policy: Policy, gpus: int) -> None:
    arrivals = poisson(300, 1.5 * gpus * ONE_BY_ONE, rng=random.Random(1), models=0.3)
    outcome = simulate(arrivals, policy, gpus=gpus)
    assert sorted(photo.arrival.at for photo in outcome.served) == [arrival.at for arrival in arrivals]
    starts = sorted({(photo.started, photo.finished) for photo in outcome.served})
    if gpus == 1:
        assert all(first[1] <= second[0] for first, second in pairwise(starts))


def test_two_models_are_swapped_a_quarter_as_often_as_in_the_order_of_arrival() -> None:
    arrivals = poisson(400, 2 * ONE_BY_ONE, rng=random.Random(2), models=0.5)
    assert simulate(arrivals, ours()).swaps <= simulate(arrivals, first_come_first_served).swaps / 4


def test_free_photos_are_bounded_and_premium_ones_hardly_wait_under_overload() -> None:
    arrivals = poisson(600, 1.6 * ONE_BY_ONE, rng=random.Random(3), premium=0.23)
    head_start = 300.0
    outcome = simulate(arrivals, ours(largest=1), head_start=head_start)
    premium = [photo for photo in outcome.served if photo.arrival.premium]
    for free in (photo for photo in outcome.served if not photo.arrival.premium):
        overtaking = [it for it in premium if it.started < free.started and it.arrival.at > free.arrival.at]
        assert all(it.arrival.at - free.arrival.at <= head_start for it in overtaking)


@pytest.mark.parametrize("gain", [1.0, 1.3, 4.0])
@pytest.mark.parametrize("shape", [poisson, bursts])
@pytest.mark.parametrize("load", [0.3, 0.8])
def test_people_wait_no_longer_than_with_a_fixed_window_whatever_batches_gain(
    gain: float, shape: object, load: float
) -> None:
    costs = [RESEARCH[0] * size / (1 + (gain - 1) * (size - 1) / 3) for size in (1, 2, 3, 4)]
    arrivals = shape(1500, load * 4 / costs[3], rng=random.Random(5))  # type: ignore[operator]
    mine = simulate(arrivals, ours(), costs=costs, lead=0.1).mean_wait
    # Where four are as fast as one, a window of 200 ms on an idle GPU is worth a little (decision 0007).
    assert mine <= simulate(arrivals, fixed_window(), costs=costs).mean_wait * 1.03


def test_one_arrival_alone_starts_at_once() -> None:
    outcome = simulate([Arrival(5.0)], ours())
    assert outcome.served[0].started == 5.0
