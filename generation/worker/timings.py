"""Pauses of a worker that no operator needs to turn; tests and benchmarks do."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Timings:
    """All in seconds."""

    #: arq's looks at Redis while the bell of `jobs.ListeningRedis` is not heard.
    poll_delay: float = 0.02
    #: How long before the end of a graph the next one is chosen and handed over: longer than both take together.
    hand_over_lead: float = 0.1
    #: Between two looks at ComfyUI's health.
    watch_every: float = 2.0
    #: Without a healthy answer for so long, the worker gives its photos to others.
    sick_after: float = 15.0
    #: Between two sweeps for abandoned photos; arq's cron knows whole seconds, a divisor of 60.
    sweep_every: int = 5
