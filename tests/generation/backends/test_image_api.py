"""An engine that batches by itself: several people's photos in its hands at once, each with its own seed."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from pydantic import SecretStr, ValidationError

from generation.backends.image_api import ImageApi
from generation.errors import (
    ComfyUIUnreachable,
    GenerationError,
    GraphRejected,
    RenderFailed,
    RenderTimeout,
)
from generation.models import PhotoStatus
from generation.runtime.database import Database
from generation.settings import Settings as WorkerSettings
from generation.storage import Storage
from generation.workflows.workflow import Asked
from sandbox.image_api import API_KEY, MODEL, ImageApiServer
from sandbox.settings import ProductSettings
from sandbox.wiring import worker_running
from tests.conftest import settled
from tests.generation.conftest import PlaceOrder
from tests.generation.worker.test_sick_workers import until, well
from tests.player import Player

PHOTO = Asked(prompt="a walk", negative_prompt="rain", seed=7, width=320, height=256, steps=8, output="9")


@pytest_asyncio.fixture
async def engine() -> AsyncIterator[ImageApiServer]:
    async with ImageApiServer() as server:
        yield server


@pytest_asyncio.fixture
async def client(engine: ImageApiServer) -> AsyncIterator[ImageApi]:
    async with aiohttp.ClientSession() as session:
        yield ImageApi(session, engine.url, workflow="z-image-turbo", model=MODEL, api_key=API_KEY)


async def render(client: ImageApi, timeout: float = 10) -> bytes:
    rendered = await client.render({}, prompt_id="1", timeout=timeout, asked=[PHOTO])
    return await client.view(rendered.outputs["9"][0])


async def test_what_a_photo_asks_for_goes_over_by_name(client: ImageApi, engine: ImageApiServer) -> None:
    await client.check()
    assert (await render(client)).startswith(b"\x89PNG")
    assert engine.requests == [
        {
            "prompt": "a walk", "negative_prompt": "rain", "n": 1, "size": "320x256", "seed": 7,
            "num_inference_steps": 8, "response_format": "b64_json", "model": MODEL,
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"path": "generate", "kind": "out_of_memory"}, RenderFailed),
        ({"path": "/images", "kind": "status", "status": 422}, GraphRejected),
        ({"path": "/images", "kind": "status", "status": 503}, ComfyUIUnreachable),
        ({"path": "/images", "kind": "status", "status": 429}, ComfyUIUnreachable),
        ({"path": "/images", "kind": "status", "status": 200, "text": "<html>log in</html>"}, ComfyUIUnreachable),
        ({"path": "/images", "kind": "drop"}, ComfyUIUnreachable),
        ({"path": "/images", "kind": "hang"}, RenderTimeout),
    ],
)
async def test_what_goes_wrong_has_its_meaning(
    client: ImageApi, engine: ImageApiServer, fault: dict[str, Any], error: type[GenerationError]
) -> None:
    engine.faults.add(**fault)
    with pytest.raises(error):
        await render(client, timeout=1)


@pytest.mark.parametrize("status", [400, 422, 500, 503])
async def test_no_error_repeats_the_request_that_a_server_echoes(
    client: ImageApi, engine: ImageApiServer, status: int
) -> None:
    echo = {"detail": [{"loc": ["body", "size"], "input": {"prompt": PHOTO.prompt, "size": "x"}}]}
    engine.faults.add(path="/images", kind="status", status=status, body=echo)
    with pytest.raises(GenerationError) as raised:
        await render(client)
    assert PHOTO.prompt not in str(raised.value)


@pytest.fixture
def settings(settings: ProductSettings, engine: ImageApiServer) -> ProductSettings:
    return settings.model_copy(
        update={
            "render_backend": "image_api",
            "image_api_url": engine.url,
            "image_api_key": SecretStr(API_KEY),
            "image_api_model": MODEL,
        }
    )


async def test_photos_of_many_people_are_rendered_together_and_one_failure_leaves_the_others_alone(
    settings: ProductSettings,
    bucket: Storage,
    engine: ImageApiServer,
    place: PlaceOrder,
    order: PlaceOrder,
    database: Database,
    anya: Player,
) -> None:
    waiting = [await place(seed=number) for number in range(7)]
    engine.faults.add(path="generate", kind="out_of_memory")
    async with worker_running(settings):
        (row,) = await until(database, well(1))
        assert row.workflows == ["z-image-turbo"]
        assert "this engine renders z-image-turbo alone" in row.lacks["sdxl"]
        last = await order(seed=99)
        photos = [await settled(database, photo.id, "delivered", "failed") for photo in [*waiting, last]]
        other = await settled(database, (await order(workflow="sdxl")).id, "failed")
    assert [photo.status for photo in photos] == [PhotoStatus.DELIVERED] * 8
    assert sum(photo.failures for photo in photos) == 1
    assert max(engine.batches) > 1
    assert {request["seed"] for request in engine.requests} >= set(range(7))
    assert str(other.error).startswith("NobodyCanRender")


def test_each_back_end_needs_its_own_address() -> None:
    values: dict[str, Any] = {
        "database_url": "postgresql://h/d", "redis_url": "redis://h/0", "bot_token": "1:a",
        "s3_endpoint_url": "http://s3", "s3_access_key": "a", "s3_secret_key": "b",
    }  # fmt: skip
    for backend, address in (
        ("comfyui", {"comfyui_url": "http://c:8188"}),
        ("image_api", {"image_api_url": "http://v:8000/v1"}),
        ("runpod", {"runpod_url": "http://r/v2/x", "runpod_api_key": "k"}),
    ):
        with pytest.raises(ValidationError, match="URL"):
            WorkerSettings.example(**values, render_backend=backend)
        assert WorkerSettings.example(**values, render_backend=backend, **address).render_url
