"""A graph in the GPU's hands and the photos that it renders."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from generation.backends.comfyui_history import ImageFile, Rendered
from generation.errors import BadImage, GenerationError
from generation.models import Photo
from generation.workflows.workflow import Place


@dataclass(slots=True)
class GraphRun:
    """Lives from the claim of its photos until the last of them has its image."""

    photos: Sequence[Photo]
    workflow: str
    #: What it costs is learnt under this name (`Workflow.kind`).
    kind: str
    model: str
    #: Whether the GPU has to load another model for it.
    swaps: bool
    #: Seconds that it is expected to take, and whether that rests on a measurement.
    seconds: float = 0
    is_measured: bool = False
    #: Where each photo comes out, once the graph is filled.
    places: Sequence[Place] = ()
    #: By a photo's id, the pictures of her that the graph was given.
    references: dict[int, Sequence[bytes]] = field(default_factory=dict)
    task: "asyncio.Task[Rendered] | None" = None
    #: Why somebody took it back.
    taken_back: GenerationError | None = None
    _claimed: float = field(default_factory=time.monotonic)
    _stamps: dict[str, float] = field(default_factory=dict)

    async def image(self, photo: Photo) -> ImageFile:
        """Wait for the image of one of the photos; any number of them wait. Raises what the graph raised."""
        assert self.task is not None  # noqa: S101 - given before anybody else sees the graph
        rendered = await asyncio.shield(self.task)
        place = self.places[self.photos.index(photo)]
        images = rendered.outputs.get(place.node, [])
        if len(images) <= place.index:
            raise BadImage(f"output node {place.node} gave no image for this photo")
        return images[place.index]

    def take_back(self, why: GenerationError) -> None:
        """Stop it; its photos go back for this reason."""
        self.taken_back = self.taken_back or why
        if self.task:
            self.task.cancel()

    def stamp(self, name: str) -> None:
        """Remember when a stage was reached."""
        self._stamps[name] = time.monotonic() - self._claimed

    @property
    def was_accepted(self) -> bool:
        """Whether the back end took it."""
        return "submitted_at" in self._stamps

    def lasted(self) -> float:
        """Seconds between its two stages, handed over and rendered."""
        return self._stamps["rendered_at"] - self._stamps.get("submitted_at", 0)

    def stamps(self, photo: Photo) -> dict[str, Any]:
        """What the row tells of the render, once it is done.

        The stages are PostgreSQL's clock plus what passed here, so that no two machines' clocks ever mix.
        """
        values: dict[str, Any] = {"render_seconds": self.task.result().seconds if self.task else None}
        if photo.claimed_at is not None:
            values |= {name: photo.claimed_at + timedelta(seconds=passed) for name, passed in self._stamps.items()}
        return values
