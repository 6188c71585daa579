"""What renders photos: a ComfyUI of the worker's own, an engine behind an image API, serverless ones."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from generation.backends.comfyui_history import ImageFile, Rendered
from generation.backends.gpu import GpuReport
from generation.workflows.definition import Graph
from generation.workflows.workflow import Asked


class Backend(Protocol):
    """All implementations run the same graphs and raise the same errors (`generation.errors`)."""

    name: str
    #: Graphs in its hands at once.
    at_once: int
    #: A GPU of our own, which renders one graph after another; False where graphs run side by side.
    one_after_another: bool
    #: Paid by the second: it takes only what the GPUs of our own cannot make in time.
    is_overflow: bool
    #: Names of the workflows that it can render at all; None where it takes any graph.
    renders_only: frozenset[str] | None

    async def render(
        self,
        graph: Graph,
        *,
        prompt_id: str,
        timeout: float,
        stall: float | None = None,
        submitted: Callable[[], Any] = ...,
        asked: Sequence[Asked] = (),
        pictures: Mapping[str, bytes] = ...,
    ) -> Rendered:
        """Run a graph; raise a ComfyUIError when it does not succeed within `timeout` seconds of running.

        `pictures`: files that its LoadImage nodes name, with their content.
        `asked`: what its photos ask for, for engines that render no graph.
        `stall`: seconds that it may run without a sign of progress, where other than usual.
        """

    async def view(self, image: ImageFile) -> bytes:
        """The bytes of an image that a graph made."""

    async def check(self) -> None:
        """Raise ComfyUIError while it cannot take graphs."""

    async def object_info(self) -> Mapping[str, Any] | None:
        """Every node class that it has, with its inputs; None where it does not tell. Raises ComfyUIError."""

    async def report(self) -> GpuReport:
        """What it tells of its card; never raises."""

    async def free(self) -> None:
        """Unload models and give memory back. Raises ComfyUIError."""

    async def restart(self) -> None:
        """Start it anew, where it can do so itself. Raises ComfyUIError."""

    async def close(self) -> None:
        """Finish what must be finished before the connection is closed."""

    async def listen(self) -> None:
        """Work that runs beside `render` while the worker lives; returns at once where there is none."""
