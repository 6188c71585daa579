"""deploy/cog under the real Cog server (its Python package), behind a stand-in of Replicate's API."""

import asyncio
import json
import os
import shutil
import signal
import sys
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from generation.backends.building import WEBHOOK_PATH
from generation.backends.http_jobs import Service
from generation.backends.replicate import Replicate, Webhook, is_signed
from generation.errors import (
    ComfyUIError,
    ComfyUISick,
    ComfyUIUnreachable,
    LacksWorkflow,
    RenderFailed,
    RenderInterrupted,
)
from sandbox.comfyui import ComfyUIServer
from sandbox.http import HttpServer
from sandbox.replicate import DEPLOYMENT, TOKEN, VERSION, WEBHOOK_SECRET, ReplicateServer, signed
from sandbox.sockets import HOST, free_port
from tests.generation.backends.test_comfyui import with_reference
from tests.generation.backends.test_runpod import WORKFLOW, graph

DEPLOY = Path(__file__).parents[3] / "deploy"


@pytest_asyncio.fixture
async def cog(tmp_path: Path, comfyui: ComfyUIServer) -> AsyncIterator[str]:
    """The folder as `deploy/cog/prepare` leaves it, served as its image would serve it."""
    for source in (DEPLOY / "cog" / "predict.py", DEPLOY / "comfyui_runner.py"):
        shutil.copy(source, tmp_path)
    (tmp_path / "cog.yaml").write_text('build:\n  python_version: "3.12"\npredict: "predict.py:Predictor"\n')
    port = free_port()
    environment = os.environ | {
        "PORT": str(port),
        "COG_PREDICT_TYPE_STUB": "predict.py:Predictor",
        "VITTE_COMFYUI_URL": comfyui.url,
        # The server starts `python` by its name.
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cog.server.http", "--host", HOST),
        cwd=tmp_path,
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        await _ready(f"http://{HOST}:{port}")
        yield f"http://{HOST}:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _ready(url: str) -> None:
    async with asyncio.timeout(60), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"{url}/health-check") as response:
                    if (await response.json())["status"] == "READY":
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)


@pytest_asyncio.fixture
async def api(cog: str) -> AsyncIterator[ReplicateServer]:
    async with ReplicateServer(cog) as server:
        yield server


@pytest_asyncio.fixture
async def replicate(api: ReplicateServer) -> AsyncIterator[Replicate]:
    async with aiohttp.ClientSession() as session:
        yield Replicate(session, service(api, poll=0.02), model=DEPLOYMENT)


def service(api: ReplicateServer, token: str = TOKEN, **changes: Any) -> Service:
    return Service(api.url, {"Authorization": f"Bearer {token}"}, **changes)


async def render(replicate: Replicate, it: Any = None, *, timeout: float = 10) -> bytes:
    rendered = await replicate.render(it or graph(), prompt_id="unused", timeout=timeout)
    return await replicate.view(rendered.outputs[WORKFLOW.output][0])


async def test_a_graph_runs_by_deployment_and_by_version(replicate: Replicate, api: ReplicateServer) -> None:
    await replicate.check()
    assert (await render(replicate)).startswith(b"\x89PNG")
    replicate._model = VERSION
    assert (await render(replicate)).startswith(b"\x89PNG")
    assert [told["metrics"]["predict_time"] > 0 for told in api.predictions.values()] == [True, True]


async def test_what_went_wrong_in_the_container_keeps_its_meaning(
    replicate: Replicate, comfyui: ComfyUIServer
) -> None:
    comfyui.faults.add(path="render", kind="out_of_memory")
    with pytest.raises(RenderFailed, match="OutOfMemory"):
        await render(replicate)
    wrong = graph()
    wrong["8"]["inputs"]["sampler_name"] = "no-such-sampler"
    with pytest.raises(LacksWorkflow, match="value_not_in_list"):
        await render(replicate, wrong)
    comfyui.faults.add(path="/prompt", kind="drop")
    with pytest.raises(ComfyUIUnreachable, match="not reachable"):
        await render(replicate)


@pytest.mark.parametrize(
    ("model", "token", "words"),
    [
        ("vitte/gone", TOKEN, "no such deployment"),
        ("0" * 64, TOKEN, "not one of deploy/cog"),
        (DEPLOYMENT, "r8_wrong", "key is wrong"),
    ],
)
async def test_a_refusal_says_what_is_wrong_and_costs_no_photo(
    api: ReplicateServer, model: str, token: str, words: str
) -> None:
    async with aiohttp.ClientSession() as session:
        replicate = Replicate(session, service(api, token), model=model)
        with pytest.raises(ComfyUIUnreachable, match=words):
            await render(replicate)


async def test_a_rate_limit_says_how_long(replicate: Replicate, api: ReplicateServer) -> None:
    body = {"detail": "Request was throttled.", "status": 429, "retry_after": 7}
    api.faults.add(path=f"/v1/deployments/{DEPLOYMENT}/predictions", kind="status", status=429, body=body)
    with pytest.raises(ComfyUIUnreachable, match="too many") as raised:
        await render(replicate)
    assert raised.value.pause == 7


async def test_a_prediction_that_never_starts_is_cancelled(replicate: Replicate, api: ReplicateServer) -> None:
    api.cold_start = 60
    async with aiohttp.ClientSession() as session:
        replicate = Replicate(session, service(api, poll=0.02, cold_start=0.2), model=DEPLOYMENT)
        with pytest.raises(ComfyUISick, match="no worker"):
            await render(replicate)
    assert [told["status"] for told in api.predictions.values()] == ["canceled"]


async def test_a_link_that_has_ended_is_rendered_again_and_not_an_outage(
    replicate: Replicate, api: ReplicateServer
) -> None:
    api.expired = True
    with pytest.raises(ComfyUIError, match="404") as raised:
        await render(replicate)
    assert not isinstance(raised.value, ComfyUIUnreachable)


async def test_what_the_api_says_of_a_prediction_has_its_meaning(replicate: Replicate) -> None:
    for status, error in (
        ("canceled", RenderInterrupted),
        ("aborted", RenderInterrupted),
        ("failed", RenderFailed),
    ):
        with pytest.raises(error):
            replicate._rendered({"10": "p"}, {"status": status})
    with pytest.raises(RenderFailed, match="no output"):
        replicate._rendered({"10": "p"}, {"status": "succeeded", "output": None})


async def test_a_signed_webhook_ends_the_wait_early(api: ReplicateServer) -> None:
    receivers: list[Replicate] = []

    async def receive(request: web.Request) -> web.Response:
        return await receivers[0].receive(request)

    application = web.Application()
    application.router.add_post(WEBHOOK_PATH, receive)
    async with HttpServer(application) as server, aiohttp.ClientSession() as session:
        webhook = Webhook(f"{server.url}{WEBHOOK_PATH}", WEBHOOK_SECRET)
        # Without the webhook it would look again in ten minutes.
        replicate = Replicate(session, service(api, poll=600), model=DEPLOYMENT, webhook=webhook)
        receivers.append(replicate)
        assert (await asyncio.wait_for(render(replicate), 60)).startswith(b"\x89PNG")


def test_only_replicate_can_sign_and_only_lately() -> None:
    body = json.dumps({"id": "x", "status": "succeeded"}).encode()
    now = time.time()
    assert is_signed(WEBHOOK_SECRET, signed(body), body)
    assert not is_signed(WEBHOOK_SECRET, signed(body), body + b" ")
    assert not is_signed(WEBHOOK_SECRET, signed(body, at=now - 3600), body)
    assert not is_signed(WEBHOOK_SECRET, signed(body, secret="whsec_b3RoZXI="), body)
    assert not is_signed(WEBHOOK_SECRET, {}, body)
    several = signed(body)
    several["webhook-signature"] = "v1,b2xk " + several["webhook-signature"]
    assert is_signed(WEBHOOK_SECRET, several, body)


async def test_reference_pictures_travel_along(replicate: Replicate, comfyui: ComfyUIServer) -> None:
    graph, pictures, output = with_reference()
    rendered = await replicate.render(graph, prompt_id=str(uuid.uuid4()), timeout=10, pictures=pictures)
    assert (await replicate.view(rendered.outputs[output][0])).startswith(b"\x89PNG")
    assert comfyui.uploads == list(pictures)
