"""Choosing the next batch is a pure function: told here as stories, as a table, and as laws that always hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generation.scheduling.batching import Batch, Limits, Loaded, Wait, Waiting, best_size, choose

NOW = 10_000.0
#: Four at once take as long as one: every batch that can be filled is.
FREE_COMPANY = (10.0, 10.0, 10.0, 10.0)
LIMITS = Limits(costs={"a": FREE_COMPANY, "b": FREE_COMPANY, "single": (10.0,)})


def photo(
    number: int, *, workflow: str = "a", waited: float = 0, head_start: float = 0, **changes: object
) -> Waiting:
    values = {"id": number, "workflow": workflow, "model": workflow, "since": NOW - waited}
    values["premium"] = head_start > 0
    return Waiting(**{**values, "rank": NOW - waited - head_start, **changes})  # type: ignore[arg-type]


def chosen(waiting: list[Waiting], loaded: Loaded = Loaded(), limits: Limits = LIMITS) -> list[int]:  # noqa: B008
    batch = choose(sorted(waiting, key=lambda it: (it.rank, it.id)), NOW, loaded, limits)
    assert isinstance(batch, Batch)
    return [it.id for it in batch.photos]


def test_nothing_comes_of_an_empty_queue() -> None:
    assert choose([], NOW, Loaded(), LIMITS) is None


@pytest.mark.parametrize(
    ("story", "waiting", "loaded", "expected"),
    [
        ("order of arrival", [photo(1, waited=3), photo(2, waited=2)], Loaded(), [1, 2]),
        ("at most four", [photo(n, waited=9 - n) for n in range(1, 7)], Loaded(), [1, 2, 3, 4]),
        (
            "premium first inside",
            [photo(1, waited=5000), photo(2, waited=9), photo(3, waited=1, head_start=100)],
            Loaded(),
            [1, 3, 2],
        ),
        ("premium overtakes", [photo(1, waited=50), photo(2, head_start=100)], Loaded(), [2, 1]),
        (
            "who waited longer than the head start",
            [photo(1, waited=200), photo(2, head_start=100)],
            Loaded(),
            [1, 2],
        ),
        ("one workflow a batch", [photo(1, waited=2), photo(2, workflow="b")], Loaded(), [1]),
        ("the loaded model goes on", [photo(1, waited=2), photo(2, workflow="b")], Loaded("b", 10), [2]),
        ("but not for ever", [photo(1, waited=2), photo(2, workflow="b")], Loaded("b", 60), [1]),
        (
            "and never before premium",
            [photo(1, head_start=100), photo(2, workflow="b", waited=50)],
            Loaded("b", 1),
            [1],
        ),
        (
            "premium before premium of another model",
            [photo(1, waited=2, head_start=100), photo(2, workflow="b", head_start=100)],
            Loaded("b", 1),
            [2],
        ),
        ("one size a sampler pass", [photo(1, waited=2, shape="tall"), photo(2, shape="wide")], Loaded(), [1]),
        ("a suspect goes alone", [photo(1, waited=2, alone=True), photo(2)], Loaded(), [1]),
        ("and joins nobody", [photo(1, waited=2), photo(2, alone=True)], Loaded(), [1]),
        (
            "no batches where none are made",
            [photo(1, workflow="single"), photo(2, workflow="single")],
            Loaded(),
            [1],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_table(story: str, waiting: list[Waiting], loaded: Loaded, expected: list[int]) -> None:
    assert chosen(waiting, loaded) == expected, story


def test_only_an_idle_gpu_waits_for_company_and_never_with_premium() -> None:
    limits = Limits(costs={"a": FREE_COMPANY}, window=0.2)
    young = [photo(1, waited=0.05)]
    wait = choose(young, NOW, Loaded(), limits, idle=True)
    assert isinstance(wait, Wait)
    assert wait.seconds == pytest.approx(0.15)
    assert isinstance(choose(young, NOW, Loaded(), limits), Batch)
    assert isinstance(choose([photo(1, waited=0.3)], NOW, Loaded(), limits, idle=True), Batch)
    assert isinstance(choose([photo(1, head_start=1)], NOW, Loaded(), limits, idle=True), Batch)
    full = [photo(n) for n in range(4)]
    assert isinstance(choose(full, NOW, Loaded(), limits, idle=True), Batch)


@pytest.mark.parametrize(
    ("waiting", "costs", "load", "size"),
    [
        (4, (1, 2, 3, 4), 0, 1),  # no gain: in a batch the first would wait for the last
        (60, (1, 2, 3, 4), 1, 1),
        (4, (1, 1, 1, 1), 0, 4),  # four times as fast: always
        (2, (8.5, 12, 14, 16), 0, 2),  # the research's table
        (4, (1, 1.75, 2.45, 3.08), 0, 1),  # a small gain is not worth it for four
        (40, (1, 1.75, 2.45, 3.08), 0, 4),  # but it is for many
        (4, (1, 1.75, 2.45, 3.08), 1.2, 4),  # or while more keep coming
        (3, (1, 1.75, 2.45, 3.08), 1.2, 3),
        (1, (1, 1, 1, 1), 1, 1),
    ],
)
def test_the_batch_size_that_lets_people_wait_least(
    waiting: int, costs: tuple[float, ...], load: float, size: int
) -> None:
    assert best_size(waiting, costs, load) == size


# -- laws -------------------------------------------------------------------------------------------------

photos = st.builds(
    photo,
    st.integers(1, 10_000),
    workflow=st.sampled_from(["a", "b", "single"]),
    waited=st.floats(0, 5000),
    head_start=st.sampled_from([0, 0, 0, 1000]),
    shape=st.sampled_from(["tall", "wide"]),
    alone=st.booleans(),
)
queues = st.lists(photos, min_size=1, max_size=40, unique_by=lambda it: it.id).map(
    lambda found: sorted(found, key=lambda it: (it.rank, it.id))
)
costs = st.lists(st.floats(0.1, 20), min_size=1, max_size=6).map(sorted)
limits = st.builds(
    Limits,
    costs=st.fixed_dictionaries({"a": costs, "b": costs, "single": st.just([5.0])}),
    model_slice=st.floats(0, 100),
    load=st.floats(0, 3),
)
loaded = st.builds(Loaded, st.sampled_from([None, "a", "b", "gone"]), st.floats(0, 200))


@given(queues, loaded, limits)
def test_a_choice_is_always_made_of_what_waits_each_once_and_within_the_largest_batch(
    waiting: list[Waiting], loaded: Loaded, limits: Limits
) -> None:
    batch = choose(waiting, NOW, loaded, limits)
    assert isinstance(batch, Batch)
    ids = [it.id for it in batch.photos]
    assert len(ids) == len(set(ids))
    assert set(ids) <= {it.id for it in waiting}
    assert 1 <= len(ids) <= len(limits.costs[batch.photos[0].workflow])
    assert len({(it.workflow, it.model, it.shape) for it in batch.photos}) == 1
    assert len(ids) == 1 or not any(it.alone for it in batch.photos)


@given(queues, loaded, limits)
def test_a_premium_photo_at_the_head_is_never_passed_by_a_free_one(
    waiting: list[Waiting], loaded: Loaded, limits: Limits
) -> None:
    batch = choose(waiting, NOW, loaded, limits)
    assert isinstance(batch, Batch)
    if waiting[0].premium:
        assert batch.photos[0].premium


@given(queues, loaded, limits)
def test_the_head_is_passed_only_by_the_loaded_model_and_only_for_its_slice(
    waiting: list[Waiting], loaded: Loaded, limits: Limits
) -> None:
    batch = choose(waiting, NOW, loaded, limits)
    assert isinstance(batch, Batch)
    if waiting[0] not in batch.photos:
        assert batch.model == loaded.model
        assert loaded.seconds < limits.model_slice


@given(queues, limits)
def test_everybody_is_served_in_the_end_and_the_oldest_within_a_slice(
    waiting: list[Waiting], limits: Limits
) -> None:
    left, loaded, now, overtaken = list(waiting), Loaded(), NOW, 0.0
    while left:
        batch = choose(left, now, loaded, limits)
        assert isinstance(batch, Batch)
        seconds = limits.costs[batch.photos[0].workflow][len(batch.photos) - 1]
        overtaken = 0.0 if left[0] in batch.photos else overtaken + seconds
        assert overtaken <= limits.model_slice + max(map(max, limits.costs.values()))
        kept = batch.model == loaded.model
        loaded = Loaded(batch.model, (loaded.seconds if kept else 0) + seconds)
        left = [it for it in left if it not in batch.photos]
        now += seconds
    assert left == []


ONE_THIRD_MORE = (8.5, 15.5, 21.3, 26.2)


def test_a_batch_leaves_idle_gpus_their_share() -> None:
    assert best_size(8, ONE_THIRD_MORE, load=0.3) > 1
    assert best_size(8, ONE_THIRD_MORE, load=0.3, gpus=8, idle=8) == 1
    # They are all busy for long, and company is free: this one takes all.
    assert best_size(4, FREE_COMPANY, gpus=4, idle=1) == 4


def test_where_company_is_free_an_idle_gpu_waits_a_moment_for_it_unless_premium_waits() -> None:
    limits = Limits(costs={"a": FREE_COMPANY}, load=1.5)
    assert choose([photo(1)], NOW, Loaded(), limits, idle=True) == Wait(1.5)
    assert isinstance(choose([photo(1, waited=2)], NOW, Loaded(), limits, idle=True), Batch)
    assert isinstance(choose([photo(1, head_start=60)], NOW, Loaded(), limits, idle=True), Batch)
    quiet = Limits(costs={"a": FREE_COMPANY}, load=0.5)
    assert isinstance(choose([photo(1)], NOW, Loaded(), quiet, idle=True), Batch)
    dear = Limits(costs={"a": ONE_THIRD_MORE}, load=1.5)
    assert isinstance(choose([photo(1)], NOW, Loaded(), dear, idle=True), Batch)
