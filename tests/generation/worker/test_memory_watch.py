"""A ComfyUI that leaks is freed, then restarted, in a quiet minute and without a photo lost."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from generation.models import PhotoStatus
from generation.runtime.database import Database
from generation.storage import Storage
from generation.worker import memory_watch
from generation.worker.memory_watch import FREE_AFTER, GIB, QUIET, SETTLED, MemoryWatch, Remedy
from sandbox.comfyui import ComfyUIServer
from sandbox.settings import ProductSettings
from sandbox.wiring import worker_running
from tests.conftest import settled
from tests.generation.conftest import PlaceOrder
from tests.generation.worker.test_sick_workers import until, well
from tests.player import Player


def after_graphs(watch: MemoryWatch, *gib: float, begins: float = 0.0, model: str = "m") -> list[Remedy | None]:
    """What it wants after graphs that left so much; two minutes of idleness behind each."""
    wanted: list[Remedy | None] = []
    for number, left in enumerate(gib, 1):
        ended, held = begins + number * 200, {"vram": int(left * GIB), "ram": None}
        for seconds in (1.0, SETTLED, FREE_AFTER, QUIET, 120.0):
            remedy = watch.look(held, model=model, idle_since=ended, now=ended + seconds)
            if remedy is Remedy.RESTART:
                watch.restarted()
            if remedy:
                wanted.append(remedy)
    return wanted


def test_what_stays_within_its_limit_is_no_leak() -> None:
    watch = MemoryWatch({"vram": 3, "ram": 0})
    assert after_graphs(watch, 10, 12, 11, 13, 14, 12) == []
    assert not watch.problem


def test_a_leak_is_freed_first_and_restarted_when_that_was_not_enough() -> None:
    watch = MemoryWatch({"vram": 3})
    assert after_graphs(watch, 10, 10, 10, 12, 14) == [Remedy.FREE]
    assert "4.0 GiB of VRAM" in watch.problem
    assert after_graphs(watch, 15, begins=5000) == [Remedy.RESTART]
    # It begins anew.
    assert after_graphs(watch, 15, 15, 15, 16, begins=9000) == []


def test_a_leak_that_freeing_ends_is_let_be() -> None:
    watch = MemoryWatch({"vram": 3})
    assert after_graphs(watch, 10, 10, 10, 14) == [Remedy.FREE]
    assert after_graphs(watch, 10, 10, begins=5000) == []
    assert after_graphs(watch, 14, begins=9000) == [Remedy.FREE]


def test_another_model_has_its_own_level() -> None:
    watch = MemoryWatch({"vram": 3})
    assert after_graphs(watch, 10, 10, 10) == []
    assert after_graphs(watch, 20, 20, 20, 21, begins=5000, model="larger") == []


def test_while_a_graph_is_in_hand_nothing_is_done() -> None:
    watch = MemoryWatch({"vram": 1})
    after_graphs(watch, 10, 10, 10)
    assert watch.look({"vram": 90 * GIB}, model="m", idle_since=None, now=9999) is None


async def test_a_comfyui_that_leaks_is_restarted_and_no_photo_is_lost(
    settings: ProductSettings,
    comfyui: ComfyUIServer,
    bucket: Storage,
    order: PlaceOrder,
    database: Database,
    anya: Player,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, seconds in (("SETTLED", 0.1), ("FREE_AFTER", 0.2), ("QUIET", 0.4)):
        monkeypatch.setattr(memory_watch, name, seconds)
    restarted = tmp_path / "restarted"
    settings = settings.model_copy(
        update={"leak_vram": 1.0, "comfyui_restart_command": f"touch {restarted}", "lease": 1}
    )
    comfyui.executor.leak = GIB
    photos: list[Any] = []
    async with worker_running(settings, watch_every=0.1):
        await until(database, well(1))
        async with asyncio.timeout(60):
            while not restarted.exists():
                photos.append(await settled(database, (await order(seed=len(photos))).id, "delivered", "failed"))
                # Long enough for the heartbeats to see it idle.
                await asyncio.sleep(1.5)
        comfyui.executor.leak = 0
        await comfyui.restart()
        photos.append(await settled(database, (await order(seed=99)).id, "delivered", "failed"))
        (row,) = await until(database, well(1))
    assert {photo.status for photo in photos} == {PhotoStatus.DELIVERED}
    assert sum(photo.failures for photo in photos) == 0
    assert "more between photos" in str(row.last_error)
