"""What a GPU was measured to take, and how busy it has been: what the choice of a batch size rests on."""

import math
from collections.abc import Collection, Mapping, Sequence

#: Weight of the newest measurement.
NEWEST = 0.3
#: A batch that is slower than its prior by more than this factor contradicts it.
TOLERANCE = 1.5
#: The load is remembered over about so many renders.
MEMORY = 20


class CostModel:
    """Of one GPU; lives as long as its worker.

    `priors` gives for each workflow the seconds of a graph by batch size, before anything was measured; the length
    is the largest batch. `trusted` names the workflows whose priors were measured on the operator's card.
    """

    def __init__(self, priors: Mapping[str, Sequence[float]], trusted: Collection[str] = ()) -> None:
        self._priors = priors
        self._trusted = trusted
        self._measured: dict[tuple[str, int], float] = {}
        self._scale: dict[str, float] = {}
        self._largest: dict[str, int] = {}
        #: Seconds that a swap of models adds to a graph.
        self.swap = 0.0
        self._work = 0.0
        self._work_at = 0.0
        self._began: float | None = None

    def use(self, priors: Mapping[str, Sequence[float]], trusted: Collection[str]) -> None:
        """Other workflows from now on; what was measured of one whose graph costs something else is forgotten."""
        others = {name for name, prior in priors.items() if list(prior) != list(self._priors.get(name, prior))}
        self._measured = {key: known for key, known in self._measured.items() if key[0] not in others}
        for known in (self._scale, self._largest):
            for name in others & known.keys():
                del known[name]
        self._priors = priors
        self._trusted = trusted

    def costs(self, workflow: str) -> list[float]:
        """Seconds of a graph by batch size: as measured, or between the measured sizes around it, or as the prior.

        The prior is taken at the scale of what was measured.

        Where priors cannot be trusted, or a batch was slower than they say, there are no batches before one photo
        alone was measured: only beside it does a batch show its gain.
        """
        scale = self._scale.get(workflow, 1.0)
        is_right = workflow in self._trusted and scale <= TOLERANCE
        is_calibrated = is_right or (workflow, 1) in self._measured
        priors = self._priors[workflow][: self._largest.get(workflow) if is_calibrated else 1]
        measured = {size: self._measured[workflow, size] for size in self._sizes(workflow)}
        costs: list[float] = []
        for size, prior in reversed(list(enumerate(priors, start=1))):
            # Fewer photos never take longer than more of them.
            guess = min([_between(measured, size) or prior * scale, *costs[:1]])
            costs.insert(0, measured.get(size, guess))
        return costs

    def _sizes(self, workflow: str) -> list[int]:
        return [size for name, size in self._measured if name == workflow]

    def knows(self, workflow: str, size: int, *, swaps: bool) -> bool:
        """Whether such a graph was measured on this GPU."""
        return (workflow, size) in self._measured and (not swaps or self.swap > 0)

    def of(self, workflow: str, size: int) -> float:
        """Seconds that a graph of so many photos will take."""
        costs = self.costs(workflow)
        return costs[min(size, len(costs)) - 1]

    def measured(self, workflow: str, size: int, seconds: float) -> None:
        """Learn what a graph took whose model was loaded already."""
        if size > len(self._priors.get(workflow, ())):
            return  # handed over before the workflow became another one
        known = self._measured.get((workflow, size), seconds)
        self._measured[workflow, size] = known + NEWEST * (seconds - known)
        self._scale[workflow] = self._measured[workflow, size] / self._priors[workflow][size - 1]

    def swapped(self, workflow: str, size: int, seconds: float) -> None:
        """Learn what a graph took that had to load its model first."""
        if (workflow, size) in self._measured:
            extra = max(0.0, seconds - self._measured[workflow, size])
            self.swap += (NEWEST if self.swap else 1) * (extra - self.swap)

    def out_of_memory(self, workflow: str, size: int) -> None:
        """A batch of this size did not fit: only smaller ones until the worker is started again."""
        self._largest[workflow] = max(1, size - 1)

    def claimed(self, workflow: str, photos: int, now: float) -> None:
        """Count photos into the load. `now` is any clock in seconds that never jumps."""
        self._began = now if self._began is None else self._began
        self._work = self._faded(now) + photos * self.of(workflow, 1)
        self._work_at = now

    def load(self, now: float, waiting: float = 0) -> float:
        """Share of the GPU's time that the photos of late would have taken one by one; 1 is all of it.

        `waiting`: seconds that those in the queue would take, for they have come as well. A worker that has just
        begun has seen less than its memory holds, and is told so by no more than the time of one photo.
        """
        memory = self._memory()
        if self._began is None:
            self._began = now
        seen = memory * (1 - math.exp((self._began - now) / memory))
        return (self._faded(now) + waiting) / max(seen, memory / MEMORY)

    def _faded(self, now: float) -> float:
        return self._work * math.exp((self._work_at - now) / self._memory())

    def _memory(self) -> float:
        return MEMORY * max(self.of(workflow, 1) for workflow in self._priors)


def _between(measured: Mapping[int, float], size: int) -> float | None:
    """On the straight line between the measured sizes around this one; None where there are not both."""
    below = max((it for it in measured if it < size), default=None)
    above = min((it for it in measured if it > size), default=None)
    if below is None or above is None:
        return None
    return measured[below] + (measured[above] - measured[below]) * (size - below) / (above - below)
