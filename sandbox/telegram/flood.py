"""Telegram's flood control: too many messages are answered with 429 and the seconds to wait.

Telegram publishes no exact figures (core.telegram.org/bots/faq: about 1 message a second in a chat, short
bursts allowed; 20 a minute in a group; 30 a second overall), so these are settings.
"""

import math
import time
from dataclasses import dataclass


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` messages at once, then `per_second` of them."""

    per_second: float
    burst: int


class Flood:
    """Token buckets: one for the whole bot and one for each chat. None instead of a rate means no limit."""

    def __init__(
        self,
        *,
        overall: Rate | None = Rate(30, 30),
        private: Rate | None = Rate(1, 20),
        group: Rate | None = Rate(20 / 60, 20),
    ) -> None:
        self._overall = overall
        self._private = private
        self._group = group
        self._buckets: dict[int | None, _Bucket] = {}

    def retry_after(self, chat_id: int, *, weight: float = 1) -> int:
        """Seconds to wait, or 0 when the message may go; then it is counted, as `weight` messages."""
        now = time.monotonic()
        rates = [(None, self._overall), (chat_id, self._private if chat_id > 0 else self._group)]
        limited = [(key, rate) for key, rate in rates if rate is not None]
        wait = max((self._missing(key, rate, now, weight) for key, rate in limited), default=0.0)
        if wait > 0:
            return math.ceil(wait)
        for key, _ in limited:
            self._buckets[key].level -= weight
        return 0

    def _missing(self, key: int | None, rate: Rate, now: float, weight: float) -> float:
        """Seconds until this bucket has as much."""
        bucket = self._buckets.setdefault(key, _Bucket(rate.burst, now))
        bucket.level = min(rate.burst, bucket.level + (now - bucket.at) * rate.per_second)
        bucket.at = now
        return max(0.0, (weight - bucket.level) / rate.per_second)
