"""Whether this worker may say of another one that it is gone: not when it was away just as long itself. Pure."""

from datetime import datetime, timedelta

#: Shares of a lease. Heartbeats come three times in one: a longer gap than this means that something was away.
LONGEST_GAP = 1 / 2
#: A shorter gap may have kept another worker from renewing, which does so up to a heartbeat later than this one:
#: 1/3 before the gap, 1/2 for it and 1/3 behind it are less than a lease and this.
GRACE = 1 / 3


class Contact:
    """How long this worker has heard PostgreSQL without a gap, by PostgreSQL's own clock.

    A lease that ran out says nothing while nobody could renew it: PostgreSQL restarted or failed over, the
    network was parted, a virtual machine stood still. Whoever had no gap of that kind for a whole lease was there,
    and could have seen it renewed. `lease` is in seconds.
    """

    def __init__(self, lease: float) -> None:
        self._lease = timedelta(seconds=lease)
        self._since: datetime | None = None
        self._last: datetime | None = None

    def heard(self, now: datetime) -> None:
        """A heartbeat went through, at this time of PostgreSQL."""
        if self._last is None or self._is_gap(now):
            self._since = now
        self._last = now

    def judges_until(self, now: datetime) -> datetime | None:
        """Workers whose leases ran out before this are gone, at PostgreSQL's `now`; None when nobody can say."""
        if self._since is None or self._is_gap(now) or now - self._since < self._lease:
            return None
        return now - self._lease * GRACE

    def _is_gap(self, now: datetime) -> bool:
        return self._last is not None and not timedelta(0) <= now - self._last <= self._lease * LONGEST_GAP
