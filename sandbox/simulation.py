"""The scheduler against a simulated clock: the product's own `choose`, any number of GPUs, hours in seconds.

Beside it two others on the same arrivals: first come, first served, and the customer's research (one sequential
worker a GPU that waits a fixed window for a batch to fill).
"""

import copy
import heapq
import itertools
import random
from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from generation.scheduling.batching import Batch, Limits, Loaded, Wait, Waiting, choose
from generation.scheduling.cost_model import CostModel

#: Seconds of 1 to 4 photos on an RTX 3090, as the research says (3 is interpolated), and of a swap of models.
RESEARCH = (8.5, 12.0, 14.0, 16.0)
SWAP = 10.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """A photo that is ordered. Times are in seconds."""

    at: float
    premium: bool = False
    model: str = "a"


@dataclass(frozen=True, slots=True)
class Served:
    """What became of it: when its graph started and when it was done."""

    arrival: Arrival
    started: float
    finished: float

    @property
    def wait(self) -> float:
        """Seconds from the order to the picture."""
        return self.finished - self.arrival.at


@dataclass(slots=True)
class Gpu:
    """One GPU: when it is free, and what it holds."""

    speeds: CostModel
    free_at: float = 0
    loaded: str | None = None
    loaded_at: float = 0
    graphs: int = 0
    swaps: int = 0
    busy: float = 0
    others_idle: int = 0


@dataclass(slots=True)
class Outcome:
    """All that was served, and the GPUs as they are left."""

    served: list[Served] = field(default_factory=list)
    gpus: list[Gpu] = field(default_factory=list)

    @property
    def swaps(self) -> int:
        return sum(gpu.swaps for gpu in self.gpus)

    @property
    def mean_wait(self) -> float:
        return sum(photo.wait for photo in self.served) / len(self.served)

    def wait_percentile(self, share: float) -> float:
        waits = sorted(photo.wait for photo in self.served)
        return waits[min(len(waits) - 1, int(share * len(waits)))]


#: What to render now, given what waits (in order of rank), the GPU and the time; or a later time to ask again.
Policy = Callable[[list[Waiting], Gpu, float], list[Waiting] | float]


def simulate(
    arrivals: Sequence[Arrival],
    policy: Policy,
    *,
    gpus: int = 1,
    costs: Sequence[float] = RESEARCH,
    swap: float = SWAP,
    head_start: float = 3600,
    lead: float = 0,
    model: CostModel | None = None,
) -> Outcome:
    """Serve all arrivals; `model` is what each GPU knows at first.

    A GPU asks `lead` seconds before it is free, and at each arrival while it is idle.
    """
    model = model or CostModel({"a": RESEARCH, "b": RESEARCH}, trusted={"a", "b"})
    outcome = Outcome(gpus=[Gpu(copy.deepcopy(model)) for _ in range(gpus)])
    by_id = dict(enumerate(arrivals))
    tie = itertools.count()
    events: list[tuple[float, int, Gpu | None, int]] = []
    for number, arrival in by_id.items():
        heapq.heappush(events, (arrival.at, next(tie), None, number))
    waiting: list[Waiting] = []
    idle = list(outcome.gpus)
    while events:
        now, _, gpu, number = heapq.heappop(events)
        if gpu is None:
            insort(waiting, _waiting(number, by_id[number], head_start), key=lambda it: (it.rank, it.id))
            if not idle:
                continue
            gpu = idle.pop()
        gpu.others_idle = len(idle)
        decision = policy(waiting, gpu, now)
        if isinstance(decision, float):
            heapq.heappush(events, (decision, next(tie), gpu, -1))
        elif decision:
            _run(outcome, gpu, [by_id[it.id] for it in decision], costs, swap, max(now, gpu.free_at))
            taken = {it.id for it in decision}
            waiting = [it for it in waiting if it.id not in taken]
            heapq.heappush(events, (max(now, gpu.free_at - lead), next(tie), gpu, -1))
        elif now < gpu.free_at:
            heapq.heappush(events, (min(gpu.free_at, now + 0.1), next(tie), gpu, -1))
        else:
            idle.append(gpu)
    return outcome


def _waiting(number: int, arrival: Arrival, head_start: float) -> Waiting:
    return Waiting(
        id=number,
        workflow=arrival.model,
        model=arrival.model,
        premium=arrival.premium,
        rank=arrival.at - (head_start if arrival.premium else 0),
        since=arrival.at,
    )


def _run(
    outcome: Outcome, gpu: Gpu, photos: list[Arrival], costs: Sequence[float], swap: float, begins: float
) -> None:
    model = photos[0].model
    swaps = model != gpu.loaded
    seconds = costs[len(photos) - 1] + (swap if swaps else 0)
    if swaps:
        gpu.loaded, gpu.loaded_at = model, begins
        gpu.swaps += 1
    else:
        gpu.speeds.measured(model, len(photos), seconds)
    gpu.speeds.claimed(model, len(photos), begins)
    gpu.free_at = begins + seconds
    gpu.graphs += 1
    gpu.busy += seconds
    outcome.served += [Served(photo, begins, gpu.free_at) for photo in photos]


# -- policies --------------------------------------------------------------------------------------------


def ours(*, model_slice: float = 60, largest: int = 4, gpus: int = 1) -> Policy:
    """The product's own choice."""

    def policy(waiting: list[Waiting], gpu: Gpu, now: float) -> list[Waiting] | float:
        begins = max(now, gpu.free_at)
        limits = Limits(
            costs={model: gpu.speeds.costs(model)[:largest] for model in ("a", "b")},
            model_slice=model_slice,
            load=gpu.speeds.load(now, sum(gpu.speeds.of(it.workflow, 1) for it in waiting[:60]) / gpus),
            gpus=gpus,
            idle=1 + gpu.others_idle,
        )
        loaded = Loaded(gpu.loaded, begins - gpu.loaded_at)
        choice = choose(waiting[:60], now, loaded, limits, idle=now >= gpu.free_at)
        if isinstance(choice, Wait):
            return now + choice.seconds
        return list(choice.photos) if isinstance(choice, Batch) else []

    return policy


def first_come_first_served(waiting: list[Waiting], _gpu: Gpu, _now: float) -> list[Waiting] | float:
    """One at a time in the order of arrival, as ComfyUI's own queue does."""
    return [min(waiting, key=lambda it: it.since)] if waiting else []


def fixed_window(window: float = 0.2, largest: int = 4) -> Policy:
    """The research's design: wait a fixed time after the first, take up to `largest` of its model."""

    def policy(waiting: list[Waiting], gpu: Gpu, now: float) -> list[Waiting] | float:
        if not waiting:
            return []
        first = waiting[0]
        group = [it for it in waiting if it.model == first.model][:largest]
        # The window begins when the worker takes the first one into its hands.
        ready = max(first.since, gpu.free_at) + window
        return group if len(group) == largest or now >= ready else ready

    return policy


# -- arrivals --------------------------------------------------------------------------------------------


def poisson(
    count: int, per_second: float, *, rng: random.Random, premium: float = 0.23, models: float = 0
) -> list[Arrival]:
    """So many independent orders; `premium` and `models` are the shares of premium and of the second model."""
    at, arrivals = 0.0, []
    for _ in range(count):
        at += rng.expovariate(per_second)
        arrivals.append(Arrival(at, rng.random() < premium, "b" if rng.random() < models else "a"))
    return arrivals


def bursts(
    count: int, per_second: float, *, rng: random.Random, size: int = 8, within: float = 4, premium: float = 0.23
) -> list[Arrival]:
    """The same mean rate, but people come in groups of `size` within so many seconds."""
    arrivals: list[Arrival] = []
    at = 0.0
    while len(arrivals) < count:
        at += rng.expovariate(per_second / size)
        arrivals += [
            Arrival(at + rng.uniform(0, within), rng.random() < premium)
            for _ in range(min(size, count - len(arrivals)))
        ]
    return sorted(arrivals, key=lambda arrival: arrival.at)
