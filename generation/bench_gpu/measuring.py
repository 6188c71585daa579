"""One row of the bench: a workflow with a switch turned, and so many photos in a graph."""

import asyncio
import io
import random
import statistics
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from generation.backends.comfyui import ComfyUI
from generation.backends.comfyui_history import Rendered
from generation.errors import ComfyUIError, GenerationError, RenderStalled, RenderTimeout
from generation.models import Orientation
from generation.workflows.workflow import Filling, Place, Workflow

#: Of different lengths, since a batch has to bear that.
PROMPTS = (
    "a lighthouse on a cliff at dawn",
    "a red tram in the rain",
    "a kitchen window with herbs in clay pots, morning light, shallow depth of field, a blue cup on the sill",
    "an empty beach",
    "a bookshop in an old town, warm lamps, shelves up to the ceiling, a ladder, a cat asleep on the counter",
    "mountains under the stars",
    "a market stall with oranges and lemons",
    "a winter forest, low sun between the trees, fresh snow on the branches, footprints that lead away",
)
#: Runs that count, after one that does not.
RUNS = 3
#: Seconds for one graph; compiling takes minutes.
LONGEST = 900
#: Seconds between two looks at the VRAM.
LOOK_EVERY = 0.2
#: Peak signal-to-noise ratio, in decibels, from which on a photo of a batch counts as the one that it is alone.
EQUAL = 40.0
#: What identical pictures have, so that it can be written as a number.
IDENTICAL = 99.0


class OutOfTime(GenerationError):
    """The bench ends before this graph began."""


@dataclass(slots=True)
class Row:
    """What was measured, or why it was not."""

    workflow: str
    #: The switch that was turned, "" for the file as it is.
    switch: str
    turned_on: bool
    way: str
    batch: int
    #: Seconds of the run that does not count: models loaded, and compiled where a switch says so.
    first_seconds: float | None = None
    #: Seconds of the whole graph by ComfyUI's clock: the median of the runs, and each.
    seconds: float | None = None
    runs: list[float] = field(default_factory=list)
    vram_peak: int | None = None
    #: The worst photo of the batch against its solo run, in dB; None where there is nothing to compare.
    solo_equality: float | None = None
    problem: str = ""

    @property
    def photos_per_hour(self) -> float | None:
        """At this batch size without a pause; None where it could not be measured."""
        return 3600 * self.batch / self.seconds if self.seconds else None

    @property
    def is_equal(self) -> bool:
        """Whether a batch's photos are known to be those of solo runs, within `EQUAL` dB."""
        return self.batch == 1 or (self.solo_equality is not None and self.solo_equality >= EQUAL)


@dataclass(frozen=True, slots=True)
class Card:
    """A ComfyUI, and when the bench ends: seconds of `time.monotonic`."""

    comfyui: ComfyUI
    until: float

    async def render(self, workflow: Workflow, fillings: Sequence[Filling]) -> tuple[Rendered, Sequence[Place]]:
        """Raises ComfyUIError, also when the time is over."""
        graph, places = workflow.fill(fillings)
        left = min(LONGEST, self.until - time.monotonic())
        if left <= 0:
            raise OutOfTime("the time was over")
        try:
            return await self.comfyui.render(graph, prompt_id=str(uuid.uuid4()), timeout=left, stall=left), places
        except (RenderTimeout, RenderStalled):
            if left < LONGEST:
                raise OutOfTime("the time was over") from None
            raise


async def measure(card: Card, workflow: Workflow, alone: Workflow, row: Row) -> None:
    """Fill the row in. `alone` renders the same photos one by one, the ordinary way."""
    comfyui = card.comfyui
    try:
        row.first_seconds = round(await _seconds(card, workflow, _fillings(row.batch)), 3)
        with suppress(ComfyUIError):
            await comfyui.vram_peak(forget=True)
        looking = asyncio.create_task(_watch_vram(comfyui, row))
        try:
            for _ in range(RUNS):
                row.runs.append(await _seconds(card, workflow, _fillings(row.batch)))
            row.seconds = round(statistics.median(row.runs), 3)
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
        # The node sees short peaks, and of PyTorch's own memory alone.
        row.vram_peak = max(await comfyui.vram_peak() or 0, row.vram_peak or 0) or None
        if row.batch > 1:
            row.solo_equality = await _solo_equality(card, workflow, alone, row.batch)
    except (GenerationError, LookupError, OSError, ValueError) as error:
        # Whatever one graph or its picture does, the other rows are measured.
        row.problem = f"{type(error).__name__}: {error}"[:200]


async def _seconds(card: Card, workflow: Workflow, fillings: Sequence[Filling]) -> float:
    began = time.monotonic()
    rendered, _ = await card.render(workflow, fillings)
    return rendered.seconds or time.monotonic() - began


async def _images(card: Card, workflow: Workflow, fillings: Sequence[Filling]) -> list[bytes]:
    rendered, places = await card.render(workflow, fillings)
    return [await card.comfyui.view(rendered.outputs[place.node][place.index]) for place in places]


async def _solo_equality(card: Card, workflow: Workflow, alone: Workflow, size: int) -> float:
    fillings = _fillings(size)
    batch = await _images(card, workflow, fillings)
    single = [(await _images(card, alone, [filling]))[0] for filling in fillings]
    return await asyncio.to_thread(lambda: min(map(signal_to_noise, batch, single)))


def signal_to_noise(one: bytes, other: bytes) -> float:
    """PSNR of two pictures in dB, IDENTICAL at most; 0 for pictures of different sizes."""
    first, second = (
        np.asarray(Image.open(io.BytesIO(each)).convert("RGB"), dtype=np.float64) for each in (one, other)
    )
    if first.shape != second.shape:
        return 0.0
    error = float(((first - second) ** 2).mean())
    return min(IDENTICAL, 10 * float(np.log10(255**2 / error))) if error else IDENTICAL


async def _watch_vram(comfyui: ComfyUI, row: Row) -> None:
    """What `/system_stats` shows: all of the card that is in use, but no peaks between two looks."""
    while True:
        with suppress(ComfyUIError):
            await comfyui.check()
            used = (await comfyui.report()).vram_used
            row.vram_peak = max(row.vram_peak or 0, used or 0) or None
        await asyncio.sleep(LOOK_EVERY)


def _fillings(count: int) -> list[Filling]:
    """Photos that ComfyUI has neither made nor read the words of: both would come from its cache."""
    return [
        Filling(
            prompt=f"{PROMPTS[number % len(PROMPTS)]}, {uuid.uuid4().hex[:4]}",
            negative_prompt="blurry",
            seed=random.getrandbits(48),
            orientation=Orientation.PORTRAIT,
            filename_prefix="vitte/bench",
        )
        for number in range(count)
    ]
