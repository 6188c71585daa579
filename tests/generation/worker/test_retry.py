"""What becomes of a photo whose attempt failed, by a table."""

import pytest

from generation.errors import (
    BadImage,
    ComfyUISick,
    ComfyUIUnreachable,
    GenerationError,
    GraphRejected,
    LacksFile,
    LacksWorkflow,
    PromptLost,
    RenderFailed,
    RenderTimeout,
    StorageUnavailable,
    WorkerStopped,
)
from generation.worker.retry import LONGEST_PAUSE, MOST_CLAIMS, OUTAGE_PAUSE, Attempt, GiveUp, PutBack, after

FIRST = Attempt(number=1, failures=0)
SECOND = Attempt(number=2, failures=1)
LAST = Attempt(number=3, failures=2)
FAILED = RenderFailed("RuntimeError", "no", "3")


@pytest.mark.parametrize(
    ("error", "attempt", "failures", "pause", "alone"),
    [
        # A failure of its own counts, and the pause triples.
        (FAILED, FIRST, 1, 2, True),
        (FAILED, SECOND, 2, 6, True),
        (BadImage("black"), FIRST, 1, 2, True),
        (RenderTimeout("180 s"), FIRST, 1, 2, True),
        # An outage does not count, and changes nothing else.
        (PromptLost("gone"), FIRST, 0, OUTAGE_PAUSE, False),
        (StorageUnavailable("away"), FIRST, 0, OUTAGE_PAUSE, False),
        # However long it lasts, with longer and longer pauses.
        (StorageUnavailable("away"), LAST, 2, 4 * OUTAGE_PAUSE, False),
        (ComfyUIUnreachable("500"), Attempt(number=MOST_CLAIMS + 9, failures=0), 0, LONGEST_PAUSE, False),
        # Another worker may have what this one lacks.
        (LacksWorkflow("no such file", {}), Attempt(number=MOST_CLAIMS, failures=0), 0, 0, False),
        (LacksFile("no such LoRA", {}), FIRST, 1, 2, True),
        # Another worker can take it at once.
        (ComfyUISick("silent"), FIRST, 0, 0, False),
        (WorkerStopped("deploy"), LAST, 2, 0, False),
        # Who was alone stays alone.
        (WorkerStopped("deploy"), Attempt(number=2, failures=1, alone=True), 1, 0, True),
    ],
)
def test_it_goes_back_into_the_queue(
    error: GenerationError, attempt: Attempt, failures: int, pause: float, alone: bool
) -> None:
    decided = after(error, attempt, failures_allowed=3, first_pause=2)
    assert decided == PutBack(failures=failures, pause=pause, alone=alone, error=f"{type(error).__name__}: {error}")


@pytest.mark.parametrize("error", [FAILED, GraphRejected("no", {}), BadImage("black")])
def test_a_batch_is_split_and_nobody_in_it_is_blamed(error: GenerationError) -> None:
    attempt = Attempt(number=1, failures=1, in_batch=True)
    decided = after(error, attempt, failures_allowed=2, first_pause=2)
    assert decided == PutBack(failures=1, pause=0, alone=True, error=None)


@pytest.mark.parametrize("error", [ComfyUISick("silent"), WorkerStopped("deploy"), PromptLost("gone")])
def test_an_outage_splits_no_batch(error: GenerationError) -> None:
    decided = after(error, Attempt(number=1, failures=0, in_batch=True), failures_allowed=3, first_pause=2)
    assert isinstance(decided, PutBack)
    assert not decided.alone


@pytest.mark.parametrize(
    ("error", "attempt", "failures"),
    [
        (GraphRejected("no", {}), FIRST, 1),
        (FAILED, LAST, 3),
        # A photo that takes a service down each time comes to an end as well.
        (PromptLost("gone"), Attempt(number=MOST_CLAIMS, failures=0), 0),
    ],
)
def test_it_ends(error: GenerationError, attempt: Attempt, failures: int) -> None:
    decided = after(error, attempt, failures_allowed=3, first_pause=2)
    assert isinstance(decided, GiveUp)
    assert decided.failures == failures


def test_a_reason_is_cut_to_what_a_row_holds() -> None:
    decided = after(RenderFailed("RuntimeError", "x" * 900, "3"), FIRST, failures_allowed=3, first_pause=2)
    assert decided.error is not None
    assert len(decided.error) == 500
