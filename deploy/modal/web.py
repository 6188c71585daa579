"""The web face of the Modal app: RunPod's four routes, so that one back end of Vitte speaks to both.

It holds no state: a job is a Modal function call, and whoever asks may be answered by another container.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


class Jobs(Protocol):
    """Function calls by their ids."""

    async def begin(self, graph: Mapping[str, Any], timeout: float, pictures: Sequence[dict[str, str]] = ()) -> str:
        """Have a graph rendered, with files for its LoadImage nodes; the id of the call."""

    async def look(self, job_id: str) -> dict[str, Any] | None:
        """`{"status": ..., "output": ..., "error": ..., "executionTime": milliseconds}`; None for an unknown id."""

    async def cancel(self, job_id: str) -> None:
        """Take a call back, and with it the container's work."""


def application(jobs: Jobs) -> Starlette:
    """POST /run, GET /status/ID, POST /cancel/ID, GET /health, as docs.runpod.io describes them."""

    async def run(request: Request) -> Response:
        try:
            body = await request.json()
        except ValueError:
            return JSONResponse({"error": "not JSON"}, 400)
        told = body if isinstance(body, dict) else {}
        asked, policy = told.get("input"), told.get("policy")
        graph = asked.get("workflow") if isinstance(asked, dict) else None
        if not isinstance(graph, dict) or not graph:
            return JSONResponse({"error": "Missing 'workflow' parameter"}, 400)
        pictures = asked.get("images") or [] if isinstance(asked, dict) else []
        if not isinstance(pictures, list) or not all(_is_picture(each) for each in pictures):
            return JSONResponse({"error": "'images' must be a list of objects with 'name' and 'image' keys"}, 400)
        milliseconds = policy.get("executionTimeout") if isinstance(policy, dict) else None
        seconds = milliseconds / 1000 if isinstance(milliseconds, int | float) and milliseconds > 0 else 300.0
        return JSONResponse({"id": await jobs.begin(graph, seconds, pictures), "status": "IN_QUEUE"})

    async def status(request: Request) -> Response:
        job_id = request.path_params["job_id"]
        job = await jobs.look(job_id)
        return JSONResponse({"error": "no such job"}, 404) if job is None else JSONResponse({"id": job_id, **job})

    async def cancel(request: Request) -> Response:
        job_id = request.path_params["job_id"]
        await jobs.cancel(job_id)
        return JSONResponse({"id": job_id, "status": "CANCELLED"})

    async def health(_request: Request) -> Response:
        # It wakes no GPU: that this answers says that the app is deployed.
        return JSONResponse({"jobs": {}, "workers": {}})

    return Starlette(
        routes=[
            Route("/run", run, methods=["POST"]),
            Route("/status/{job_id}", status),
            Route("/cancel/{job_id}", cancel, methods=["POST"]),
            Route("/health", health),
        ]
    )


def _is_picture(told: Any) -> bool:
    return isinstance(told, dict) and all(isinstance(told.get(name), str) for name in ("name", "image"))
