"""Overflow: RunPod's serverless ComfyUI takes free photos when more of them wait than our own GPUs should make."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from pydantic import SecretStr
from sqlalchemy import func, select

from generation import worker_registry
from generation.backends.http_jobs import Service
from generation.backends.runpod import RunPod
from generation.errors import (
    BadImage,
    ComfyUISick,
    ComfyUIUnreachable,
    GenerationError,
    LacksWorkflow,
    RenderFailed,
    RenderInterrupted,
    RenderTimeout,
)
from generation.models import Orientation, Photo, PhotoStatus, RenderWorker
from generation.runtime.database import Database
from generation.storage import Storage
from generation.workflows import workflow
from generation.workflows.definition import Graph
from generation.workflows.workflow import Filling
from sandbox.comfyui import Cost
from sandbox.http import HttpServer
from sandbox.runpod import API_KEY, RunPodServer
from sandbox.settings import ProductSettings
from sandbox.wiring import worker_running
from tests.conftest import settled
from tests.generation.backends.test_comfyui import with_reference
from tests.generation.conftest import PlaceOrder
from tests.generation.worker.test_batches import FOLDER
from tests.player import Player

WORKFLOW = workflow.load_all(FOLDER)["one-by-one"]


def graph() -> Graph:
    filling = Filling(
        prompt="a walk", negative_prompt="", seed=1, orientation=Orientation.PORTRAIT, filename_prefix="vitte/x"
    )
    return WORKFLOW.fill([filling])[0]


@pytest_asyncio.fixture
async def endpoint(tmp_path: Path) -> AsyncIterator[RunPodServer]:
    async with RunPodServer(tmp_path / "runpod", cost=Cost(batch=(0.05,), swap=0)) as server:
        yield server


@pytest_asyncio.fixture
async def runpod(endpoint: RunPodServer) -> AsyncIterator[RunPod]:
    async with aiohttp.ClientSession() as session:
        yield RunPod(session, service(endpoint, at_once=2, poll=0.02))


def service(endpoint: RunPodServer, **changes: Any) -> Service:
    return Service(endpoint.url, {"Authorization": f"Bearer {API_KEY}"}, **changes)


async def render(runpod: RunPod, it: Graph | None = None, *, timeout: float = 10) -> bytes:
    rendered = await runpod.render(it or graph(), prompt_id=str(uuid.uuid4()), timeout=timeout)
    return await runpod.view(rendered.outputs[WORKFLOW.output][0])


async def test_a_graph_runs_and_its_picture_comes_back(runpod: RunPod) -> None:
    await runpod.check()
    assert (await render(runpod)).startswith(b"\x89PNG")


async def test_a_wrong_key_makes_the_worker_sick_and_costs_no_photo(endpoint: RunPodServer) -> None:
    async with aiohttp.ClientSession() as session:
        runpod = RunPod(session, Service(endpoint.url, {"Authorization": "Bearer wrong"}))
        for ask in (render(runpod), runpod.check()):
            with pytest.raises(ComfyUIUnreachable, match="401"):
                await ask


async def test_a_graph_that_fails_or_is_refused_is_told_apart(runpod: RunPod, endpoint: RunPodServer) -> None:
    endpoint.faults.add(path="render", kind="out_of_memory")
    with pytest.raises(RenderFailed, match="OutOfMemory"):
        await render(runpod)
    wrong = graph()
    wrong["8"]["inputs"]["sampler_name"] = "no-such-sampler"
    with pytest.raises(LacksWorkflow, match="validation failed"):
        await render(runpod, wrong)


@pytest.mark.parametrize("fault", [{"kind": "drop"}, {"kind": "status", "status": 502}])
async def test_an_endpoint_that_fails_for_a_moment_is_asked_again(
    runpod: RunPod, endpoint: RunPodServer, fault: dict[str, object]
) -> None:
    endpoint.faults.add(path="/status", times=2, **fault)
    assert await render(runpod)


async def test_an_endpoint_that_is_away_raises(runpod: RunPod, endpoint: RunPodServer) -> None:
    endpoint.faults.add(path="/run", kind="drop")
    with pytest.raises(ComfyUIUnreachable):
        await render(runpod)


async def test_a_cancelled_render_is_cancelled_there_too(runpod: RunPod, endpoint: RunPodServer) -> None:
    endpoint.faults.add(path="render", kind="stall")
    task = asyncio.create_task(render(runpod))
    while endpoint.faults.pending:
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [job["status"] for job in endpoint.jobs.values()] == ["CANCELLED"]


async def test_what_runpod_says_of_a_job_has_its_meaning(runpod: RunPod) -> None:
    for status, error in (("CANCELLED", RenderInterrupted), ("TIMED_OUT", RenderTimeout), ("FAILED", RenderFailed)):
        with pytest.raises(error):
            runpod._rendered({"10": "p"}, {"status": status})
    rendered = runpod._rendered(
        {"10": "p"}, {"status": "COMPLETED", "output": {"images": [{"type": "base64", "data": "no base64!"}]}}
    )
    with pytest.raises(BadImage):
        await runpod.view(rendered.outputs["10"][0])


async def test_an_image_behind_a_link_is_fetched_whole(runpod: RunPod) -> None:
    content = b"x" * 3_000_000

    async def image(_request: web.Request) -> web.Response:
        return web.Response(body=content)

    application = web.Application()
    application.router.add_get("/image.png", image)
    async with HttpServer(application) as server:
        output = {"images": [{"type": "s3_url", "data": f"{server.url}/image.png"}]}
        rendered = runpod._rendered({"10": "p"}, {"status": "COMPLETED", "output": output})
        assert await runpod.view(rendered.outputs["10"][0]) == content


async def test_a_job_that_no_worker_takes_is_cancelled_and_costs_no_attempt(endpoint: RunPodServer) -> None:
    endpoint.cold_start = 60
    async with aiohttp.ClientSession() as session:
        runpod = RunPod(session, service(endpoint, poll=0.02, cold_start=0.2))
        with pytest.raises(ComfyUISick, match="no worker") as raised:
            await render(runpod, timeout=0.1)
    assert not raised.value.counts
    assert [job["status"] for job in endpoint.jobs.values()] == ["CANCELLED"]


async def test_what_its_workers_lack_or_cannot_reach_is_no_fault_of_the_photo(
    runpod: RunPod, endpoint: RunPodServer
) -> None:
    endpoint.missing = {"sd_xl_base_1.0.safetensors", "z_image_turbo_bf16.safetensors"}
    with pytest.raises(LacksWorkflow, match="value_not_in_list"):
        await render(runpod)
    endpoint.missing = {"KSampler"}
    with pytest.raises(LacksWorkflow, match="KSampler"):
        await render(runpod)
    endpoint.missing, endpoint.unreachable = set(), True
    with pytest.raises(ComfyUIUnreachable, match="not reachable"):
        await render(runpod)


async def test_a_result_that_is_too_large_to_come_back_is_told(runpod: RunPod, endpoint: RunPodServer) -> None:
    endpoint.too_large = True
    with pytest.raises(RenderFailed, match="bucket"):
        await render(runpod)


@pytest.mark.parametrize(
    ("status", "words"), [(429, "too many requests"), (402, "no credit"), (404, "no such endpoint"), (500, "500")]
)
async def test_a_refusal_says_what_is_wrong(
    runpod: RunPod, endpoint: RunPodServer, status: int, words: str
) -> None:
    endpoint.faults.add(path="/run", kind="status", status=status)
    with pytest.raises(ComfyUIUnreachable, match=words):
        await render(runpod)


@pytest.mark.parametrize("answer", [{}, {"id": None}, {"id": 7}])
async def test_an_answer_without_a_jobs_id_is_an_outage(
    runpod: RunPod, endpoint: RunPodServer, answer: dict[str, object]
) -> None:
    endpoint.faults.add(path="/run", kind="status", status=200, body=answer)
    with pytest.raises(ComfyUIUnreachable, match="without a job"):
        await render(runpod)


async def test_each_output_node_gets_the_images_of_its_own_name(runpod: RunPod) -> None:
    prefixes = {"9": "two", "10": "one"}
    listed = [
        {"filename": "one_00001_.png", "data": "b25l"},
        {"filename": "two_00001_.png", "type": "base64", "data": "dHdv"},
        {"filename": "broken.png", "type": "base64"},
    ]
    rendered = runpod._rendered(prefixes, {"status": "COMPLETED", "output": {"images": listed}})
    assert [await runpod.view(rendered.outputs[node][0]) for node in ("9", "10")] == [b"two", b"one"]


async def test_the_overflow_takes_free_photos_while_the_queue_is_deep_and_leaves_premium_to_our_own(
    settings: ProductSettings,
    bucket: Storage,
    endpoint: RunPodServer,
    place: PlaceOrder,
    database: Database,
    anya: Player,
    ben: Player,
) -> None:
    settings = settings.model_copy(update={"workflows_folder": str(FOLDER), "overflow_depth": 3})
    overflow = settings.model_copy(
        update={
            "render_backend": "runpod",
            "runpod_url": endpoint.url,
            "runpod_api_key": SecretStr(API_KEY),
        }
    )
    # A GPU of our own is there, as it says, and takes nothing: what the overflow leaves, waits.
    async with database.unit() as session:
        session.add(RenderWorker(name="own", backend="comfyui", seen_at=datetime.now(UTC) + timedelta(hours=1)))
    free = [await place(workflow="one-by-one", chat_id=1001 + n % 2, owner_id=n) for n in range(8)]
    premium = await place(workflow="one-by-one", premium=True, owner_id=99)
    async with worker_running(overflow):
        async with asyncio.timeout(30):
            while await _count(database, PhotoStatus.QUEUED) > 4:
                await asyncio.sleep(0.05)
        for photo in free[:5]:
            await settled(database, photo.id, "delivered")
    async with database.unit() as session:
        rows = [await session.get_one(Photo, photo.id) for photo in [*free, premium]]
    assert [row.status for row in rows] == [PhotoStatus.DELIVERED] * 5 + [PhotoStatus.QUEUED] * 4
    async with database.unit() as session:
        await worker_registry.deregister(session, "own")
    async with worker_running(settings):
        for photo in [*free, premium]:
            await settled(database, photo.id, "delivered")


async def test_with_no_gpu_of_our_own_left_premium_photos_go_there_too(
    settings: ProductSettings,
    bucket: Storage,
    endpoint: RunPodServer,
    place: PlaceOrder,
    database: Database,
    anya: Player,
) -> None:
    overflow = settings.model_copy(
        update={
            "workflows_folder": str(FOLDER),
            "overflow_depth": 1,
            "render_backend": "runpod",
            "runpod_url": endpoint.url,
            "runpod_api_key": SecretStr(API_KEY),
        }
    )
    premium = [await place(workflow="one-by-one", premium=True, owner_id=n) for n in range(3)]
    async with worker_running(overflow):
        for photo in premium[:2]:
            await settled(database, photo.id, "delivered")


async def _count(database: Database, status: PhotoStatus) -> int:
    async with database.unit() as session:
        return await session.scalar(select(func.count()).where(Photo.status == status)) or 0


async def test_reference_pictures_travel_along(runpod: RunPod) -> None:
    graph, pictures, output = with_reference()
    rendered = await runpod.render(graph, prompt_id=str(uuid.uuid4()), timeout=10, pictures=pictures)
    assert (await runpod.view(rendered.outputs[output][0])).startswith(b"\x89PNG")
    with pytest.raises(GenerationError, match="Invalid image file"):
        await runpod.render(graph, prompt_id=str(uuid.uuid4()), timeout=10)
