"""RunPod's serverless ComfyUI (github.com/runpod-workers/worker-comfyui) as a back end.

It runs the same graphs, on GPUs that are paid by the second and start cold, so it only takes what the GPUs of our
own cannot make in time. Images come back inside the answer as base64, or as a link into the endpoint's own bucket.
"""

import asyncio
import base64
import binascii
from collections.abc import Callable
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
    ComfyUIUnreachable,
    GraphRejected,
    PromptLost,
    RenderFailed,
    RenderInterrupted,
    RenderTimeout,
    WorkflowError,
)
from generation.workflows.definition import Graph

log = structlog.get_logger(__name__)

#: Graphs at RunPod at once: as many workers of an endpoint as one bot's overflow keeps busy.
AT_ONCE = 4

#: Seconds that a job may wait for a cold worker, beyond the time that its graph may run.
COLD_START = 300


class RunPod:
    """One serverless endpoint. `url` is `https://api.runpod.ai/v2/ENDPOINT_ID`.

    `poll` is the pause in seconds between two looks at a job.
    """

    name = "runpod"
    one_after_another = False

    def __init__(
        self, session: aiohttp.ClientSession, url: str, api_key: str, *, at_once: int = AT_ONCE, poll: float = 1.0
    ) -> None:
        self._session = session
        self._url = url
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._poll = poll
        self.at_once = at_once

    async def render(
        self,
        graph: Graph,
        *,
        prompt_id: str,
        timeout: float,
        stall: float | None = None,
        submitted: Callable[[], Any] = lambda: None,
    ) -> Rendered:
        """Run a graph with one output node; its images are listed under that node.

        RunPod makes job ids by itself, so a `/run` whose answer got lost may render for nobody: it is not found
        again, and its images are never seen. Raises what `ComfyUI.render` raises.
        """
        output = _output_node(graph)
        policy = {"executionTimeout": int(timeout * 1000), "ttl": int((timeout + COLD_START) * 1000)}
        body = {"input": {"workflow": graph}, "policy": policy}
        job_id = str((await self._ask("POST", "/run", json=body))["id"])
        submitted()
        ran = asyncio.Event()
        try:
            async with asyncio.timeout(timeout + COLD_START):
                return self._rendered(output, prompt_id, await self._wait(job_id, ran))
        except TimeoutError:
            await self._cancel(job_id)
            if not ran.is_set():
                raise ComfyUIUnreachable("RunPod had no worker for it") from None
            raise RenderTimeout(f"no result within {timeout + COLD_START:g} s") from None
        except (ComfyUIUnreachable, asyncio.CancelledError):
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

    async def _wait(self, job_id: str, ran: asyncio.Event) -> dict[str, Any]:
        unreachable = 0
        while True:
            try:
                job = await self._ask("GET", f"/status/{job_id}")
                unreachable = 0
                if job.get("status") != "IN_QUEUE":
                    ran.set()
            except ComfyUIUnreachable:
                unreachable += 1
                if unreachable >= 5:
                    raise
            else:
                if job.get("status") not in {"IN_QUEUE", "IN_PROGRESS", "RUNNING"}:
                    return job
            await asyncio.sleep(self._poll)

    def _rendered(self, node: str, prompt_id: str, job: dict[str, Any]) -> Rendered:
        status, output = job.get("status"), job.get("output")
        if status == "CANCELLED":
            raise RenderInterrupted("cancelled")
        if status == "TIMED_OUT":
            raise RenderTimeout("RunPod gave up on it")
        if status != "COMPLETED" or not isinstance(output, dict) or "error" in output:
            told = output.get("error") if isinstance(output, dict) else None
            raise _failure(str(job.get("error") or told or status))
        images = [
            ImageFile(f"{prompt_id}-{number}", "", str(image["type"]), str(image["data"]))
            for number, image in enumerate(output.get("images") or [])
        ]
        execution = job.get("executionTime")
        return Rendered({node: images}, execution / 1000 if execution else None)

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
                raise ComfyUIUnreachable(f"RunPod {path} answered {response.status}")
            answer: dict[str, Any] = await response.json()
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


def _output_node(graph: Graph) -> str:
    """Raises WorkflowError for a graph that worker-comfyui would render for nobody."""
    for node, content in graph.items():
        if content["class_type"] == "SaveImage":
            return node
    raise WorkflowError("RunPod gives back what SaveImage saves, and this graph has none")


def _failure(error: str) -> ComfyUIError:
    """worker-comfyui tells of a refused graph and of a failed one by its sentences alone."""
    if "validation failed" in error:
        return GraphRejected(error[:300], {})
    is_memory = any(words in error for words in ("out of memory", "OutOfMemory", "exceed allowed memory"))
    kind = "torch.OutOfMemoryError" if is_memory else "RunPod"
    return RenderFailed(kind, error[:300])
