"""RunPod's serverless ComfyUI (github.com/runpod-workers/worker-comfyui), and what speaks as it does."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

from generation.backends.comfyui_history import Rendered
from generation.backends.http_jobs import COLD_START, HttpJobs, failure, images_of
from generation.errors import RenderFailed, RenderInterrupted, RenderTimeout
from generation.workflows.definition import Graph


class RunPod(HttpJobs):
    """One serverless endpoint, `https://api.runpod.ai/v2/ENDPOINT_ID`.

    Images come back inside the answer as base64, or as a link into the endpoint's own bucket.
    """

    name = "runpod"
    title = "RunPod"
    states: Mapping[str, Literal["waits", "runs"]] = MappingProxyType(
        {"IN_QUEUE": "waits", "IN_PROGRESS": "runs", "RUNNING": "runs"}
    )

    def _creation(
        self, graph: Graph, timeout: float, pictures: Sequence[dict[str, str]]
    ) -> tuple[str, dict[str, Any]]:
        policy = {"executionTimeout": int(timeout * 1000), "ttl": int((timeout + COLD_START) * 1000)}
        asked: dict[str, Any] = {"workflow": graph} | ({"images": list(pictures)} if pictures else {})
        return "/run", {"input": asked, "policy": policy}

    def _job_path(self, job_id: str) -> str:
        return f"/status/{job_id}"

    def _cancel_path(self, job_id: str) -> str:
        return f"/cancel/{job_id}"

    def _rendered(self, prefixes: dict[str, str], job: dict[str, Any]) -> Rendered:
        status, output = job.get("status"), job.get("output")
        if status == "CANCELLED":
            raise RenderInterrupted("cancelled")
        if status == "TIMED_OUT":
            raise RenderTimeout(f"{self.title} gave up on it")
        told = output if isinstance(output, dict) else {}
        if status != "COMPLETED" or "error" in told:
            raise failure(self.title, str(job.get("error") or told.get("error") or status), told.get("details"))
        if not told:
            raise RenderFailed(
                self.title, f"no output: larger than {self.title} passes on; give the endpoint a bucket"
            )
        execution = job.get("executionTime")
        return Rendered(images_of(prefixes, told.get("images")), execution / 1000 if execution else None)


class Modal(RunPod):
    """Our own app at Modal (deploy/modal), which speaks as RunPod does; Modal's proxy wants two headers of its own.

    `https://WORKSPACE--vitte-comfyui-web.modal.run`. A request that takes longer than 150 s is answered by a
    redirect to its result (modal.com/docs/guide/webhook-timeouts), which aiohttp follows.
    """

    name = "modal"
    title = "Modal"
    refusals: Mapping[int, str] = MappingProxyType(
        {401: "the proxy token is wrong (401)", 404: "there is no such app (404)"}
    )
