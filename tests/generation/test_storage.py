"""The bucket: nobody reads, lists or writes without keys, and keys of objects name nobody."""

import re
import uuid
from datetime import UTC, datetime

import aiohttp
import pytest

from generation.errors import ObjectGone
from generation.storage import Storage, object_key
from sandbox.settings import ProductSettings


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
