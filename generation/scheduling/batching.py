"""Which photos a GPU renders next: a pure function of what waits, the time, the loaded model and the limits.

Three wishes pull against each other. Order: premium first, and whoever waits longest. Batches: several photos in
one graph, where the workflow gains by it. The model: swapping it costs more than a render. The order decides who
is first; the loaded model may only let equals go ahead, and only for `model_slice` seconds at a time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: Photos that are looked at when a batch size is chosen; beyond it only the throughput counts.
HORIZON = 60
#: Where a full batch costs no more than so many times one photo, company is worth a wait of an idle GPU, for so
#: large a share of one photo's time (docs/benchmarks.md).
NEARLY_FREE = 1.34
COMPANY = 0.15
#: Share of the GPU's time from which on it counts as saturated. Waits grow without bound as it nears 1.
SATURATED = 0.95


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """A photo in the queue. `rank` is its place, in seconds: the time of the order, earlier for premium."""

    id: int
    workflow: str
    model: str
    #: Photos of one batch are equal in this: what one sampler pass cannot mix (the size of the picture).
    shape: str = ""
    premium: bool = False
    rank: float
    since: float
    #: Rendered in no company, since a batch that it was in has failed.
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Loaded:
    """The model that the GPU holds when the graphs handed over so far are done, and since how many seconds."""

    model: str | None = None
    seconds: float = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What bounds a choice. Times are in seconds.

    `costs` gives for each workflow what a graph of 1, 2, ... photos takes; its length is the largest batch.
    `load` is the share of the GPU's time that photos one by one would have taken lately (1 or more: saturated).
    `gpus` share the queue; `idle` of them have nothing to do, this one included.
    """

    costs: Mapping[str, Sequence[float]]
    model_slice: float = 60
    window: float = 0
    load: float = 0
    gpus: int = 1
    idle: int = 1


@dataclass(frozen=True, slots=True)
class Batch:
    """Photos of one graph, premium first; `others` could be in it as well, should some of them be gone by now."""

    photos: tuple[Waiting, ...]
    others: tuple[Waiting, ...] = ()

    @property
    def model(self) -> str:
        """The model that all of its photos need."""
        return self.photos[0].model


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing starts for so many seconds, because more photos may join; only an idle GPU is ever asked to."""

    seconds: float


def choose(
    waiting: Sequence[Waiting], now: float, loaded: Loaded, limits: Limits, *, idle: bool = False
) -> Batch | Wait | None:
    """The next batch among `waiting` (in order of rank), or how long to wait for more, or None where nothing waits.

    `idle`: the GPU has nothing to do meanwhile.
    """
    if not waiting:
        return None
    first = _first(waiting, loaded, limits)
    costs = limits.costs[first.workflow]
    group = [first, *sorted(_company(first, waiting), key=lambda photo: not photo.premium)]
    size = best_size(len(group), costs, limits.load, gpus=limits.gpus, idle=limits.idle)
    photos = tuple(group[:size])
    if idle and len(photos) < len(costs) and not any(photo.premium for photo in photos):
        left = first.since + max(limits.window, _worth(len(photos), costs, limits.load)) - now
        if left > 0:
            return Wait(left)
    return Batch(photos, tuple(group[size:]))


def _worth(photos: int, costs: Sequence[float], load: float) -> float:
    """Seconds that an idle GPU should wait for so many photos to get company.

    One more costs nothing then, and if it came a moment later it would wait for a whole graph. As many as come
    while one renders (the load, since one by one they would take that long) are worth the wait of as many.
    """
    return COMPANY * costs[0] if costs[-1] <= NEARLY_FREE * costs[0] and load >= photos else 0.0


def best_size(waiting: int, costs: Sequence[float], load: float = 0, *, gpus: int = 1, idle: int = 1) -> int:
    """How many of so many equal photos to render at once, so that together they wait least.

    Without a gain the answer is one: in a batch the first would wait for the last. With a gain it depends on who
    waits behind, and that includes those who come meanwhile: under load the size that gives most photos a second
    wins. Where other GPUs are idle, or soon will be, they take their share. Ties go to the smaller batch.
    """
    in_view = min(HORIZON, round(waiting / max(1 - load, 1 - SATURATED))) if load < SATURATED else HORIZON
    sizes = range(1, min(waiting, len(costs)) + 1)
    begins = [max(0, number - idle + 1) * costs[0] / gpus for number in range(gpus)]
    return min(sizes, key=lambda size: _total_wait(max(in_view, waiting), size, costs, begins))


def _total_wait(photos: int, size: int, costs: Sequence[float], begins: Sequence[float]) -> float:
    """Seconds that so many photos wait in sum, each until its batch of `size` is done.

    The GPUs become free at `begins` and render one batch after the other; those that are busy now are taken to be
    somewhere in the middle of one photo.
    """
    total, left, number = 0.0, photos, 0
    while left > 0:
        batch = min(size, left)
        round_, gpu = divmod(number, len(begins))
        total += batch * (begins[gpu] + round_ * costs[size - 1] + costs[batch - 1])
        left -= batch
        number += 1
    return total


def _first(waiting: Sequence[Waiting], loaded: Loaded, limits: Limits) -> Waiting:
    head = waiting[0]
    if loaded.model in {None, head.model} or loaded.seconds >= limits.model_slice:
        return head
    # Equals only: a free photo never goes before a premium one because its model happens to be loaded.
    equals = (photo for photo in waiting if photo.model == loaded.model and photo.premium >= head.premium)
    return next(equals, head)


def _company(first: Waiting, waiting: Sequence[Waiting]) -> list[Waiting]:
    """Who can be in one graph with `first`."""
    if first.alone:
        return []
    return [
        photo
        for photo in waiting
        if photo.id != first.id
        and not photo.alone
        and (photo.workflow, photo.model, photo.shape) == (first.workflow, first.model, first.shape)
    ]
