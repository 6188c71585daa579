"""A graph of ours on its way through ComfyUI: what it needs there, where it is, what has been so for too long."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import aiohttp

from generation.errors import ComfyUISick, ComfyUIUnreachable, PromptLost, RenderStalled, RenderTimeout

#: How long a graph may wait behind those of others, in time limits of its own.
BEHIND_OTHERS = 10
#: Seconds for the upload of a reference picture.
UPLOAD_WITHIN = 30


class Place(Enum):
    """Where a graph is."""

    UNKNOWN = auto()
    #: Behind others; and at the head while nothing runs.
    WAITS = auto()
    NEXT = auto()
    RUNS = auto()
    ENDED = auto()


@dataclass(slots=True)
class Watched:
    """A graph of ours on its way through ComfyUI."""

    ended: asyncio.Event
    #: The connection that hears of it; none, or another one by now, and silence means nothing.
    client_id: str | None
    heard_at: float
    stall: float
    place: Place = Place.UNKNOWN
    since: float = 0.0
    was_lost: bool = False

    def seconds_at(self, place: Place, now: float) -> float:
        """How long it has been there, now that it was found there."""
        if place is not self.place or not self.since:
            self.place, self.since = place, now
        return now - self.since

    def check(self, seconds: float, *, timeout: float, listens: str | None, patience: float) -> None:
        """Raise what has been so for too long: `seconds` at its place.

        `timeout` is its own time limit, `listens` the connection that is open now, `patience` how long it may be
        unknown. Raises RenderTimeout, RenderStalled, ComfyUISick, PromptLost.
        """
        now = self.since + seconds
        match self.place:
            case Place.RUNS if seconds > timeout:
                raise RenderTimeout(f"no result within {timeout:g} s")
            case Place.RUNS:
                hears = self.client_id is not None and self.client_id == listens
                if hears and now > max(self.since, self.heard_at) + self.stall:
                    raise RenderStalled(f"no progress for {self.stall:g} s")
            case Place.NEXT if seconds > self.stall:
                raise ComfyUISick(f"it takes graphs and has begun none for {self.stall:g} s")
            case Place.WAITS if seconds > BEHIND_OTHERS * timeout:
                raise ComfyUISick("its queue does not move")
            case Place.UNKNOWN if seconds > patience:
                raise PromptLost("neither in the queue nor in the history")


async def bring(request: Callable[..., Any], pictures: Mapping[str, bytes], there: set[str]) -> None:
    """Upload the pictures that are not `there`, and note them. Raises ComfyUIUnreachable."""
    for name in pictures.keys() - there:
        form = aiohttp.FormData({"overwrite": "true"})
        form.add_field("image", pictures[name], filename=name, content_type="application/octet-stream")
        async with request("POST", "/upload/image", data=form, timeout=UPLOAD_WITHIN) as response:
            if response.status != 200:
                raise ComfyUIUnreachable(f"/upload/image answered {response.status}")
            if (saved := (await response.json()).get("name")) != name:
                raise ComfyUIUnreachable(f"/upload/image saved {name} as {saved}")
        there.add(name)
