"""Who may declare a worker dead: restart, failover, partition and a machine that stands still, second by second."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from generation.worker.contact import Contact

LEASE, BEAT = 9.0, 3.0
START = datetime(2026, 11, 26, tzinfo=UTC)


@dataclass
class Worker:
    """One that holds a photo and one that judges, each cut off for a while of PostgreSQL's time."""

    away: tuple[float, float] | None = None

    def is_there(self, second: float) -> bool:
        return self.away is None or not self.away[0] <= second < self.away[1]


def declared_dead(holder: Worker, judge: Worker, *, seconds: float = 90, offset: float = 0.0) -> float | None:
    """The second at which the judge takes the holder's photo away, if it does."""
    contact, lease_until = Contact(LEASE), LEASE
    for tick in range(int(seconds * 10)):
        second = tick / 10
        # Each beats by its own rhythm; whoever comes back beats at once.
        if holder.is_there(second) and (tick % 30 == 0 or not holder.is_there(second - 0.1)):
            lease_until = second + LEASE
        if not judge.is_there(second):
            continue
        if (tick + int(offset * 10)) % 30 == 0:
            contact.heard(START + timedelta(seconds=second))
        # It sweeps ten times a second, which is worse than real.
        until = contact.judges_until(START + timedelta(seconds=second))
        if until is not None and START + timedelta(seconds=lease_until) < until:
            return second
    return None


@pytest.mark.parametrize("offset", [0.0, 0.7, 1.5, 2.9])
@pytest.mark.parametrize("length", [1.0, 3.0, 4.4, 5.0, 7.0, 9.5, 12.0, 40.0])
@pytest.mark.parametrize("begins", [20.0, 21.3, 22.9])
def test_postgresql_that_was_away_for_both_costs_nobody_a_photo(
    length: float, begins: float, offset: float
) -> None:
    """A restart, a failover, a pause of its machine: the clock goes on, and nobody could renew anything.

    The holder comes back up to a heartbeat later than the judge.
    """
    for later in (0.0, 1.0, 2.9):
        holder, judge = Worker((begins, begins + length + later)), Worker((begins, begins + length))
        assert declared_dead(holder, judge, offset=offset) is None


@pytest.mark.parametrize("offset", [0.0, 1.5])
@pytest.mark.parametrize("length", [7.0, 12.0, 40.0])
def test_a_judge_that_was_away_judges_nobody_who_was_there(length: float, offset: float) -> None:
    """It was parted from PostgreSQL, or its virtual machine stood still."""
    assert declared_dead(Worker(), Worker((20, 20 + length)), offset=offset) is None


@pytest.mark.parametrize("offset", [0.0, 1.5])
def test_whoever_is_gone_alone_is_found_soon(offset: float) -> None:
    found = declared_dead(Worker((20, 1000)), Worker(), offset=offset)
    assert found is not None
    assert found <= 20 + LEASE + BEAT + 0.2


def test_whoever_was_killed_while_postgresql_was_away_is_found_a_lease_after_it_is_back() -> None:
    found = declared_dead(Worker((20, 1000)), Worker((20, 32)), offset=1.0)
    assert found is not None
    assert 32 + LEASE <= found <= 32 + LEASE + BEAT + 0.2


def test_nobody_judges_before_having_been_there_for_a_lease() -> None:
    contact = Contact(LEASE)
    assert contact.judges_until(START) is None
    contact.heard(START)
    assert contact.judges_until(START + timedelta(seconds=1)) is None


def test_a_clock_that_goes_back_is_a_gap() -> None:
    """A standby that took over may be behind."""
    contact = Contact(LEASE)
    for second in range(0, 30, 3):
        contact.heard(START + timedelta(seconds=second))
    assert contact.judges_until(START + timedelta(seconds=28)) == START + timedelta(seconds=25)
    contact.heard(START + timedelta(seconds=10))
    assert contact.judges_until(START + timedelta(seconds=12)) is None
