"""Orders, and a ComfyUI client that listens."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from generation.backends.comfyui import ComfyUI
from generation.models import Orientation, Photo
from generation.orders import jobs, placing
from generation.orders.placing import PhotoOrder, PhotoWords
from generation.runtime.database import Database
from sandbox.comfyui import ComfyUIServer
from sandbox.settings import ProductSettings

WORDS = PhotoWords(failed="It failed.", unconfirmed="Lost?", send_again="Again", send_again_data="photo_again")
_numbers = itertools.count(1)


def an_order(**changes: Any) -> PhotoOrder:
    values: dict[str, Any] = {
        "dedup_key": f"test:{next(_numbers)}",
        "chat_id": 1001,
        "owner_id": 1001,
        "reply_to_message_id": None,
        "requested": True,
        "premium": False,
        "rule": "request",
        "reason": "a test",
        "workflow": "z-image-turbo",
        "orientation": Orientation.PORTRAIT,
        "prompt": "a woman by a window, soft light",
        "negative_prompt": "",
        "seed": 1,
        "words": WORDS,
    }
    return PhotoOrder(**values | changes)


PlaceOrder = Callable[..., Awaitable[Photo]]


@pytest.fixture
def place(database: Database) -> PlaceOrder:
    """Write an order down without ringing."""

    async def place(**changes: Any) -> Photo:
        async with database.unit() as session:
            return await placing.place(
                session, an_order(**changes), queue_limit=1000, premium_head_start=3600, lease=2
            )

    return place


@pytest.fixture
def order(place: PlaceOrder, settings: ProductSettings, redis: Any) -> PlaceOrder:
    """Write an order down and ring, as the bot does."""

    async def order(**changes: Any) -> Photo:
        photo = await place(**changes)
        await jobs.enqueue_render(redis, photo, premium_head_start=settings.premium_head_start)
        return photo

    return order


@pytest_asyncio.fixture
async def client(comfyui: ComfyUIServer) -> AsyncIterator[ComfyUI]:
    async with aiohttp.ClientSession() as session:
        client = ComfyUI(session, comfyui.url, poll=0.05)
        listening = asyncio.create_task(client.listen())
        yield client
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
