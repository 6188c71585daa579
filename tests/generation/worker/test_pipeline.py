"""A worker makes photos through faults: nobody is left without a photo or a word, nobody gets two."""

import asyncio
from typing import Any

import pytest
from arq import Worker
from sqlalchemy import func, update

from generation import storage
from generation.models import Photo, PhotoStatus
from generation.orders import jobs
from generation.runtime.database import Database
from generation.storage import Storage
from generation.worker.retry import MOST_CLAIMS
from sandbox.comfyui import ComfyUIServer
from sandbox.settings import ProductSettings
from sandbox.telegram import TelegramServer
from sandbox.wiring import worker_running
from tests.conftest import settled, told
from tests.generation.conftest import PlaceOrder
from tests.player import Player, says


async def test_premium_overtakes_the_free_photos_that_wait(
    settings: ProductSettings, bucket: Storage, order: PlaceOrder, database: Database, anya: Player, ben: Player
) -> None:
    free = [await order() for _ in range(6)]
    premium = await order(premium=True, chat_id=1002, owner_id=1002)
    async with worker_running(settings):
        rows = [await settled(database, photo.id, "delivered") for photo in [*free, premium]]
    claimed = sorted(rows, key=lambda row: (row.claimed_at is None, row.claimed_at))
    assert claimed[0].id == premium.id
    assert [row.id for row in claimed[1:]] == [photo.id for photo in free]


async def test_each_job_ends_and_leaves_nothing_in_redis(
    worker: Worker, settings: ProductSettings, order: PlaceOrder, database: Database, redis: Any, anya: Player
) -> None:
    photos = [await order() for _ in range(5)]
    for photo in photos:
        await settled(database, photo.id, "delivered")
    async with asyncio.timeout(10):
        while await redis.zcard(settings.arq_queue):
            await asyncio.sleep(0.02)
    assert await redis.keys(f"arq:job:{settings.arq_queue}:render_photo:*") == []
    assert len(await anya.photos()) == 5


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("render", "out_of_memory"),
        ("render", "black"),
        ("/view", "truncated"),
        ("/view", "drop"),
        ("/prompt", "drop"),
        ("render", "no_events"),
    ],
)
async def test_a_fault_of_one_attempt_costs_an_attempt_and_no_photo(
    worker: Worker,
    comfyui: ComfyUIServer,
    order: PlaceOrder,
    database: Database,
    anya: Player,
    path: str,
    kind: str,
) -> None:
    comfyui.faults.add(path=path, kind=kind)
    photo = await settled(database, (await order()).id, "delivered", "failed")
    assert photo.status is PhotoStatus.DELIVERED
    assert len(await anya.photos()) == 1


async def test_after_three_failed_attempts_the_person_is_told_once(
    worker: Worker, comfyui: ComfyUIServer, order: PlaceOrder, database: Database, anya: Player
) -> None:
    comfyui.faults.add(path="render", kind="out_of_memory", times=3)
    photo = await settled(database, (await order()).id, "failed")
    await anya.hears(says("It failed."))
    assert (photo.failures, photo.attempt) == (3, 3)
    assert "OutOfMemory" in (photo.error or "")
    await asyncio.sleep(1.5)
    assert [it["text"] for it in await anya.messages()] == ["It failed."]


async def test_a_graph_that_comfyui_refuses_is_not_tried_again_and_the_person_is_told(
    worker: Worker, settings: ProductSettings, order: PlaceOrder, database: Database, anya: Player
) -> None:
    photo = await settled(database, (await order(workflow="not-there")).id, "failed")
    await anya.hears(says("It failed."))
    assert photo.attempt == 1


async def test_a_comfyui_that_is_away_lets_photos_wait_and_counts_nothing(
    worker: Worker, comfyui: ComfyUIServer, order: PlaceOrder, database: Database, anya: Player
) -> None:
    comfyui.faults.add(path="/system_stats", kind="status", status=503, times=1)
    photo = await settled(database, (await order()).id, "delivered")
    assert photo.failures == 0


async def test_while_s3_is_away_photos_wait_and_no_render_is_lost(
    settings: ProductSettings,
    bucket: Storage,
    comfyui: ComfyUIServer,
    order: PlaceOrder,
    database: Database,
    anya: Player,
) -> None:
    away = settings.model_copy(update={"s3_bucket": "not-yet-there"})
    async with worker_running(away):
        photo = await order()
        await asyncio.sleep(1)
        assert comfyui.executor.renders == []
        async with storage.opened(away) as opened:
            await opened.create_bucket()
        row = await settled(database, photo.id, "delivered")
    assert comfyui.executor.renders == [1]
    assert row.failures == 0


async def test_a_dead_workers_job_does_not_keep_other_peoples_photos_waiting(
    settings: ProductSettings, bucket: Storage, order: PlaceOrder, database: Database, redis: Any, anya: Player
) -> None:
    photos = [await order() for _ in range(3)]
    # What kill -9 leaves behind: jobs that arq takes for running until their time limit.
    for photo in photos:
        await redis.psetex(f"arq:in-progress:{settings.arq_queue}:render_photo:{photo.id}:0", 300_000, b"1")
    async with worker_running(settings):
        for photo in photos:
            await settled(database, photo.id, "delivered")


async def test_a_429_is_obeyed_and_the_photo_is_sent_once(
    worker: Worker, telegram: TelegramServer, order: PlaceOrder, database: Database, anya: Player
) -> None:
    body = {"ok": False, "error_code": 429, "description": "Too Many Requests: retry after 1"}
    telegram.faults.add(
        path="/sendPhoto", kind="status", status=429, body=body | {"parameters": {"retry_after": 1}}
    )
    photo = await settled(database, (await order()).id, "delivered")
    assert photo.stored_at is not None
    assert photo.delivered_at is not None
    assert (photo.delivered_at - photo.stored_at).total_seconds() < 5
    assert len(await anya.photos()) == 1


async def test_server_errors_of_telegram_are_tried_again(
    worker: Worker, telegram: TelegramServer, order: PlaceOrder, database: Database, anya: Player
) -> None:
    body = {"ok": False, "error_code": 500, "description": "Internal Server Error"}
    telegram.faults.add(path="/sendPhoto", kind="status", status=500, body=body)
    await settled(database, (await order()).id, "delivered")
    assert len(await anya.photos()) == 1


@pytest.mark.parametrize("times", [1, 2])
async def test_a_gateways_page_leaves_it_open_whether_the_photo_arrived(
    worker: Worker, telegram: TelegramServer, order: PlaceOrder, database: Database, anya: Player, times: int
) -> None:
    telegram.faults.add(path="/sendPhoto", kind="status", status=502, text="<html>Bad Gateway</html>", times=times)
    await settled(database, (await order()).id, "unconfirmed")
    await anya.hears(says("Lost?"))
    assert await anya.photos() == []


async def test_a_stored_original_that_is_gone_ends_with_words(
    worker: Worker, place: PlaceOrder, database: Database, anya: Player
) -> None:
    photo = await place()
    async with database.unit() as session:
        await session.execute(update(Photo).values(status="stored", attempt=1, object_key="photos/gone.png"))
    await settled(database, photo.id, "failed")
    await anya.hears(says("It failed."))


async def test_a_photo_that_takes_comfyui_down_each_time_comes_to_an_end(
    worker: Worker, comfyui: ComfyUIServer, place: PlaceOrder, database: Database, anya: Player
) -> None:
    photo = await place()
    comfyui.faults.add(path="render", kind="stall")
    async with database.unit() as session:
        await session.execute(update(Photo).values(attempt=MOST_CLAIMS - 1))
    while comfyui.executor.running is None:
        await asyncio.sleep(0.01)
    await comfyui.restart()
    row = await settled(database, photo.id, "failed")
    assert row.error == "PromptLost: neither in the queue nor in the history"
    assert row.failures == 0
    await anya.hears(says("It failed."))


async def test_words_that_could_not_be_said_are_said_later(
    worker: Worker, telegram: TelegramServer, order: PlaceOrder, database: Database, anya: Player
) -> None:
    body = {"ok": False, "error_code": 429, "description": "Too Many Requests: retry after 1"}
    telegram.faults.add(
        path="/sendMessage", kind="status", status=429, body=body | {"parameters": {"retry_after": 1}}
    )
    await settled(database, (await order(workflow="not-there")).id, "failed")
    await anya.hears(says("It failed."))


async def test_words_without_an_answer_are_said_again_after_a_while(
    worker: Worker, telegram: TelegramServer, order: PlaceOrder, database: Database, anya: Player
) -> None:
    """They may have been heard or not: a repeated sentence is better than silence."""
    telegram.faults.add(path="/sendMessage", kind="drop")
    photo = await settled(database, (await order(workflow="not-there")).id, "failed")
    while telegram.faults.pending:
        await asyncio.sleep(0.01)
    assert await anya.messages() == []
    async with database.unit() as session:
        row = await session.get_one(Photo, photo.id)
        assert row.told_at is None
        # The while has passed.
        await session.execute(update(Photo).values(not_before=func.now()))
    await anya.hears(says("It failed."))
    await told(database, photo.id)


async def test_a_photo_whose_answer_got_lost_is_never_sent_twice_and_the_person_is_asked(
    worker: Worker, telegram: TelegramServer, order: PlaceOrder, database: Database, anya: Player
) -> None:
    telegram.faults.add(path="/sendPhoto", kind="lose_answer")
    await settled(database, (await order()).id, "unconfirmed")
    question = await anya.hears(says("Lost?"))
    assert question["reply_markup"]["inline_keyboard"][0][0]["text"] == "Again"
    assert len(await anya.photos()) == 1


async def test_a_person_who_blocked_the_bot_gets_nothing_and_the_row_says_why(
    worker: Worker, order: PlaceOrder, database: Database, anya: Player
) -> None:
    await anya.block()
    photo = await settled(database, (await order()).id, "failed")
    assert "blocked" in (photo.error or "")
    assert photo.told_at is not None
    assert await anya.messages() == []


async def test_a_chat_that_is_gone_ends_the_photo(worker: Worker, order: PlaceOrder, database: Database) -> None:
    photo = await settled(database, (await order(chat_id=424242)).id, "failed")
    assert "chat not found" in (photo.error or "")


async def test_the_reply_survives_a_message_that_was_deleted(
    worker: Worker, order: PlaceOrder, database: Database, anya: Player
) -> None:
    await settled(database, (await order(reply_to_message_id=777)).id, "delivered")
    assert "reply_to_message" not in (await anya.photos())[0]


async def test_a_job_that_redis_lost_is_rung_for_again(
    worker: Worker, settings: ProductSettings, place: PlaceOrder, database: Database, anya: Player
) -> None:
    await settled(database, (await place()).id, "delivered")


@pytest.mark.parametrize("status", ["rendering", "stored"])
async def test_the_photo_of_a_dead_worker_is_taken_over(
    settings: ProductSettings, bucket: Storage, place: PlaceOrder, database: Database, anya: Player, status: str
) -> None:
    done = await place()
    async with worker_running(settings):
        await announced(settings, done)
        row = await settled(database, done.id, "delivered")
    orphan = await place()
    async with database.unit() as session:
        await session.execute(
            update(Photo)
            .where(Photo.id == orphan.id)
            .values(status=status, attempt=1, worker="dead", lease_until=None, object_key=row.object_key)
        )
    async with worker_running(settings):
        taken = await settled(database, orphan.id, "delivered")
    assert taken.attempt == 2
    assert len(await anya.photos()) == 2


async def test_a_worker_that_died_while_sending_never_leads_to_a_second_photo(
    settings: ProductSettings, bucket: Storage, place: PlaceOrder, database: Database, anya: Player
) -> None:
    photo = await place()
    async with database.unit() as session:
        await session.execute(update(Photo).values(status="sending", attempt=1, worker="dead", lease_until=None))
    async with worker_running(settings):
        await anya.hears(says("Lost?"))
        await told(database, photo.id)
    assert await anya.photos() == []


async def test_a_photo_that_kills_its_worker_each_time_comes_to_an_end(
    settings: ProductSettings, bucket: Storage, place: PlaceOrder, database: Database, anya: Player
) -> None:
    photo = await place()
    async with database.unit() as session:
        await session.execute(
            update(Photo).values(status="rendering", attempt=3, failures=2, worker="dead", lease_until=None)
        )
    async with worker_running(settings):
        await settled(database, photo.id, "failed")
        await anya.hears(says("It failed."))


async def test_two_workers_share_one_queue_and_make_each_photo_once(
    settings: ProductSettings, bucket: Storage, order: PlaceOrder, database: Database, anya: Player, ben: Player
) -> None:
    photos = [await order(chat_id=1001 + n % 2) for n in range(10)]
    async with worker_running(settings), worker_running(settings):
        for photo in photos:
            await settled(database, photo.id, "delivered")
    assert len(await anya.photos()) == len(await ben.photos()) == 5


async def announced(settings: ProductSettings, photo: Photo) -> None:
    redis = jobs.connect(settings.redis_url, queue=settings.arq_queue, retries=1)
    await jobs.enqueue_render(redis, photo, premium_head_start=0)
    await redis.aclose()
