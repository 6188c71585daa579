"""What ComfyUI holds between graphs, as a trend: a leak is freed while nothing renders, then restarted. Pure."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

GIB = 1024**3
#: Seconds after a graph's end at which what is held is looked at; ComfyUI gives memory back behind its graphs.
SETTLED = 5.0
#: Seconds of idleness from which memory is freed, which costs the next photo the loading of its model; and from
#: which ComfyUI is restarted.
FREE_AFTER, QUIET = 15.0, 60.0
#: Idle times of a model by which its usual level is known.
USUAL = 3


class Remedy(Enum):
    """What should be done now."""

    FREE = auto()
    RESTART = auto()


@dataclass(slots=True)
class _Trend:
    usual: list[int] = field(default_factory=list)
    #: Bytes above the usual level at the end of the last graph.
    grown: int = 0


class MemoryWatch:
    """One per worker. `limits`: GiB that each kind of memory ("vram", "ram") may grow by; 0 is no limit."""

    def __init__(self, limits: Mapping[str, float]) -> None:
        self._limits = {kind: int(limit * GIB) for kind, limit in limits.items() if limit}
        self._trends: dict[tuple[str, str], _Trend] = defaultdict(_Trend)
        self._looked_at = 0.0
        self._freed_at: float | None = None
        #: What grows, in words; empty while nothing does.
        self.problem = ""

    def look(
        self, held: Mapping[str, int | None], *, model: str, idle_since: float | None, now: float
    ) -> Remedy | None:
        """What to do about the bytes held of each kind, while `model` is loaded; times are of one clock.

        `idle_since`: when the last graph ended, None while one is in hand. Whoever restarts it calls `restarted`.
        """
        if idle_since is None or now - idle_since < SETTLED:
            return None
        if idle_since > self._looked_at:
            # Once for each idle time: freeing would change what is compared.
            self._looked_at = idle_since
            self._compare(held, model)
        if not self.problem:
            return None
        has_rendered_since = self._freed_at is not None and idle_since > self._freed_at
        if self._freed_at is None and now - idle_since >= FREE_AFTER:
            self._freed_at = now
            return Remedy.FREE
        if has_rendered_since and now - idle_since >= QUIET:
            return Remedy.RESTART
        return None

    def restarted(self) -> None:
        """ComfyUI began anew: what is usual is learnt again."""
        self._trends.clear()
        self._freed_at, self.problem = None, ""

    def _compare(self, held: Mapping[str, int | None], model: str) -> None:
        grown: dict[str, int] = {}
        for kind, limit in self._limits.items():
            value, trend = held.get(kind), self._trends[kind, model]
            if value is None:
                continue
            if len(trend.usual) < USUAL:
                trend.usual.append(value)
                continue
            trend.grown = value - max(trend.usual)
            if trend.grown > limit:
                grown[kind] = trend.grown
        if not grown and self.problem:
            # Freeing was enough.
            self._freed_at = None
        told = " and ".join(f"{size / GIB:.1f} GiB of {kind.upper()}" for kind, size in grown.items())
        self.problem = f"ComfyUI holds {told} more between photos than it did at first" if grown else ""
