"""Several photos in one graph: each person gets her own picture, and one bad item costs the others nothing."""

import asyncio
import io
from pathlib import Path

import pytest
from arq import ArqRedis
from PIL import Image
from sqlalchemy import select

from generation.errors import WorkflowError
from generation.models import Orientation, Photo, PhotoStatus
from generation.orders import jobs
from generation.runtime.database import Database
from generation.storage import Storage
from generation.workflows import workflow
from generation.workflows.definition import BatchWay
from generation.workflows.workflow import Filling
from sandbox.comfyui import ComfyUIServer, Cost
from sandbox.comfyui.nodes import NODES
from sandbox.comfyui.validation import validate
from sandbox.settings import ProductSettings
from sandbox.telegram import TelegramServer
from sandbox.wiring import worker_running
from tests.conftest import settled
from tests.generation.conftest import PlaceOrder
from tests.player import Player

FOLDER = Path(__file__).parents[3] / "sandbox" / "workflows"
WORKFLOWS = workflow.load_all(FOLDER)


@pytest.fixture
def settings(settings: ProductSettings) -> ProductSettings:
    return settings.model_copy(update={"workflows_folder": str(FOLDER)})


def fillings(count: int) -> list[Filling]:
    return [
        Filling(
            prompt=f"scene {number}",
            negative_prompt="",
            seed=100 + number,
            orientation=Orientation.PORTRAIT,
            filename_prefix=f"vitte/{number}",
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("name", ["branches", "one-pass", "one-pass-sdxl"])
def test_a_graph_of_several_photos_is_valid_and_tells_where_each_comes_out(name: str) -> None:
    graph, places = WORKFLOWS[name].fill(fillings(3))
    outputs, errors = validate(graph, NODES)
    assert errors == {}
    assert len(set(places)) == 3
    assert {place.node for place in places} == set(outputs)
    loaders = [node for node in graph.values() if "Loader" in node["class_type"]]
    assert len(loaders) == len([node for node in WORKFLOWS[name].graph.values() if "Loader" in node["class_type"]])


def test_branches_keep_prompt_and_seed_of_a_photo_together() -> None:
    graph, places = WORKFLOWS["branches"].fill(fillings(3))
    for number, place in enumerate(places):
        decode = graph[graph[place.node]["inputs"]["images"][0]]
        sampler = graph[decode["inputs"]["samples"][0]]["inputs"]
        assert sampler["seed"] == 100 + number
        assert graph[sampler["positive"][0]]["inputs"]["text"] == f"scene {number}"


def test_a_workflow_that_renders_one_by_one_takes_one() -> None:
    assert WORKFLOWS["one-by-one"].way is BatchWay.ONE_BY_ONE
    assert WORKFLOWS["one-by-one"].seconds() == [10.0]
    with pytest.raises(WorkflowError, match="one photo at a time"):
        WORKFLOWS["one-by-one"].fill(fillings(2))


async def warm(database: Database, place: PlaceOrder, *names: str) -> None:
    """Two photos alone: batches begin when a worker knows what one costs, the model being loaded."""
    for name in names:
        for number in range(2):
            photo = await place(owner_id=100 + number, seed=number, workflow=name)
            await settled(database, photo.id, "delivered")


async def waiting(
    database: Database, redis: ArqRedis, place: PlaceOrder, count: int, **changes: object
) -> list[Photo]:
    photos = [
        await place(chat_id=1001 + n % 2, seed=n, prompt=f"scene {n}", owner_id=n, **changes) for n in range(count)
    ]
    for photo in photos:
        await jobs.enqueue_render(redis, photo, premium_head_start=0)
    return photos


@pytest.mark.parametrize("name", ["branches", "one-pass"])
async def test_each_photo_of_a_batch_is_the_one_it_would_have_been_alone(
    settings: ProductSettings, bucket: Storage, place: PlaceOrder, database: Database, redis: ArqRedis, name: str,
    anya: Player, ben: Player,
) -> None:  # fmt: skip
    """Compared with the same orders rendered one by one."""
    batched = await waiting(database, redis, place, 4, workflow=name)
    single = await waiting(database, redis, place, 4, workflow="one-by-one")
    async with worker_running(settings, hand_over_lead=0.01):
        pairs = [
            (await settled(database, together.id, "delivered"), await settled(database, alone.id, "delivered"))
            for together, alone in zip(batched, single, strict=True)
        ]
    for together, alone in pairs:
        assert await _pixels(bucket, together) == await _pixels(bucket, alone)


async def _pixels(bucket: Storage, photo: Photo) -> bytes:
    assert photo.object_key is not None
    content = await bucket.get(photo.object_key)
    with Image.open(io.BytesIO(content)) as image:
        return image.tobytes()


async def test_a_full_queue_is_rendered_in_batches_of_four(
    settings: ProductSettings, bucket: Storage, comfyui: ComfyUIServer, place: PlaceOrder, database: Database,
    redis: ArqRedis, anya: Player, ben: Player,
) -> None:  # fmt: skip
    # A pass of four takes the time of one.
    comfyui.executor.cost = Cost(batch=(0.1, 0.1, 0.1, 0.1), swap=0)
    photos = await waiting(database, redis, place, 24, workflow="one-pass")
    async with worker_running(settings, hand_over_lead=0.01):
        rows = [await settled(database, photo.id, "delivered") for photo in photos]
    assert len(comfyui.executor.renders) < 12
    assert max(comfyui.executor.renders) == 4
    assert {row.batch_size for row in rows} >= {4}
    assert all(row.render_seconds for row in rows)


async def test_one_bad_item_is_tried_again_alone_and_the_others_keep_theirs(
    settings: ProductSettings, bucket: Storage, comfyui: ComfyUIServer, place: PlaceOrder, database: Database,
    redis: ArqRedis, anya: Player, ben: Player,
) -> None:  # fmt: skip
    async with worker_running(settings, hand_over_lead=0.01):
        await warm(database, place, "one-pass")
        comfyui.faults.add(path="render", kind="black")
        photos = await waiting(database, redis, place, 4, workflow="one-pass")
        rows = [await settled(database, photo.id, "delivered") for photo in photos]
    assert sorted((row.attempt, row.failures, row.alone) for row in rows) == [
        (1, 0, False), (1, 0, False), (1, 0, False), (2, 1, True),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["branches", "one-pass"])
async def test_a_batch_that_fails_as_a_whole_is_split_and_nobody_is_blamed(
    settings: ProductSettings, bucket: Storage, comfyui: ComfyUIServer, place: PlaceOrder, database: Database,
    redis: ArqRedis, anya: Player, ben: Player, name: str,
) -> None:  # fmt: skip
    async with worker_running(settings, hand_over_lead=0.01):
        await warm(database, place, name)
        comfyui.executor.cost = Cost(batch=(0.1, 0.1, 0.1, 0.1), swap=0)
        comfyui.faults.add(path="render", kind="out_of_memory")
        photos = await waiting(database, redis, place, 4, workflow=name)
        rows = [await settled(database, photo.id, "delivered") for photo in photos]
    assert [row.failures for row in rows if row.alone] == [0] * sum(row.alone for row in rows)
    assert sum(row.failures for row in rows) <= 1


async def test_the_photo_that_breaks_its_batch_ends_with_words_and_the_others_arrive(
    settings: ProductSettings, bucket: Storage, comfyui: ComfyUIServer, place: PlaceOrder, database: Database,
    redis: ArqRedis, telegram: TelegramServer, anya: Player, ben: Player,
) -> None:  # fmt: skip
    async with worker_running(settings, hand_over_lead=0.01):
        await warm(database, place, "one-pass")
        comfyui.executor.cost = Cost(batch=(0.1, 0.1, 0.1, 0.1), swap=0)
        comfyui.executor.poison = "scene 2"
        photos = await waiting(database, redis, place, 4, workflow="one-pass")
        rows = [await settled(database, photo.id, "delivered", "failed") for photo in photos]
    assert [row.status for row in rows] == [
        PhotoStatus.DELIVERED, PhotoStatus.DELIVERED, PhotoStatus.FAILED, PhotoStatus.DELIVERED,
    ]  # fmt: skip
    assert [row.failures for row in rows] == [0, 0, settings.photo_attempts, 0]


async def test_models_are_swapped_seldom_when_two_of_them_are_mixed(
    settings: ProductSettings, bucket: Storage, comfyui: ComfyUIServer, place: PlaceOrder, database: Database,
    redis: ArqRedis, anya: Player, ben: Player,
) -> None:  # fmt: skip
    photos = [
        await place(chat_id=1001, owner_id=n, workflow=name)
        for n, name in enumerate(["one-pass", "one-pass-sdxl"] * 8)
    ]
    for photo in photos:
        await jobs.enqueue_render(redis, photo, premium_head_start=0)
    async with worker_running(settings, hand_over_lead=0.01):
        for photo in photos:
            await settled(database, photo.id, "delivered")
    assert comfyui.executor.swaps == 2


async def test_the_gpu_never_waits_while_photos_wait(
    settings: ProductSettings, bucket: Storage, comfyui: ComfyUIServer, place: PlaceOrder, database: Database,
    redis: ArqRedis, anya: Player, ben: Player,
) -> None:  # fmt: skip
    """The next graph lies in ComfyUI's queue before the one that renders is done."""
    # Slow enough that a busy machine hands over in time.
    comfyui.executor.cost = Cost(batch=(0.5,), swap=0)
    photos = await waiting(database, redis, place, 8, workflow="one-by-one")
    depths = comfyui.executor.waiting_at_end
    async with worker_running(settings, hand_over_lead=0.35):
        for photo in photos:
            await settled(database, photo.id, "delivered")
    # The first graphs only teach how long one takes; nothing waits behind the last.
    assert max(depths) == 1
    behind = depths[2:-1]
    # A machine that stands still for a second makes one graph long, and the next one comes late.
    assert sum(behind) >= len(behind) - 2


async def test_a_premium_photo_behind_many_free_ones_starts_after_two_graphs_at_most(
    settings: ProductSettings, bucket: Storage, comfyui: ComfyUIServer, place: PlaceOrder, database: Database,
    redis: ArqRedis, anya: Player, ben: Player,
) -> None:  # fmt: skip
    comfyui.executor.cost = Cost(batch=(0.1,), swap=0)
    await waiting(database, redis, place, 30, workflow="one-by-one")
    async with worker_running(settings, hand_over_lead=0.01):
        async with asyncio.timeout(20):
            while len(comfyui.executor.renders) < 3:
                await asyncio.sleep(0.01)
        rendered = len(comfyui.executor.renders)
        premium = await place(premium=True, owner_id=99, workflow="one-by-one")
        row = await settled(database, premium.id, "delivered")
    async with database.unit() as session:
        before = (await session.scalars(select(Photo.id).where(Photo.claimed_at < row.claimed_at))).all()
    assert len(before) <= rendered + 2
