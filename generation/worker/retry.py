"""What becomes of a photo whose attempt failed: back into the queue, or the end. Pure."""

from dataclasses import dataclass

from generation.errors import ComfyUISick, GenerationError, LacksWorkflow, WorkerStopped

#: Seconds before a photo is tried again after an outage that does not count against it; each pause is twice the one
#: before, up to the longest one. An outage ends a photo only by its scene being over.
OUTAGE_PAUSE, LONGEST_PAUSE = 3.0, 60.0
#: Claims of one photo that ended with a ComfyUI which had forgotten it: it may be what ends it.
MOST_CLAIMS = 12
#: Each pause is so many times the one before.
BACKOFF = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """The attempt that failed, as the photo's row tells it."""

    number: int
    failures: int
    #: It shares no graph with others any more.
    alone: bool = False
    #: It failed together with others in one graph: nobody knows through whom.
    in_batch: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class PutBack:
    """To be claimed again in `pause` seconds."""

    failures: int
    pause: float
    alone: bool
    error: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class GiveUp:
    """It ends as failed, and its person is told."""

    failures: int
    error: str


def after(
    error: GenerationError, attempt: Attempt, *, failures_allowed: int, first_pause: float
) -> PutBack | GiveUp:
    """Decide by the kind of error. With `failures_allowed` failures it ends; `first_pause` in seconds.

    A batch that failed as a whole is split: each photo goes on alone and unblamed. Outages do not count, but a
    photo that takes its ComfyUI down each time must come to an end (`MOST_CLAIMS`).
    """
    if attempt.in_batch and (error.counts or not error.retryable):
        return PutBack(failures=attempt.failures, pause=0, alone=True, error=None)
    failures = attempt.failures + error.counts
    why = f"{type(error).__name__}: {error}"[:500]
    takes_it_down = not (error.outage or isinstance(error, LacksWorkflow)) and attempt.number >= MOST_CLAIMS
    if not error.retryable or failures >= failures_allowed or takes_it_down:
        return GiveUp(failures=failures, error=why)
    outage_pause = min(LONGEST_PAUSE, OUTAGE_PAUSE * 2 ** min(attempt.number - 1, 10))
    pause = first_pause * BACKOFF ** (failures - 1) if error.counts else outage_pause
    if isinstance(error, WorkerStopped | ComfyUISick | LacksWorkflow):
        # Nothing is wrong that time would heal: another worker can take it at once.
        pause = 0
    return PutBack(failures=failures, pause=pause, alone=attempt.alone or error.counts, error=why)
