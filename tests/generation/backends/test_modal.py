"""The app of deploy/modal, its own ASGI function served here, and the back end that talks to it.

What is Modal's in it is played: the proxy's headers, and the calls of a GPU container, which run the app's own code
over a ComfyUI stand-in. Nothing was deployed.
"""

import asyncio
import importlib
import sys
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import uvicorn

from generation.backends.http_jobs import Service
from generation.backends.runpod import Modal
from generation.errors import (
    ComfyUISick,
    ComfyUIUnreachable,
    GraphRejected,
    LacksWorkflow,
    RenderFailed,
    RenderInterrupted,
)
from sandbox.comfyui import ComfyUIServer
from sandbox.sockets import HOST, free_port
from tests.generation.backends.test_comfyui import with_reference
from tests.generation.backends.test_runpod import WORKFLOW, graph

DEPLOY = Path(__file__).parents[3] / "deploy"
KEYS = {"Modal-Key": "wk-sandbox", "Modal-Secret": "ws-sandbox"}


@pytest.fixture(scope="module")
def app() -> Iterator[ModuleType]:
    """deploy/modal/app.py as `modal deploy` reads it; in its image, web.py and the runner lie beside it."""
    added = [str(DEPLOY / "modal"), str(DEPLOY)]
    sys.path[:0] = added
    try:
        yield importlib.import_module("app")
    finally:
        for path in added:
            sys.path.remove(path)
        for name in ("app", "web", "comfyui_runner"):
            sys.modules.pop(name, None)


class LocalJobs:
    """Calls of `ComfyUI.render`, one after another, in a thread of this process."""

    def __init__(self, app: ModuleType, comfyui_url: str) -> None:
        self._app = app
        self._runner = importlib.import_module("comfyui_runner").Runner(comfyui_url)
        self.calls: dict[str, asyncio.Task[dict[str, Any]]] = {}
        self._one_at_a_time = asyncio.Lock()
        self._begun: set[str] = set()
        self.is_cold = False

    async def begin(self, graph: Mapping[str, Any], timeout: float, pictures: Sequence[dict[str, str]] = ()) -> str:
        job_id = f"fc-{uuid.uuid4().hex}"
        self.calls[job_id] = asyncio.create_task(self._render(job_id, graph, timeout, pictures))
        return job_id

    async def look(self, job_id: str) -> dict[str, Any] | None:
        call = self.calls.get(job_id)
        if call is None:
            return None
        if not call.done():
            return {"status": "IN_PROGRESS" if job_id in self._begun else "IN_QUEUE"}
        answer: dict[str, Any] = {"status": "CANCELLED"} if call.cancelled() else self._app.job_of(call.result())
        return answer

    async def cancel(self, job_id: str) -> None:
        self.calls[job_id].cancel()
        await asyncio.sleep(0)

    async def _render(
        self, job_id: str, graph: Mapping[str, Any], timeout: float, pictures: Sequence[dict[str, str]]
    ) -> dict[str, Any]:
        while self.is_cold:
            await asyncio.sleep(0.01)
        async with self._one_at_a_time:
            self._begun.add(job_id)
            answer: dict[str, Any] = await asyncio.to_thread(
                self._app.rendered, self._runner, graph, timeout, pictures
            )
            return answer


@pytest_asyncio.fixture
async def jobs(app: ModuleType, comfyui: ComfyUIServer, monkeypatch: pytest.MonkeyPatch) -> LocalJobs:
    jobs = LocalJobs(app, comfyui.url)
    monkeypatch.setattr(app, "jobs", jobs)
    return jobs


@asynccontextmanager
async def deployed(app: ModuleType, *, redirects: int = 0) -> AsyncIterator[str]:
    """The app's web function behind what Modal's proxy does; it answers so many requests by a redirect first."""
    inner = app.web.local()
    left = redirects

    async def proxy(scope: Any, receive: Any, send: Any) -> None:
        told = {name.decode(): value.decode() for name, value in scope.get("headers", ())}
        if scope["type"] == "http" and any(told.get(name.lower()) != value for name, value in KEYS.items()):
            await send({"type": "http.response.start", "status": 401, "headers": []})
            body = b"modal-http: missing credentials for proxy authorization\n"
            await send({"type": "http.response.body", "body": body})
            return
        nonlocal left
        if scope["type"] == "http" and scope["path"].startswith("/status") and left:
            # As after 150 seconds.
            left -= 1
            location = f"{scope['path']}?__modal_function_call_id=fc-1".encode()
            await send({"type": "http.response.start", "status": 303, "headers": [(b"location", location)]})
            await send({"type": "http.response.body", "body": b""})
            return
        await inner(scope, receive, send)

    port = free_port()
    server = uvicorn.Server(uvicorn.Config(proxy, host=HOST, port=port, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield f"http://{HOST}:{port}"
    finally:
        server.should_exit = True
        await serving


@pytest_asyncio.fixture
async def modal(app: ModuleType, jobs: LocalJobs) -> AsyncIterator[Modal]:
    async with deployed(app) as url, aiohttp.ClientSession() as session:
        yield Modal(session, Service(url, KEYS, poll=0.02))


async def render(modal: Modal, it: Any = None, *, timeout: float = 10) -> bytes:
    rendered = await modal.render(it or graph(), prompt_id="unused", timeout=timeout)
    return await modal.view(rendered.outputs[WORKFLOW.output][0])


async def test_a_graph_runs_and_its_picture_comes_back(modal: Modal) -> None:
    await modal.check()
    assert (await render(modal)).startswith(b"\x89PNG")


async def test_without_the_proxys_token_it_is_away_and_says_so(app: ModuleType, jobs: LocalJobs) -> None:
    async with deployed(app) as url, aiohttp.ClientSession() as session:
        stranger = Modal(session, Service(url, {"Modal-Key": "wk-sandbox"}))
        with pytest.raises(ComfyUIUnreachable, match="proxy token is wrong"):
            await stranger.check()


async def test_what_went_wrong_in_the_container_keeps_its_meaning(modal: Modal, comfyui: ComfyUIServer) -> None:
    comfyui.faults.add(path="render", kind="out_of_memory")
    with pytest.raises(RenderFailed, match="OutOfMemory"):
        await render(modal)
    wrong = graph()
    wrong["8"]["inputs"]["sampler_name"] = "no-such-sampler"
    with pytest.raises(LacksWorkflow, match="value_not_in_list"):
        await render(modal, wrong)
    wrong["8"]["class_type"] = "NoSuchNode"
    with pytest.raises(LacksWorkflow):
        await render(modal, wrong)


async def test_a_comfyui_that_died_in_the_container_is_no_fault_of_the_photo(
    modal: Modal, comfyui: ComfyUIServer
) -> None:
    comfyui.faults.add(path="/prompt", kind="drop")
    with pytest.raises(ComfyUIUnreachable, match="not reachable"):
        await render(modal)


async def test_a_job_that_waits_is_cancelled_when_a_gpu_of_our_own_is_idle(
    app: ModuleType, jobs: LocalJobs
) -> None:
    jobs.is_cold = True

    async def own_is_idle() -> bool:
        return True

    async with deployed(app) as url, aiohttp.ClientSession() as session:
        modal = Modal(session, Service(url, KEYS, poll=0.02), own_is_idle=own_is_idle)
        with pytest.raises(ComfyUISick, match="our own was free") as raised:
            await render(modal)
    assert not raised.value.counts
    assert [call.cancelled() for call in jobs.calls.values()] == [True]


async def test_a_call_that_somebody_else_cancelled_is_an_interruption(modal: Modal, jobs: LocalJobs) -> None:
    jobs.is_cold = True
    rendering = asyncio.create_task(render(modal))
    while not jobs.calls:
        await asyncio.sleep(0.01)
    await jobs.cancel(next(iter(jobs.calls)))
    with pytest.raises(RenderInterrupted):
        await rendering


async def test_the_redirect_of_a_slow_request_is_followed_with_the_token(app: ModuleType, jobs: LocalJobs) -> None:
    async with deployed(app, redirects=3) as url, aiohttp.ClientSession() as session:
        assert await render(Modal(session, Service(url, KEYS, poll=0.02)))


async def test_what_is_no_graph_is_refused(modal: Modal) -> None:
    bodies: list[Any] = [{}, {"input": {}}, {"input": {"workflow": "text"}}, []]
    for body in bodies:
        with pytest.raises(GraphRejected):
            await modal._ask("POST", "/run", json=body)


def test_the_app_scales_as_the_research_says(app: ModuleType) -> None:
    source = (DEPLOY / "modal" / "app.py").read_text()
    for setting in (
        "enable_memory_snapshot=True",
        "scaledown_window=STAYS",
        "min_containers=WARM",
        "modal.concurrent",
    ):
        assert setting in source
    assert app.STAYS == 300


async def test_reference_pictures_travel_along(modal: Modal, comfyui: ComfyUIServer) -> None:
    graph, pictures, output = with_reference()
    rendered = await modal.render(graph, prompt_id=str(uuid.uuid4()), timeout=10, pictures=pictures)
    assert (await modal.view(rendered.outputs[output][0])).startswith(b"\x89PNG")
    assert comfyui.uploads == list(pictures)
