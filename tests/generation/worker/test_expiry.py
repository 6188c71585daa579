"""A photo whose scene is over is never delivered late: quietly dropped, or with words when it was asked for."""

from dataclasses import replace

from generation.models import PhotoStatus
from generation.runtime.database import Database
from generation.storage import Storage
from sandbox.comfyui import ComfyUIServer, Cost
from sandbox.settings import ProductSettings
from sandbox.telegram import TelegramServer
from sandbox.wiring import worker_running
from tests.conftest import settled
from tests.generation.conftest import WORDS, PlaceOrder
from tests.player import Player, says

LATE = replace(WORDS, too_late="Too late.")


async def test_what_waited_too_long_for_a_gpu_is_not_rendered(
    settings: ProductSettings,
    bucket: Storage,
    comfyui: ComfyUIServer,
    place: PlaceOrder,
    database: Database,
    anya: Player,
) -> None:
    quiet = await place(requested=False, expires_in=0.01)
    asked = await place(requested=True, expires_in=0.01, words=LATE)
    async with worker_running(settings):
        assert (await settled(database, quiet.id, "dropped", "failed")).status is PhotoStatus.DROPPED
        await settled(database, asked.id, "failed")
        await anya.hears(says("Too late."))
    assert comfyui.executor.renders == []
    assert len(await anya.messages()) == 1


async def test_what_became_too_late_while_it_rendered_is_not_sent(
    settings: ProductSettings,
    bucket: Storage,
    comfyui: ComfyUIServer,
    order: PlaceOrder,
    database: Database,
    anya: Player,
) -> None:
    comfyui.executor.cost = Cost(batch=(1.2,), swap=0)
    async with worker_running(settings):
        photo = await order(requested=False, expires_in=1)
        await settled(database, photo.id, "dropped")
    assert await anya.messages() == []


async def test_what_became_too_late_while_telegram_made_us_wait_is_not_sent(
    settings: ProductSettings,
    bucket: Storage,
    telegram: TelegramServer,
    order: PlaceOrder,
    database: Database,
    anya: Player,
) -> None:
    body = {"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": 3}}
    telegram.faults.add(path="/sendPhoto", kind="status", status=429, body=body)
    async with worker_running(settings):
        photo = await order(requested=True, expires_in=2.5, words=LATE)
        await settled(database, photo.id, "failed")
        await anya.hears(says("Too late."))
    assert await anya.photos() == []


async def test_in_time_is_in_time(
    settings: ProductSettings, bucket: Storage, order: PlaceOrder, database: Database, anya: Player
) -> None:
    async with worker_running(settings):
        await settled(database, (await order(requested=False, expires_in=60)).id, "delivered")
    assert len(await anya.photos()) == 1
