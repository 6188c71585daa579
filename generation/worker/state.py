"""What the parts of one worker know of each other. One part writes each field; all may read it."""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(kw_only=True, slots=True)
class WorkerState:
    """Made by `generation.worker.app`, lives as long as the worker."""

    #: Written by the renderer: the model that the last graph needs, photos in that graph, and GPU seconds for one
    #: photo as measured lately, swaps of models included.
    model: str | None = None
    batch_size: int | None = None
    photo_seconds: float | None = None
    #: When the last graph ended, by `time.monotonic`; None while one is in hand.
    idle_since: float | None = field(default_factory=time.monotonic)
    #: Written by the heartbeat, which looks at the card: it must make pauses to cool down.
    throttled: bool = False
    #: Written by the warm-up: while it is not set, no photo is claimed.
    warm: asyncio.Event = field(default_factory=asyncio.Event)
    #: Written by the prover and the renderer: what can be rendered here, None while nobody knows, and why not
    #: the rest.
    workflows: frozenset[str] | None = None
    lacks: dict[str, str] = field(default_factory=dict)
    #: Written by the prover: switches that this ComfyUI cannot do, a sentence each.
    switched_off: list[str] = field(default_factory=list)
    #: What last went wrong here, for operators; written by `note_error`.
    last_error: str | None = None
    last_error_at: datetime | None = None

    def lack(self, workflow: str, why: str) -> None:
        """From now on it cannot be rendered here."""
        self.workflows = (self.workflows or frozenset()) - {workflow}
        self.lacks = {**self.lacks, workflow: why}

    def note_error(self, why: str) -> None:
        """Remember what went wrong; the next heartbeat shows it. At most 500 characters are kept."""
        self.last_error, self.last_error_at = why[:500], datetime.now(UTC)
