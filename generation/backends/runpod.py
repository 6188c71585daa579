"""RunPod's serverless ComfyUI (github.com/runpod-workers/worker-comfyui) as a back end.

It runs the same graphs, on GPUs that are paid by the second and start cold, so it only takes what the GPUs of our
own cannot make in time. Images come back inside the answer as base64, or as a link into the endpoint's own bucket.
"""

import asyncio
import base64
import binascii
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import structlog

from generation.backends.comfyui import read_image
from generation.backends.comfyui_history import ImageFile, Rendered
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
    RenderInterrupted,
    RenderTimeout,
    WorkflowError,
)
from generation.workflows.definition import Graph
from generation.workflows.workflow import Asked

log = structlog.get_logger(__name__)

#: Graphs at RunPod at once: as many workers of an endpoint as one bot's overflow keeps busy.
AT_ONCE = 4

#: Seconds that a job may wait for a worker of the endpoint; a cold one needs about one minute. Past it the job is
#: cancelled and goes back to the queue, where a GPU of our own may be free by now.
COLD_START = 120
#: What worker-comfyui 5.8 says (handler.py) when its own ComfyUI is away, in whole or in the middle.
AWAY = ("not reachable", "WebSocket communication error", "HTTP communication error", "failed to reconnect")
#: What it says of a graph that its ComfyUI refuses, and of what is missing there.
REFUSED = ("validation failed", "Missing 'workflow'", "Invalid JSON")
LACKING = (
    "value_not_in_list", "not in list", "not found. The custom node", "does not exist", "No checkpoint models",
)  # fmt: skip


class RunPod:
    """One serverless endpoint. `url` is `https://api.runpod.ai/v2/ENDPOINT_ID`.

    `poll` is the pause in seconds between two looks at a job, `cold_start` how long it may wait for a worker.
    """

    name = "runpod"
    one_after_another = False
    is_overflow = True
    renders_only: frozenset[str] | None = None

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        api_key: str,
        *,
        at_once: int = AT_ONCE,
        poll: float = 1.0,
        cold_start: float = COLD_START,
    ) -> None:
        self._session = session
        self._url = url
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._poll = poll
        self._cold_start = cold_start
        self.at_once = at_once

    async def render(
        self,
        graph: Graph,
        *,
        prompt_id: str,
        timeout: float,
        stall: float | None = None,
        submitted: Callable[[], Any] = lambda: None,
        asked: Sequence[Asked] = (),
    ) -> Rendered:
        """Run a graph with one output node; its images are listed under that node.

        RunPod makes job ids by itself, so a `/run` whose answer got lost may render for nobody: it is not found
        again, and its images are never seen. Raises what `ComfyUI.render` raises.
        """
        prefixes = _prefixes(graph)
        policy = {"executionTimeout": int(timeout * 1000), "ttl": int((timeout + COLD_START) * 1000)}
        body = {"input": {"workflow": graph}, "policy": policy}
        job_id = (await self._ask("POST", "/run", json=body)).get("id")
        if not isinstance(job_id, str) or not job_id:
            raise ComfyUIUnreachable("RunPod /run answered without a job's id")
        submitted()
        try:
            return self._rendered(prefixes, await self._wait(job_id, timeout))
        except (ComfyUIUnreachable, ComfyUISick, RenderTimeout, asyncio.CancelledError):
            await asyncio.shield(self._cancel(job_id))
            raise

    async def object_info(self) -> None:
        """Its workers do not tell what they have."""

    async def report(self) -> GpuReport:
        """It tells nothing of its cards."""
        return GpuReport()

    async def free(self) -> None:
        """Its workers end by themselves."""
        raise ComfyUIError("RunPod has no such thing")

    async def restart(self) -> None:
        """Nor by us."""
        raise ComfyUIError("RunPod has no such thing")

    async def view(self, image: ImageFile) -> bytes:
        """The bytes of an image: from the answer, or from the link that the answer gave."""
        if image.type == "s3_url":
            return await self._download(image.data)
        try:
            return base64.b64decode(image.data.partition(",")[2] or image.data, validate=True)
        except binascii.Error as error:
            raise BadImage(f"not base64: {error}") from error

    async def check(self) -> None:
        """Raise ComfyUIUnreachable unless the endpoint answers."""
        await self._ask("GET", "/health")

    async def close(self) -> None:
        """Nothing is left to do: a job that is given up is cancelled at once."""

    async def listen(self) -> None:
        """Nothing runs beside it: jobs are asked for."""

    async def _wait(self, job_id: str, timeout: float) -> dict[str, Any]:
        """The job once it has ended. Raises RenderTimeout, and ComfyUISick when no worker takes it."""
        loop = asyncio.get_running_loop()
        waits_since, runs_since = loop.time(), None
        while True:
            job = await self._job(job_id)
            if job.get("status") not in {"IN_QUEUE", "IN_PROGRESS", "RUNNING"}:
                return job
            now = loop.time()
            if job.get("status") != "IN_QUEUE":
                runs_since = runs_since or now
            if runs_since and now - runs_since > timeout:
                raise RenderTimeout(f"no result within {timeout:g} s")
            if not runs_since and now - waits_since > self._cold_start:
                raise ComfyUISick(f"RunPod had no worker for it within {self._cold_start:g} s")
            await asyncio.sleep(self._poll)

    async def _job(self, job_id: str) -> dict[str, Any]:
        """How a job stands; an endpoint that does not answer for a moment is asked again."""
        for left in reversed(range(5)):
            try:
                return await self._ask("GET", f"/status/{job_id}")
            except ComfyUIUnreachable:
                if not left:
                    raise
            await asyncio.sleep(self._poll)
        raise AssertionError("unreachable")

    def _rendered(self, prefixes: dict[str, str], job: dict[str, Any]) -> Rendered:
        status, output = job.get("status"), job.get("output")
        if status == "CANCELLED":
            raise RenderInterrupted("cancelled")
        if status == "TIMED_OUT":
            raise RenderTimeout("RunPod gave up on it")
        told = output if isinstance(output, dict) else {}
        if status != "COMPLETED" or "error" in told:
            raise _failure(str(job.get("error") or told.get("error") or status), told.get("details"))
        if not told:
            raise RenderFailed("RunPod", "no output: larger than RunPod passes on; give the endpoint a bucket")
        execution = job.get("executionTime")
        return Rendered(_images(prefixes, told.get("images")), execution / 1000 if execution else None)

    async def _cancel(self, job_id: str) -> None:
        try:
            await self._ask("POST", f"/cancel/{job_id}", timeout=5)
        except ComfyUIError as error:
            log.warning("runpod.cancel_failed", job_id=job_id, error=str(error))

    async def _download(self, url: str) -> bytes:
        try:
            async with self._session.get(url, timeout=aiohttp.ClientTimeout(total=60)) as response:
                if response.status != 200:
                    raise ComfyUIError(f"image link answered {response.status}")
                return await read_image(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ComfyUIUnreachable(f"image link: {type(error).__name__}") from error

    async def _ask(self, method: str, path: str, *, timeout: float = 30, **options: Any) -> dict[str, Any]:
        async with self._request(method, path, timeout=timeout, **options) as response:
            if response.status == 404 and path.startswith("/status"):
                raise PromptLost("RunPod knows no such job")
            if response.status in {400, 413}:
                # A graph that is too large, for one: the same request stays wrong.
                raise GraphRejected(f"{path} answered {response.status}", {})
            if response.status != 200:
                words = REFUSALS.get(response.status, f"{path} answered {response.status}")
                raise ComfyUIUnreachable(f"RunPod: {words}", pause=_pause(response.headers.get("Retry-After")))
            answer = await response.json()
            if not isinstance(answer, dict):
                raise ComfyUIUnreachable(f"RunPod {path} answered something else than an object")
            return answer

    @asynccontextmanager
    async def _request(self, method: str, path: str, *, timeout: float, **options: Any) -> Any:
        limit = aiohttp.ClientTimeout(total=timeout)
        try:
            async with self._session.request(
                method, self._url + path, headers=self._headers, timeout=limit, **options
            ) as response:
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise ComfyUIUnreachable(f"RunPod {path}: {type(error).__name__}") from error


#: What an operator has to do about RunPod's refusals.
REFUSALS = {
    401: "the key is wrong (401)",
    402: "there is no credit left (402)",
    403: "the key may not use this endpoint (403)",
    404: "there is no such endpoint (404)",
    429: "too many requests (429)",
}


def _pause(retry_after: str | None) -> float:
    """Seconds of a Retry-After; none where it is missing or a date."""
    return float(retry_after) if retry_after and retry_after.isdigit() else 0.0


def _prefixes(graph: Graph) -> dict[str, str]:
    """Of each output node how its files begin. Raises WorkflowError for a graph that would render for nobody."""
    found = {
        node: str(content["inputs"].get("filename_prefix", "")).rpartition("/")[2]
        for node, content in graph.items()
        if content["class_type"] == "SaveImage"
    }
    if not found:
        raise WorkflowError("RunPod gives back what SaveImage saves, and this graph has none")
    return found


def _images(prefixes: dict[str, str], listed: object) -> dict[str, list[ImageFile]]:
    """The images of each output node: worker-comfyui lists all in one, by their files' names."""
    found: dict[str, list[ImageFile]] = {node: [] for node in prefixes}
    for image in listed if isinstance(listed, list) else []:
        name, data = str(image.get("filename", "")), image.get("data")
        if isinstance(data, str) and data:
            kind = "s3_url" if image.get("type") == "s3_url" or data.startswith("https://") else "base64"
            named = next((node for node, prefix in prefixes.items() if prefix and name.startswith(prefix)), None)
            found[named or next(iter(prefixes))].append(ImageFile(name, "", kind, data))
    return found


def _failure(error: str, details: object) -> ComfyUIError:
    """worker-comfyui tells by sentences alone what went wrong; those of the nodes are in its details."""
    told = f"{error}: {'; '.join(map(str, details))}" if isinstance(details, list) and details else error
    if any(words in told for words in AWAY):
        return ComfyUIUnreachable(told[:300])
    if any(words in told for words in LACKING):
        return LacksWorkflow(told[:300], {})
    if any(words in told for words in REFUSED):
        return GraphRejected(told[:300], {})
    is_memory = any(words in told for words in ("out of memory", "OutOfMemory", "exceed allowed memory"))
    return RenderFailed("torch.OutOfMemoryError" if is_memory else "RunPod", told[:300])
