"""A worker whose ComfyUI comes up renders the named workflows once, before anybody waits for them."""

import asyncio
from unittest.mock import Mock

import pytest

from generation.orders import jobs
from generation.runtime.settings import WrongSettings
from generation.storage import Storage
from generation.worker.rendering.warm_up import PROMPT, WarmUp
from generation.worker.state import WorkerState
from generation.workflows import workflow
from sandbox.comfyui import ComfyUIServer, Cost
from sandbox.settings import ProductSettings
from sandbox.telegram import TelegramServer
from sandbox.wiring import worker_running
from tests.generation.conftest import PlaceOrder


async def rendered(comfyui: ComfyUIServer, count: int) -> list[str]:
    """The graphs that have ended, once they are so many."""
    async with asyncio.timeout(20):
        while len(comfyui.executor.history) < count:
            await asyncio.sleep(0.02)
    return [str(entry["prompt"][2]) for entry in comfyui.executor.history.values()]


async def test_each_size_once_and_the_first_name_last(
    settings: ProductSettings, bucket: Storage, comfyui: ComfyUIServer
) -> None:
    warm = settings.model_copy(update={"warm_up": ("z-image-turbo", "sdxl")})
    async with worker_running(warm) as worker:
        graphs = await rendered(comfyui, 4)
        costs = worker.ctx["worker"].renderer._picker.costs
        async with asyncio.timeout(20):
            while not costs.knows("z-image-turbo", 1, swaps=False):
                await asyncio.sleep(0.02)
    assert all(PROMPT in graph for graph in graphs)
    assert ["sd_xl" in graph for graph in graphs] == [True, True, False, False]
    assert comfyui.executor.loaded_model == "z_image_turbo_bf16.safetensors"


async def test_again_when_comfyui_was_away(
    settings: ProductSettings, bucket: Storage, comfyui: ComfyUIServer
) -> None:
    warm = settings.model_copy(update={"warm_up": ("sdxl",)})
    async with worker_running(warm, watch_every=0.05, sick_after=0.1) as worker:
        await rendered(comfyui, 2)
        comfyui.faults.add(path="/system_stats", kind="status", status=500, times=8)
        await rendered(comfyui, 4)
        assert worker.ctx["worker"].watchdog.losses == 1


async def test_one_that_fails_is_left_and_keeps_nothing_up(
    settings: ProductSettings, bucket: Storage, comfyui: ComfyUIServer
) -> None:
    comfyui.faults.add(path="render", kind="out_of_memory")
    warm = settings.model_copy(update={"warm_up": ("sdxl",)})
    async with worker_running(warm):
        await rendered(comfyui, 2)
    statuses = [entry["status"]["status_str"] for entry in comfyui.executor.history.values()]
    assert statuses == ["error", "success"]


def test_an_unknown_name_stops_the_start_with_a_sentence() -> None:
    with pytest.raises(WrongSettings, match=r"WARM_UP is wrong: there is no workflow gone\."):
        WarmUp(Mock(), workflow.load_all, ("sdxl", "gone"), Mock(), WorkerState(), Mock())


async def test_a_photo_waits_until_the_card_is_warm_and_is_made_then(
    settings: ProductSettings, bucket: Storage, comfyui: ComfyUIServer, place: PlaceOrder, telegram: TelegramServer
) -> None:
    comfyui.executor.cost = Cost(batch=(0.5,), swap=0.0)
    warm = settings.model_copy(update={"warm_up": ("sdxl",)})
    photo = await place(workflow="sdxl", chat_id=1001)
    async with worker_running(warm) as worker:
        await jobs.enqueue_render(worker.pool, photo, premium_head_start=0)
        graphs = await rendered(comfyui, 3)
    assert [PROMPT in graph for graph in graphs] == [True, True, False]
