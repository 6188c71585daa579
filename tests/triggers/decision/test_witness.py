"""The language model's word beside a detector's: worth what it has been right."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggers import Witness


def taught(right: Callable[[bool], bool], cases: int = 2000) -> Witness:
    """After so many cases in which the detector was sure, every tenth of them a yes."""
    witness = Witness()
    for number in range(cases):
        is_so = number % 10 == 0
        witness.weigh(right(is_so), 0.999 if is_so else 0.001)
    return witness


@given(st.floats(0, 1))
def test_where_the_model_says_nothing_the_detector_decides(chance: float) -> None:
    assert Witness().weigh(None, chance) == (chance > 0.5)


def test_a_model_that_is_right_decides_what_the_detector_does_not_know() -> None:
    witness = taught(lambda is_so: is_so)
    assert witness.weigh(True, 0.1)
    assert not witness.weigh(False, 0.9)


@pytest.mark.parametrize("says", [lambda is_so: not is_so, lambda _is_so: True, lambda _is_so: False])
def test_a_model_that_is_wrong_or_always_says_the_same_changes_nothing(says: Callable[[bool], bool]) -> None:
    witness = taught(says)
    for chance in (0.2, 0.4, 0.6, 0.8):
        for said in (True, False):
            assert witness.weigh(said, chance) == (chance > 0.5)


def test_no_word_overrules_a_detector_that_is_sure() -> None:
    witness = taught(lambda is_so: is_so)
    assert not witness.weigh(True, 0.0001)
    assert witness.weigh(False, 0.9999)


def test_another_model_earns_trust_anew() -> None:
    witness = taught(lambda is_so: not is_so)
    assert max(witness.trust) < 0.1
    for number in range(2000):
        is_so = number % 10 == 0
        witness.weigh(is_so, 0.999 if is_so else 0.001)
    assert min(witness.trust) > 0.7


@pytest.mark.parametrize(("right", "least"), [(0.0, 0.95), (0.8, 0.97), (1.0, 0.99)])
def test_beside_a_fair_detector_a_model_helps_as_far_as_it_is_right(right: float, least: float) -> None:
    """Shares of right decisions against the detector's own, over made-up talk at its base rate."""
    rng = random.Random(5)
    witness, decided, alone = Witness(), 0, 0
    for _ in range(3000):
        is_so = rng.random() < 0.15
        chance = 1 / (1 + 2.718 ** -rng.gauss(4.0 if is_so else -4.0, 2.5))
        said = is_so if rng.random() < right else not is_so
        decided += witness.weigh(said, chance) == is_so
        alone += (chance > 0.5) == is_so
    assert decided >= least * alone
