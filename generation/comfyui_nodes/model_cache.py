"""The last few loaded models, so that a swap back costs no disk. Pure: knows nothing of ComfyUI."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(slots=True)
class Report:
    """How often something was there, how often it was loaded and the seconds that all loading took."""

    hits: int = 0
    loads: int = 0
    load_seconds: float = 0


class ModelCache:
    """The `most` last used results of each kind; what was not used longest is let go first."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._report = Report()
        self._kinds: dict[str, OrderedDict[Hashable, Any]] = {}
        # ComfyUI loads in the thread of its queue and is asked in the one of its server.
        self._lock = threading.Lock()

    def get(self, kind: str, key: Hashable, load: Callable[[], Any]) -> Any:
        """The result of `load` for this key, from memory where it is there. What `load` raises is not kept."""
        with self._lock:
            known = self._kinds.setdefault(kind, OrderedDict())
            if key in known:
                self._report.hits += 1
                known.move_to_end(key)
                return known[key]
            # Let go before loading: a model more than allowed may be one too many for the RAM.
            while len(known) >= max(1, self.most):
                known.popitem(last=False)
        started = time.monotonic()
        loaded = load()
        with self._lock:
            self._report.loads += 1
            self._report.load_seconds += time.monotonic() - started
            if self.most:
                known[key] = loaded
        return loaded

    def clear(self) -> None:
        """Let everything go."""
        with self._lock:
            self._kinds.clear()

    def report(self) -> dict[str, Any]:
        """Counts since the start, and how many of each kind are there."""
        with self._lock:
            return asdict(self._report) | {"kept": {kind: len(known) for kind, known in self._kinds.items()}}
