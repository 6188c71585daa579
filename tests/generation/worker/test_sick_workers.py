"""A worker that is broken does not eat the queue: it proves itself, gives back what it cannot, and says why."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from sqlalchemy import select

from generation.models import PhotoStatus, RenderWorker
from generation.runtime.database import Database
from generation.storage import Storage
from sandbox.comfyui import ComfyUIServer
from sandbox.settings import ProductSettings
from sandbox.wiring import worker_running
from tests.conftest import COST, settled
from tests.generation.conftest import PlaceOrder
from tests.player import Player, says

MODEL = "z_image_turbo_bf16.safetensors"
pytestmark = pytest.mark.timeout(120)


@pytest_asyncio.fixture
async def other_comfyui(tmp_path: Path) -> AsyncIterator[ComfyUIServer]:
    async with ComfyUIServer(tmp_path / "other", cost=COST) as server:
        yield server


@pytest.fixture
def settings(settings: ProductSettings) -> ProductSettings:
    return settings.model_copy(update={"probe_workflows": True, "stall_timeout": 1})


@pytest.fixture
def other(settings: ProductSettings, other_comfyui: ComfyUIServer) -> ProductSettings:
    """Settings of a second worker with a ComfyUI of its own."""
    return settings.model_copy(update={"comfyui_url": other_comfyui.url})


async def workers(database: Database) -> Sequence[RenderWorker]:
    async with database.unit() as session:
        return (await session.scalars(select(RenderWorker).order_by(RenderWorker.name))).all()


async def until(database: Database, holds: Callable[[Sequence[RenderWorker]], bool]) -> Sequence[RenderWorker]:
    """The workers' rows, once this holds of them."""
    async with asyncio.timeout(30):
        while not holds(rows := await workers(database)):
            await asyncio.sleep(0.05)
    return rows


def well(count: int) -> Callable[[Sequence[RenderWorker]], bool]:
    return lambda rows: sum(row.problem is None for row in rows) >= count


async def test_a_missing_model_is_found_before_a_photo_is_lost_to_it(
    settings: ProductSettings,
    other: ProductSettings,
    other_comfyui: ComfyUIServer,
    bucket: Storage,
    order: PlaceOrder,
    database: Database,
    anya: Player,
) -> None:
    other_comfyui.missing = {MODEL}
    async with worker_running(settings), worker_running(other):
        await until(database, well(2))
        photos = [await settled(database, (await order()).id, "delivered", "failed") for _ in range(6)]
        lacking = [row for row in await workers(database) if row.lacks]
    assert [photo.status for photo in photos] == [PhotoStatus.DELIVERED] * 6
    assert {photo.failures for photo in photos} == {0}
    assert len(lacking) == 1
    assert MODEL in lacking[0].lacks["z-image-turbo"]
    can = set(lacking[0].workflows or ())
    assert ("sdxl" in can, "z-image-turbo" in can) == (True, False)


async def test_a_model_that_goes_missing_costs_no_photo_an_attempt(
    settings: ProductSettings,
    other: ProductSettings,
    comfyui: ComfyUIServer,
    other_comfyui: ComfyUIServer,
    bucket: Storage,
    order: PlaceOrder,
    database: Database,
    anya: Player,
) -> None:
    async with worker_running(settings), worker_running(other):
        await until(database, well(2))
        other_comfyui.missing = {MODEL}
        placed = [await order() for _ in range(10)]
        photos = [await settled(database, photo.id, "delivered", "failed") for photo in placed]
    assert [photo.status for photo in photos] == [PhotoStatus.DELIVERED] * 10
    assert {photo.failures for photo in photos} == {0}


async def test_what_no_worker_can_render_ends_with_words_and_the_reason(
    settings: ProductSettings,
    comfyui: ComfyUIServer,
    bucket: Storage,
    order: PlaceOrder,
    database: Database,
    anya: Player,
) -> None:
    comfyui.missing = {MODEL}
    async with worker_running(settings):
        photo = await settled(database, (await order()).id, "failed")
        await anya.hears(says("It failed."))
        made = await settled(database, (await order(workflow="sdxl")).id, "delivered", "failed")
    assert str(photo.error).startswith("NobodyCanRender")
    assert MODEL in str(photo.error)
    assert made.status is PhotoStatus.DELIVERED


async def test_a_comfyui_whose_every_render_raises_is_restarted_and_proven(
    settings: ProductSettings,
    other: ProductSettings,
    other_comfyui: ComfyUIServer,
    bucket: Storage,
    order: PlaceOrder,
    database: Database,
    anya: Player,
    tmp_path: Path,
) -> None:
    restarted = tmp_path / "restarted"
    other = other.model_copy(update={"comfyui_restart_command": f"touch {restarted}"})
    async with worker_running(settings), worker_running(other):
        await until(database, well(2))
        other_comfyui.executor.broken = "CUDA error: an illegal memory access was encountered"
        placed = [await order() for _ in range(30)]
        photos = [await settled(database, photo.id, "delivered", "failed") for photo in placed]
        assert [photo.status for photo in photos] == [PhotoStatus.DELIVERED] * 30
        (sick,) = [
            row for row in await until(database, lambda rows: any(row.problem for row in rows)) if row.problem
        ]
        assert "illegal memory access" in str(sick.last_error)
        async with asyncio.timeout(20):
            while not restarted.exists():
                await asyncio.sleep(0.05)
        await other_comfyui.restart()
        await until(database, well(2))
    assert sum(photo.failures for photo in photos) <= 4


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 500, "body": {"error": "no"}},
        {"status": 200, "body": None},
        {"status": 413, "body": None},
        {"status": 401, "body": None},
    ],
)
async def test_a_comfyui_that_takes_no_graphs_costs_no_attempt_however_long_it_lasts(
    settings: ProductSettings,
    comfyui: ComfyUIServer,
    bucket: Storage,
    place: PlaceOrder,
    database: Database,
    anya: Player,
    answer: dict[str, Any],
) -> None:
    async with worker_running(settings):
        await until(database, well(1))
        comfyui.faults.add(path="/prompt", kind="status", times=1000, **answer)
        photo = await place()
        (row,) = await until(database, lambda rows: bool(rows and rows[0].problem))
        # The probes fail as the photo did.
        while 1000 - comfyui.faults.pending < 3:
            await asyncio.sleep(0.05)
        assert "/prompt" in str(row.problem)
        comfyui.faults.clear()
        made = await settled(database, photo.id, "delivered", "failed")
    assert made.status is PhotoStatus.DELIVERED
    assert made.failures == 0


async def test_a_comfyui_that_takes_graphs_and_begins_none_falls_sick(
    settings: ProductSettings,
    other: ProductSettings,
    other_comfyui: ComfyUIServer,
    bucket: Storage,
    order: PlaceOrder,
    database: Database,
    anya: Player,
) -> None:
    async with worker_running(settings), worker_running(other):
        await until(database, well(2))
        other_comfyui.executor.asleep = True
        placed = [await order() for _ in range(6)]
        photos = [await settled(database, photo.id, "delivered", "failed") for photo in placed]
        await until(database, lambda rows: any("begun none" in str(row.problem) for row in rows))
    assert [photo.status for photo in photos] == [PhotoStatus.DELIVERED] * 6
    assert {photo.failures for photo in photos} == {0}


async def test_a_history_that_comes_late_or_empty_at_first_is_looked_at_again(
    settings: ProductSettings,
    comfyui: ComfyUIServer,
    bucket: Storage,
    order: PlaceOrder,
    database: Database,
    anya: Player,
) -> None:
    async with worker_running(settings):
        await until(database, well(1))
        comfyui.history_late = 2
        comfyui.faults.add(path="/history", kind="empty", times=2)
        photo = await settled(database, (await order()).id, "delivered", "failed")
    assert (photo.status, photo.attempt) == (PhotoStatus.DELIVERED, 1)


def graph(prefix: str, steps: int) -> dict[str, Any]:
    """A graph of somebody else; EmptyImage needs no model."""
    return {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "tiny.safetensors"}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": "a cat"}},
        "3": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
        "4": {
            "class_type": "KSampler",
            "inputs": {
                "seed": 1, "steps": steps, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple",
                "denoise": 1.0, "model": ["1", 0], "positive": ["2", 0], "negative": ["2", 0],
                "latent_image": ["3", 0],
            },
        },
        "5": {"class_type": "VAEDecode", "inputs": {"samples": ["4", 0], "vae": ["1", 2]}},
        "6": {"class_type": "SaveImage", "inputs": {"images": ["5", 0], "filename_prefix": prefix}},
    }  # fmt: skip


async def test_graphs_of_others_are_counted_and_not_charged_to_the_photo_behind_them(
    settings: ProductSettings,
    comfyui: ComfyUIServer,
    bucket: Storage,
    order: PlaceOrder,
    database: Database,
    anya: Player,
) -> None:
    settings = settings.model_copy(update={"render_timeout": 1})
    async with worker_running(settings):
        await until(database, well(1))
        comfyui.faults.add(path="render", kind="stall")
        async with aiohttp.ClientSession() as session:
            for prefix in ("theirs", "vitte/another-worker"):
                async with session.post(f"{comfyui.url}/prompt", json={"prompt": graph(prefix, 3)}) as taken:
                    assert taken.status == 200
            photo = await order()
            (row,) = await until(database, lambda rows: bool(rows) and rows[0].foreign_graphs == 2)
            assert "another worker uses the same ComfyUI" in str(row.warning)
            # Longer than the photo's own limit.
            await asyncio.sleep(2.5)
            async with session.post(f"{comfyui.url}/interrupt", json={}):
                pass
        made = await settled(database, photo.id, "delivered", "failed")
    assert (made.status, made.failures) == (PhotoStatus.DELIVERED, 0)


async def test_a_photo_that_failed_here_is_tried_elsewhere(
    settings: ProductSettings,
    other: ProductSettings,
    comfyui: ComfyUIServer,
    other_comfyui: ComfyUIServer,
    bucket: Storage,
    order: PlaceOrder,
    database: Database,
    anya: Player,
) -> None:
    async with worker_running(settings), worker_running(other):
        await until(database, well(2))
        comfyui.faults.add(path="render", kind="out_of_memory")
        other_comfyui.faults.add(path="render", kind="out_of_memory")
        before = len(comfyui.executor.record), len(other_comfyui.executor.record)
        made = await settled(database, (await order()).id, "delivered", "failed")
        after = len(comfyui.executor.record), len(other_comfyui.executor.record)
    assert (made.status, made.attempt) == (PhotoStatus.DELIVERED, 3)
    # Once here, once there, and the third time where nothing is wrong any more.
    assert min(now - then for now, then in zip(after, before, strict=True)) >= 1


async def test_a_file_that_was_brought_is_seen(
    settings: ProductSettings,
    comfyui: ComfyUIServer,
    bucket: Storage,
    order: PlaceOrder,
    database: Database,
    anya: Player,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("generation.worker.app.LOOK_AGAIN_EVERY", 0.2)
    comfyui.missing = {MODEL}
    async with worker_running(settings):
        await until(database, lambda rows: any(row.lacks for row in rows))
        comfyui.missing = set()
        await until(database, lambda rows: all(not row.lacks for row in rows) and bool(rows))
        made = await settled(database, (await order()).id, "delivered", "failed")
    assert (made.status, made.attempt) == (PhotoStatus.DELIVERED, 1)
