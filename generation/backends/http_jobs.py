"""Serverless GPUs behind HTTP: a graph goes over as a job, is asked for until it ends, and its images come back.

They are paid by the second and start cold, so they take only what the GPUs of our own cannot make in time. What
differs from service to service (addresses, words, the form of a job) is in the classes below `HttpJobs`.
"""

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import aiohttp
import structlog

from generation.backends.comfyui_history import ImageFile, Rendered, read_image
from generation.backends.gpu import GpuReport
from generation.errors import (
    BadImage,
    ComfyUIError,
    ComfyUISick,
    ComfyUIUnreachable,
    GraphRejected,
    LacksWorkflow,
    PromptLost,
    RenderFailed,
    RenderTimeout,
    WorkflowError,
)
from generation.workflows.definition import Graph
from generation.workflows.workflow import Asked

log = structlog.get_logger(__name__)

#: Graphs at a service at once: as many containers as one bot's overflow keeps busy.
AT_ONCE = 4
#: Seconds that a job may wait for a container; a cold one needs about one minute. Past it the job is cancelled and
#: goes back to the queue, where a GPU of our own may be free by now.
COLD_START = 120
#: Seconds that one request may take, the upload of a graph included.
PATIENCE = 30
#: What an operator has to do about a refusal.
REFUSALS = {
    401: "the key is wrong (401)",
    402: "there is no credit left (402)",
    403: "the key may not use this endpoint (403)",
    404: "there is no such endpoint (404)",
    429: "too many requests (429)",
}
#: Core's class, and that of generation/comfyui_nodes in its place.
SAVES = ("SaveImage", "VitteSaveImage")
#: A pause that a service asks for is not believed beyond so many seconds.
LONGEST_PAUSE = 600
#: What worker-comfyui 5.8 says (handler.py) when its own ComfyUI is away, in whole or in the middle. The runner of
#: deploy/ says the same.
AWAY = ("not reachable", "WebSocket communication error", "HTTP communication error", "failed to reconnect")
#: What it says of a graph that its ComfyUI refuses, and of what is missing there.
REFUSED = ("validation failed", "Missing 'workflow'", "Invalid JSON")
LACKING = (
    "value_not_in_list", "not in list", "not found. The custom node", "does not exist", "No checkpoint models",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Service:
    """One account at one service. Times are in seconds."""

    url: str
    headers: Mapping[str, str]
    at_once: int = AT_ONCE
    #: The pause between two looks at a job.
    poll: float = 1.0
    #: How long a job may wait for a container.
    cold_start: float = COLD_START


class HttpJobs:
    """What all services have in common. A subclass says how a job begins, where it is and what became of it."""

    name = ""
    #: The service as operators know it.
    title = ""
    one_after_another = False
    is_overflow = True
    renders_only: frozenset[str] | None = None
    #: What it says of jobs that have not ended; everything else is an end.
    states: Mapping[str, Literal["waits", "runs"]] = MappingProxyType({})
    #: Where its refusals mean something else than `REFUSALS` says.
    refusals: Mapping[int, str] = MappingProxyType({})
    health = "/health"

    def __init__(
        self,
        session: aiohttp.ClientSession,
        service: Service,
        *,
        own_is_idle: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        """`own_is_idle`: whether a GPU of our own has nothing to do; a job that still waits is cancelled then."""
        self._session = session
        self._service = service
        self._own_is_idle = own_is_idle
        self.at_once = service.at_once

    # -- what differs ----------------------------------------------------------------------------------

    def _creation(
        self, graph: Graph, timeout: float, pictures: Sequence[dict[str, str]]
    ) -> tuple[str, dict[str, Any]]:
        """Path and body of the request that begins a job. A picture has a `name`, and an `image` in Base64."""
        raise NotImplementedError

    def _job_path(self, job_id: str) -> str:
        raise NotImplementedError

    def _cancel_path(self, job_id: str) -> str:
        raise NotImplementedError

    def _rendered(self, prefixes: dict[str, str], job: dict[str, Any]) -> Rendered:
        """The images of a job that has ended; raises what became of it instead."""
        raise NotImplementedError

    # -- a back end ------------------------------------------------------------------------------------

    async def render(
        self,
        graph: Graph,
        *,
        prompt_id: str,
        timeout: float,
        stall: float | None = None,
        submitted: Callable[[], Any] = lambda: None,
        asked: Sequence[Asked] = (),
        pictures: Mapping[str, bytes] = MappingProxyType({}),
    ) -> Rendered:
        """Run a graph; its images are listed under the output nodes whose file names they have.

        The service makes job ids by itself, so a job whose first answer got lost may render for nobody: it is not
        found again, and its images are never seen. Raises what `ComfyUI.render` raises.
        """
        prefixes = _prefixes(graph)
        brought = [
            {"name": name, "image": base64.b64encode(content).decode()} for name, content in pictures.items()
        ]
        path, body = self._creation(graph, timeout, brought)
        job = await self._ask("POST", path, json=body)
        job_id = job.get("id")
        if not isinstance(job_id, str) or not job_id:
            raise ComfyUIUnreachable(f"{self.title} {path} answered without a job's id")
        submitted()
        try:
            return self._rendered(prefixes, await self._wait(job_id, timeout))
        except (ComfyUIUnreachable, ComfyUISick, RenderTimeout, asyncio.CancelledError):
            await asyncio.shield(self._cancel(job_id))
            raise

    async def object_info(self) -> None:
        """Its containers do not tell what they have."""

    async def report(self) -> GpuReport:
        """It tells nothing of its cards."""
        return GpuReport()

    async def free(self) -> None:
        """Its containers end by themselves."""
        raise ComfyUIError(f"{self.title} has no such thing")

    async def restart(self) -> None:
        """Nor by us."""
        raise ComfyUIError(f"{self.title} has no such thing")

    async def view(self, image: ImageFile) -> bytes:
        """The bytes of an image: from the answer, or from the link that the answer gave."""
        if image.type == "link":
            return await self._download(image.data)
        try:
            return base64.b64decode(image.data.partition(",")[2] or image.data, validate=True)
        except binascii.Error as error:
            raise BadImage(f"not base64: {error}") from error

    async def check(self) -> None:
        """Raise ComfyUIUnreachable unless the endpoint answers."""
        await self._ask("GET", self.health)

    async def close(self) -> None:
        """Nothing is left to do: a job that is given up is cancelled at once."""

    async def listen(self) -> None:
        """Nothing runs beside it: jobs are asked for."""

    # -- a job -----------------------------------------------------------------------------------------

    async def _wait(self, job_id: str, timeout: float) -> dict[str, Any]:
        """The job once it has ended. Raises RenderTimeout, and ComfyUISick when it need not wait any longer."""
        loop = asyncio.get_running_loop()
        waits_since, runs_since = loop.time(), None
        while True:
            job = await self._job(job_id)
            state = self.states.get(str(job.get("status")))
            if state is None:
                return job
            now = loop.time()
            if state == "runs":
                runs_since = runs_since or now
            if runs_since and now - runs_since > timeout:
                raise RenderTimeout(f"no result within {timeout:g} s")
            if not runs_since:
                await self._may_wait(now - waits_since)
            await self._pause(job_id)

    async def _may_wait(self, waited: float) -> None:
        if waited > self._service.cold_start:
            raise ComfyUISick(f"{self.title} had no worker for it within {self._service.cold_start:g} s")
        if waited > self._service.poll and self._own_is_idle and await self._own_is_idle():
            raise ComfyUISick(f"a GPU of our own was free before {self.title} began")

    async def _pause(self, job_id: str) -> None:
        """Until the next look."""
        await asyncio.sleep(self._service.poll)

    async def _job(self, job_id: str) -> dict[str, Any]:
        """How a job stands; a service that does not answer for a moment is asked again."""
        for left in reversed(range(5)):
            try:
                return await self._ask("GET", self._job_path(job_id), lost="job")
            except ComfyUIUnreachable as error:
                if not left:
                    raise
                pause = error.pause
            await asyncio.sleep(max(self._service.poll, pause))
        raise AssertionError("unreachable")

    async def _cancel(self, job_id: str) -> None:
        try:
            await self._ask("POST", self._cancel_path(job_id), timeout=5)
        except ComfyUIError as error:
            log.warning("http_job.cancel_failed", service=self.name, job_id=job_id, error=str(error))

    async def _download(self, url: str) -> bytes:
        try:
            async with self._session.get(url, timeout=aiohttp.ClientTimeout(total=60)) as response:
                if response.status != 200:
                    # Links end: Replicate's after an hour.
                    raise ComfyUIError(f"image link answered {response.status}")
                return await read_image(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ComfyUIUnreachable(f"image link: {type(error).__name__}") from error

    async def _ask(
        self, method: str, path: str, *, timeout: float = PATIENCE, lost: str = "", **options: Any
    ) -> dict[str, Any]:
        async with self._request(method, path, timeout=timeout, **options) as response:
            if response.status == 404 and lost:
                raise PromptLost(f"{self.title} knows no such {lost}")
            if response.status in {400, 413}:
                # A graph that is too large, for one: the same request stays wrong.
                raise GraphRejected(f"{path} answered {response.status}", {})
            if not response.ok:
                words = {**REFUSALS, **self.refusals}.get(response.status, f"{path} answered {response.status}")
                raise ComfyUIUnreachable(f"{self.title}: {words}", pause=await _retry_after(response))
            answer = await response.json(content_type=None)
            if not isinstance(answer, dict):
                raise ComfyUIUnreachable(f"{self.title} {path} answered something else than an object")
            return answer

    @asynccontextmanager
    async def _request(self, method: str, path: str, *, timeout: float, **options: Any) -> Any:
        try:
            async with self._session.request(
                method,
                self._service.url + path,
                headers=self._service.headers,
                timeout=aiohttp.ClientTimeout(total=timeout),
                **options,
            ) as response:
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise ComfyUIUnreachable(f"{self.title} {path}: {type(error).__name__}") from error


async def _retry_after(response: aiohttp.ClientResponse) -> float:
    """Seconds until it may be asked again, from the header or (Replicate) the body; 0 where neither says so."""
    header = response.headers.get("Retry-After", "")
    if header.isdigit():
        return float(header)
    try:
        told = (await response.json(content_type=None)).get("retry_after")
    except (ValueError, AttributeError):
        return 0.0
    return float(told) if isinstance(told, int | float) and 0 < told < LONGEST_PAUSE else 0.0


def _prefixes(graph: Graph) -> dict[str, str]:
    """Of each output node how its files begin. Raises WorkflowError for a graph that would render for nobody."""
    found = {
        node: str(content["inputs"].get("filename_prefix", "")).rpartition("/")[2]
        for node, content in graph.items()
        if content["class_type"] in SAVES
    }
    if not found:
        raise WorkflowError("what SaveImage saves comes back from there, and this graph has none")
    return found


def images_of(prefixes: dict[str, str], listed: object) -> dict[str, list[ImageFile]]:
    """The images of each output node: services list all in one, by their files' names (`filename`, `data`)."""
    found: dict[str, list[ImageFile]] = {node: [] for node in prefixes}
    for image in listed if isinstance(listed, list) else []:
        name, data = str(image.get("filename", "")), image.get("data")
        if isinstance(data, str) and data:
            is_link = image.get("type") == "s3_url" or data.startswith(("https://", "http://"))
            named = next((node for node, prefix in prefixes.items() if prefix and name.startswith(prefix)), None)
            kind = "link" if is_link else "base64"
            found[named or next(iter(prefixes))].append(ImageFile(name, "", kind, data))
    return found


def failure(kind: str, error: str, details: object = None) -> ComfyUIError:
    """Sentences alone tell what went wrong in a container; those of the nodes are in its details."""
    told = f"{error}: {'; '.join(map(str, details))}" if isinstance(details, list) and details else error
    if any(words in told for words in AWAY):
        return ComfyUIUnreachable(told[:300])
    if any(words in told for words in LACKING):
        return LacksWorkflow(told[:300], {})
    if any(words in told for words in REFUSED):
        return GraphRejected(told[:300], {})
    is_memory = any(words in told for words in ("out of memory", "OutOfMemory", "exceed allowed memory"))
    return RenderFailed("torch.OutOfMemoryError" if is_memory else kind, told[:300])
