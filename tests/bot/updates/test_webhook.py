"""The webhook takes updates from Telegram alone, and only after it has written them down."""

import io

import aiohttp
import pytest

from bot.updates.webhook import SECRET_HEADER, WEBHOOK_PATH
from generation.storage import Storage
from sandbox.settings import ProductSettings
from sandbox.sockets import free_port
from sandbox.telegram import TelegramServer
from sandbox.wiring import bot_running
from tests.player import Player, has_text


@pytest.fixture
def by_webhook(settings: ProductSettings) -> ProductSettings:
    port = free_port()
    values = settings.model_dump() | {
        "webhook_url": f"http://127.0.0.1:{port}",
        "webhook_port": port,
        "webhook_secret": "a-secret",
    }
    return ProductSettings.example(**values)


async def test_a_person_chats_over_the_webhook(by_webhook: ProductSettings, bucket: Storage, ben: Player) -> None:
    async with bot_running(by_webhook):
        await ben.enter("Alisa")
        await ben.say("Hello")
        await ben.hears(has_text)


async def test_who_does_not_know_the_secret_is_refused(
    by_webhook: ProductSettings, bucket: Storage, ben: Player, telegram: TelegramServer
) -> None:
    async with bot_running(by_webhook), aiohttp.ClientSession() as session:
        await ben.enter("Alisa")
        address = f"{by_webhook.webhook_url}{WEBHOOK_PATH}"
        for headers in ({}, {SECRET_HEADER: "wrong"}):
            async with session.post(address, json={"update_id": 1}, headers=headers) as response:
                assert response.status == 403
        good = {SECRET_HEADER: "a-secret"}
        async with session.post(address, data=b"{not json", headers=good) as response:
            assert response.status == 200
        async with session.post(address, data=io.BytesIO(b"x" * 2_000_000), headers=good) as response:
            assert response.status == 413


async def test_a_webhook_without_a_secret_stops_the_start() -> None:
    with pytest.raises(ValueError, match="WEBHOOK_SECRET"):
        ProductSettings.example(
            database_url="postgresql://x/y",
            redis_url="redis://x",
            s3_endpoint_url="http://x",
            s3_access_key="k",
            s3_secret_key="s",
            comfyui_url="http://x",
            bot_token="1:abcdefghij",
            llm_base_url="http://x",
            llm_api_key="k",
            llm_model="m",
            webhook_url="https://example.org",
        )
