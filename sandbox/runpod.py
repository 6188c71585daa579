"""A stand-in for a RunPod serverless endpoint that runs worker-comfyui: `/run`, `/status`, `/cancel`, `/health`.

Jobs run on stand-in GPUs of the same kind as `sandbox.comfyui`; the answers have worker-comfyui's form (handler.py,
2025): images as base64 in `output.images`, errors as sentences.
"""

import asyncio
import base64
import json
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from sandbox.comfyui.execution import Cost, Executor, Prompt
from sandbox.comfyui.nodes import nodes_of
from sandbox.comfyui.validation import Invalid, validate
from sandbox.faults import Faults
from sandbox.http import HttpServer

API_KEY = "sandbox-runpod-key"
#: RunPod refuses larger bodies of `/run`.
MAX_BODY = 10 * 1024 * 1024


class RunPodServer:
    """An endpoint with `gpus` workers on loopback; `cold_start` seconds pass before a job begins."""

    def __init__(self, folder: Path, *, cost: Cost | None = None, gpus: int = 2, cold_start: float = 0) -> None:
        self.faults = Faults()
        self.jobs: dict[str, dict[str, Any]] = {}
        self.cold_start = cold_start
        #: Files and node classes that its workers lack; whether their ComfyUI is away, or results are too large.
        self.missing: set[str] = set()
        self.unreachable = False
        self.too_large = False
        self._executors = [
            Executor(folder / str(number), cost or Cost(), self.faults, lambda *_: None) for number in range(gpus)
        ]
        self._tasks: set[asyncio.Task[None]] = set()
        application = web.Application(client_max_size=MAX_BODY, middlewares=[_authorized])
        self.faults.install(application)
        application.add_routes(
            [
                web.post("/v2/vitte/run", self._run),
                web.get("/v2/vitte/status/{job_id}", self._status),
                web.post("/v2/vitte/cancel/{job_id}", self._cancel),
                web.get("/v2/vitte/health", self._health),
            ]
        )
        self._server = HttpServer(application, port=0)

    @property
    def url(self) -> str:
        return f"{self._server.url}/v2/vitte"

    async def __aenter__(self) -> Self:
        await self._server.start()
        for executor in self._executors:
            self._begin(executor.work())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.stop()

    def _begin(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, request: web.Request) -> web.Response:
        body = await request.json()
        if not isinstance(body.get("input"), dict):
            return web.json_response({"error": "input is required"}, status=400)
        job_id = f"{uuid.uuid4()}-u1"
        self.jobs[job_id] = {"id": job_id, "status": "IN_QUEUE"}
        asked = body["input"]
        self._begin(self._work(self.jobs[job_id], asked.get("workflow"), asked.get("images") or []))
        return web.json_response({"id": job_id, "status": "IN_QUEUE"})

    async def _status(self, request: web.Request) -> web.Response:
        job = self.jobs.get(request.match_info["job_id"])
        return web.json_response(job) if job else web.json_response({"error": "job not found"}, status=404)

    async def _cancel(self, request: web.Request) -> web.Response:
        job = self.jobs.get(request.match_info["job_id"])
        if job is None:
            return web.json_response({"error": "job not found"}, status=404)
        if job["status"] in {"IN_QUEUE", "IN_PROGRESS"}:
            job["status"] = "CANCELLED"
            for executor in self._executors:
                executor.delete(job["id"])
                executor.interrupt(job["id"])
        return web.json_response({"id": job["id"], "status": job["status"]})

    async def _health(self, _request: web.Request) -> web.Response:
        running = sum(job["status"] == "IN_PROGRESS" for job in self.jobs.values())
        workers = {"idle": len(self._executors) - running, "running": running}
        return web.json_response({"jobs": {"inProgress": running}, "workers": workers})

    async def _work(self, job: dict[str, Any], graph: Any, brought: list[dict[str, str]]) -> None:
        await asyncio.sleep(self.cold_start)
        if job["status"] == "CANCELLED":
            return
        job["status"] = "IN_PROGRESS"
        began = time.monotonic()
        error, details, images = await self._render(job["id"], graph, brought)
        if job["status"] == "CANCELLED":
            return
        job["executionTime"] = round((time.monotonic() - began) * 1000)
        if error:
            # RunPod's SDK takes the error out of what the handler returns and leaves the rest as the output.
            job |= {"status": "FAILED", "error": error} | ({"output": {"details": details}} if details else {})
        elif self.too_large:
            job |= {"status": "COMPLETED"}
        else:
            job |= {"status": "COMPLETED", "output": {"images": images}}

    async def _render(
        self, job_id: str, graph: Any, brought: list[dict[str, str]]
    ) -> tuple[str, list[str], list[dict[str, str]]]:
        if not isinstance(graph, dict):
            return "Missing 'workflow' parameter", [], []
        if self.unreachable:
            return "ComfyUI server (127.0.0.1:8188) not reachable after multiple retries.", [], []
        executor = min(self._executors, key=Executor.remaining)
        try:
            _bring(executor.inputs, brought)
            outputs, _ = validate(graph, nodes_of(self.missing), {each["name"] for each in brought})
        except (KeyError, TypeError, ValueError):
            return "'images' must be a list of objects with 'name' and 'image' keys", [], []
        except Invalid as invalid:
            return _refusal(invalid), [], []
        executor.put(Prompt(0, job_id, graph, {}, outputs))
        while job_id not in executor.history and self.jobs[job_id]["status"] != "CANCELLED":
            await asyncio.sleep(0.005)
        entry = executor.history.get(job_id, {"status": {"messages": []}, "outputs": {}})
        for name, details in entry["status"]["messages"]:
            if name == "execution_error":
                said = f"Node Type: {details['node_type']}, Node ID: {details['node_id']}, Message: "
                said += details["exception_message"]
                return "Job processing failed", [f"Workflow execution error: {said}"], []
        files = [file for output in entry["outputs"].values() for file in output["images"]]
        return (
            "",
            [],
            [
                {
                    "filename": file["filename"],
                    "type": "base64",
                    "data": base64.b64encode(
                        (executor.folder / file["subfolder"] / file["filename"]).read_bytes()
                    ).decode(),
                }
                for file in files
            ],
        )


def _bring(folder: Path, pictures: list[dict[str, str]]) -> None:
    """What a job brings along for its LoadImage nodes; each container begins without any."""
    folder.mkdir(parents=True, exist_ok=True)
    for picture in pictures:
        content = base64.b64decode(picture["image"].rpartition(",")[2], validate=True)
        (folder / Path(picture["name"]).name).write_bytes(content)


def _refusal(invalid: Invalid) -> str:
    """The sentences that handler.py makes of ComfyUI's answer."""
    if not invalid.node_errors:
        return f"{invalid.error['message']}. Raw response: {json.dumps(invalid.error)}"
    lines = [
        f"• Node {node} ({kind}): {told}"
        for node, report in invalid.node_errors.items()
        for kind, told in report.items()
    ]
    return "\n".join(["Workflow validation failed:", *lines])


@web.middleware
async def _authorized(request: web.Request, handler: Any) -> web.StreamResponse:
    if request.path.startswith("/v2") and request.headers.get("Authorization") != f"Bearer {API_KEY}":
        return web.Response(status=401)
    answer: web.StreamResponse = await handler(request)
    return answer
