"""What a picture shows is looked at before anybody sees it: another try, a stricter prompt, and honest words."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from arq import Worker
from PIL import Image

from generation.delivery import picture_check
from generation.delivery.picture_check import PictureCheck
from generation.models import PhotoStatus
from generation.runtime.database import Database
from generation.runtime.processes import Processes, ProcessLost
from generation.runtime.settings import WrongSettings
from generation.settings import PictureSettings
from generation.storage import Storage, reference_key
from generation.worker.rendering.renderer import STRICTER, STRICTLY_NOT
from sandbox.comfyui import ComfyUIServer
from sandbox.settings import ProductSettings
from sandbox.wiring import worker_running
from tests.conftest import settled, told
from tests.generation.conftest import WORDS, PlaceOrder
from tests.generation.delivery import face_models
from tests.player import Player

REDNESS = str(Path(__file__).parents[1] / "delivery" / "classifiers" / "redness.toml")


@pytest.fixture
def settings(settings: ProductSettings) -> ProductSettings:
    return settings.model_copy(update={"picture_classifier": REDNESS})


async def _prompts(comfyui: ComfyUIServer) -> list[str]:
    """All texts of each graph, as it was given to ComfyUI."""
    async with aiohttp.ClientSession() as session, session.get(f"{comfyui.url}/history") as response:
        history = await response.json()
    graphs = [entry["prompt"][2] for entry in sorted(history.values(), key=lambda entry: entry["prompt"][0])]
    return [
        " | ".join(str(value) for node in graph.values() for value in node["inputs"].values()) for graph in graphs
    ]


async def test_a_picture_that_shows_too_much_is_made_anew_with_a_stricter_prompt(
    worker: Worker, comfyui: ComfyUIServer, order: PlaceOrder, database: Database, anya: Player
) -> None:
    comfyui.faults.add(path="render", kind="red")
    photo = await settled(database, (await order(workflow="sdxl")).id, "delivered", "failed")
    assert (photo.status, photo.attempt, photo.failures) == (PhotoStatus.DELIVERED, 2, 1)
    first, second = await _prompts(comfyui)
    assert STRICTER not in first
    assert STRICTER in second
    assert STRICTLY_NOT in second
    assert len(await anya.photos()) == 1


async def test_when_every_picture_shows_too_much_the_person_is_told_so(
    worker: Worker, comfyui: ComfyUIServer, order: PlaceOrder, database: Database, anya: Player
) -> None:
    comfyui.faults.add(path="render", kind="red", times=3)
    photo = await settled(database, (await order(words=replace(WORDS, unfit="Too revealing."))).id, "failed")
    assert str(photo.error).startswith("ShowsTooMuch")
    await told(database, photo.id)
    assert [it["text"] for it in await anya.messages() if it["from"]["id"] != 1001] == ["Too revealing."]
    assert not await anya.photos()


async def test_whoever_may_have_it_gets_it(
    worker: Worker, comfyui: ComfyUIServer, order: PlaceOrder, database: Database, anya: Player
) -> None:
    comfyui.faults.add(path="render", kind="red")
    photo = await settled(database, (await order(explicit=True)).id, "delivered", "failed")
    assert (photo.status, photo.attempt) == (PhotoStatus.DELIVERED, 1)


async def test_a_portrait_without_a_face_is_made_anew_and_a_landscape_is_not(
    worker: Worker, comfyui: ComfyUIServer, order: PlaceOrder, database: Database, anya: Player
) -> None:
    # To this classifier blue is a face; red is none, and to whom it is allowed nothing else is wrong with it.
    comfyui.faults.add(path="render", kind="red")
    portrait = await settled(database, (await order(explicit=True, face_due=True)).id, "delivered", "failed")
    assert (portrait.status, portrait.attempt) == (PhotoStatus.DELIVERED, 2)
    assert not portrait.stricter


async def test_what_nobody_could_look_at_is_not_sent(
    worker: Worker, order: PlaceOrder, database: Database, anya: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(*_arguments: Any, **_options: Any) -> None:
        raise ProcessLost("TimeoutError")

    await settled(database, (await order()).id, "delivered")
    monkeypatch.setattr(Processes, "run", lost)
    photo = await settled(database, (await order()).id, "delivered", "failed")
    assert photo.status is PhotoStatus.FAILED
    assert str(photo.error).startswith("NotLookedAt")
    assert len(await anya.photos()) == 1


@pytest.mark.parametrize("name", ["gone", "/nowhere/own.toml"])
async def test_a_classifier_that_cannot_work_stops_the_start_with_a_sentence(name: str) -> None:
    check = PictureCheck(PictureSettings.example(picture_classifier=name))
    with pytest.raises(WrongSettings, match="PICTURE_CLASSIFIER is wrong: there is no classifier"):
        await check.open()
    await check.close()


async def test_without_a_classifier_nothing_is_looked_at() -> None:
    check = PictureCheck(PictureSettings.example(picture_classifier=picture_check.NONE))
    await check.open()
    await check.check(None, b"")  # type: ignore[arg-type] # nothing is asked of it
    await check.close()


def _with_faces(settings: ProductSettings, folder: Path, likeness: float) -> ProductSettings:
    models = {"face_detector": face_models.detector(folder), "face_embedder": face_models.embedder(folder)}
    return settings.model_copy(
        update={"picture_classifier": picture_check.NONE, "face_likeness": likeness} | models
    )


async def _her_picture(bucket: Storage) -> str:
    """A reference with a face of the colour of nothing that is drawn."""
    picture = Image.new("RGB", (300, 300), "#ff0000")
    picture.paste(Image.new("RGB", (128, 128), "#00ff00"), (64, 64))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    key = reference_key("vitte-0123.png")
    await bucket.put(key, buffer.getvalue())
    return key


@pytest.mark.parametrize(("wanted", "attempts"), [(1.0, 2), (-1.0, 1)])
async def test_an_unlike_face_is_worth_one_more_seed_and_then_sent(
    settings: ProductSettings,
    tmp_path: Path,
    bucket: Storage,
    order: PlaceOrder,
    database: Database,
    anya: Player,
    wanted: float,
    attempts: int,
) -> None:
    key = await _her_picture(bucket)
    async with worker_running(_with_faces(settings, tmp_path, wanted)):
        placed = await order(workflow="flux2-klein", inputs={"reference_1": key})
        photo = await settled(database, placed.id, "delivered", "failed")
    assert (photo.status, photo.attempt) == (PhotoStatus.DELIVERED, attempts)
    assert photo.face_likeness is not None
    assert 0 <= photo.face_likeness < 1
    assert len(await anya.photos()) == 1


async def test_a_workflow_without_references_is_not_compared(
    settings: ProductSettings, tmp_path: Path, bucket: Storage, order: PlaceOrder, database: Database, anya: Player
) -> None:
    key = await _her_picture(bucket)
    async with worker_running(_with_faces(settings, tmp_path, 1.0)):
        placed = await order(workflow="sdxl", inputs={"reference_1": key})
        photo = await settled(database, placed.id, "delivered", "failed")
    assert (photo.status, photo.attempt, photo.face_likeness) == (PhotoStatus.DELIVERED, 1, None)


async def test_a_portrait_needs_a_face_by_the_detector(
    settings: ProductSettings,
    tmp_path: Path,
    bucket: Storage,
    comfyui: ComfyUIServer,
    order: PlaceOrder,
    database: Database,
    anya: Player,
) -> None:
    comfyui.faults.add(path="render", kind="red")
    async with worker_running(_with_faces(settings, tmp_path, 0.0)):
        placed = await order(face_due=True, prompt="a woman, wearing a blue dress")
        photo = await settled(database, placed.id, "delivered", "failed")
    assert (photo.status, photo.attempt) == (PhotoStatus.DELIVERED, 2)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"face_embedder": "sface.onnx"}, "name that as well"),
        ({"face_detector": "/nowhere/yunet.onnx"}, "FACE_DETECTOR or FACE_EMBEDDER is wrong"),
    ],
)
async def test_face_models_that_cannot_work_stop_the_start(values: dict[str, str], words: str) -> None:
    check = PictureCheck(PictureSettings.example(picture_classifier=picture_check.NONE, **values))
    with pytest.raises(WrongSettings, match=words):
        await check.open()
    await check.close()
