"""The bucket: nobody reads, lists or writes without keys, and keys of objects name nobody."""

import asyncio
import re
import uuid
from datetime import UTC, datetime

import aiohttp
import pytest

from generation import storage
from generation.errors import ObjectGone, StorageUnavailable
from generation.models import PhotoStatus
from generation.runtime.database import Database
from generation.storage import Storage, object_key
from sandbox.comfyui import ComfyUIServer
from sandbox.object_store import ObjectStore
from sandbox.settings import ProductSettings
from sandbox.wiring import worker_running
from tests.conftest import settled
from tests.generation.conftest import PlaceOrder
from tests.player import Player


@pytest.mark.parametrize(("method", "path"), [("GET", "/photos/x.png"), ("GET", ""), ("PUT", "/photos/y.png")])
async def test_without_keys_it_answers_nobody(
    settings: ProductSettings, bucket: Storage, method: str, path: str
) -> None:
    await bucket.put("photos/x.png", b"original")
    url = f"{settings.s3_endpoint_url}/{settings.s3_bucket}{path}"
    async with aiohttp.ClientSession() as session, session.request(method, url) as answer:
        # MinIO says 403; rclone calls a request without a signature a bad one.
        assert answer.status in {400, 401, 403}
        assert b"original" not in await answer.read()
    with pytest.raises(ObjectGone):
        await bucket.get("photos/y.png")


def test_a_key_is_a_month_and_a_random_number() -> None:
    key = object_key(uuid.uuid4(), datetime(2026, 11, 24, tzinfo=UTC))
    assert re.fullmatch(r"photos/2026/11/[0-9a-f-]{36}\.png", key)


@pytest.mark.parametrize(
    ("method", "code", "words"),
    [
        ("PUT", "XMinioStorageFull", "the S3 server is full"),
        ("PUT", "QuotaExceeded", "quota"),
        ("PUT", "AccessDenied", "may not write and delete in 'photos-of-ours'"),
        ("DELETE", "AccessDenied", "may not write and delete in 'photos-of-ours'"),
        ("PUT", "SignatureDoesNotMatch", "S3_SECRET_KEY"),
        ("PUT", "InvalidAccessKeyId", "S3_ACCESS_KEY is unknown"),
        ("PUT", "RequestTimeTooSkewed", "the clock of this machine"),
        ("PUT", "NoSuchBucket", "there is no bucket 'photos-of-ours'"),
    ],
)
async def test_the_check_stores_and_deletes_and_says_what_is_wrong(
    settings: ProductSettings, method: str, code: str, words: str
) -> None:
    async with ObjectStore() as store:
        store.refuse = {method: code}
        settings = settings.model_copy(update={"s3_endpoint_url": store.url, "s3_bucket": "photos-of-ours"})
        async with storage.opened(settings) as opened:
            with pytest.raises(StorageUnavailable, match=words):
                await opened.check()
            store.refuse = {}
            await opened.check()
            assert "probes/" not in " ".join(store.objects) or method == "DELETE"


async def test_a_token_that_may_not_ask_for_the_bucket_is_enough(settings: ProductSettings) -> None:
    """As those of Cloudflare's R2 that are bound to objects (remotely-save issue 826)."""
    async with ObjectStore() as store:
        store.refuse = {"HEAD": "AccessDenied"}
        settings = settings.model_copy(update={"s3_endpoint_url": store.url})
        async with storage.opened(settings) as opened:
            await opened.check()


async def test_while_the_server_is_full_no_photo_is_rendered_for_nothing(
    settings: ProductSettings, order: PlaceOrder, database: Database, comfyui: ComfyUIServer, anya: Player
) -> None:
    async with ObjectStore() as store:
        settings = settings.model_copy(update={"s3_endpoint_url": store.url})
        async with worker_running(settings):
            await settled(database, (await order()).id, "delivered")
            store.refuse = {"PUT": "XMinioStorageFull"}
            placed = [await order(seed=100 * number) for number in range(1, 4)]
            while len(comfyui.executor.renders) < 2:
                await asyncio.sleep(0.02)
            # Long enough for dozens of renders.
            await asyncio.sleep(3)
            store.refuse = {}
            photos = [await settled(database, photo.id, "delivered", "failed") for photo in placed]
    assert [photo.status for photo in photos] == [PhotoStatus.DELIVERED] * 3
    # What was rendered already waits to be stored; nothing is rendered twice.
    assert len(comfyui.executor.renders) == 4
