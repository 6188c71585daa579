"""A persona's reference picture goes from S3 into the graph; without it there is no photo of somebody else."""

from pathlib import Path

from bot.personas.references import read
from generation.runtime.database import Database
from generation.storage import Storage, reference_key
from sandbox.comfyui import ComfyUIServer
from sandbox.settings import ProductSettings
from sandbox.wiring import worker_running
from tests.conftest import settled
from tests.generation.conftest import PlaceOrder
from tests.player import Player

PERSONAS = Path(__file__).parents[3] / "bot" / "personas" / "data"
ALISA = read(PERSONAS / "alisa.jpg")


async def test_a_reference_is_fetched_and_brought_once_for_many_photos(
    settings: ProductSettings,
    comfyui: ComfyUIServer,
    bucket: Storage,
    order: PlaceOrder,
    database: Database,
    anya: Player,
) -> None:
    await bucket.put(reference_key(ALISA.name), ALISA.content)
    async with worker_running(settings):
        for _ in range(2):
            photo = await order(workflow="flux2-klein", inputs={"reference_1": reference_key(ALISA.name)})
            await settled(database, photo.id, "delivered")
    assert comfyui.uploads == [ALISA.name]
    assert len(await anya.photos()) == 2


async def test_a_photo_without_its_reference_is_not_made(
    settings: ProductSettings,
    comfyui: ComfyUIServer,
    bucket: Storage,
    order: PlaceOrder,
    database: Database,
    anya: Player,
) -> None:
    async with worker_running(settings):
        photo = await order(workflow="flux2-klein", inputs={"reference_1": "references/vitte-gone.jpg"})
        row = await settled(database, photo.id, "failed")
    assert "the reference picture references/vitte-gone.jpg is not in S3" in (row.error or "")
    assert comfyui.executor.renders == []


async def test_a_workflow_without_references_does_not_ask_for_them(
    settings: ProductSettings, bucket: Storage, order: PlaceOrder, database: Database, anya: Player
) -> None:
    async with worker_running(settings):
        photo = await order(inputs={"reference_1": reference_key(ALISA.name)})
        await settled(database, photo.id, "delivered")


async def test_the_last_photo_of_the_scene_goes_along_while_it_is_there(
    settings: ProductSettings,
    comfyui: ComfyUIServer,
    bucket: Storage,
    order: PlaceOrder,
    database: Database,
    anya: Player,
) -> None:
    await bucket.put(reference_key(ALISA.name), ALISA.content)
    her: dict[str, str | float] = {"reference_1": reference_key(ALISA.name)}
    async with worker_running(settings):
        first = await settled(database, (await order(workflow="flux2-klein", inputs=her)).id, "delivered")
        assert first.object_key
        again = await order(workflow="flux2-klein", inputs=her | {"scene_photo": first.object_key})
        await settled(database, again.id, "delivered")
        assert comfyui.uploads == [ALISA.name, f"vitte-{first.key}.png"]
        gone = await order(workflow="flux2-klein", inputs=her | {"scene_photo": "photos/2026/01/gone.png"})
        await settled(database, gone.id, "delivered")
    assert len(comfyui.uploads) == 2
