"""The webhook takes updates from Telegram alone, and only after it has written them down."""

import asyncio
import io
import logging

import aiohttp
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from bot.updates.inbox import Inbox
from bot.updates.webhook import SECRET_HEADER, WEBHOOK_PATH, Connections
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


async def test_while_postgresql_is_away_posts_are_refused_with_one_line(
    by_webhook: ProductSettings, bucket: Storage, ben: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Telegram delivers what was refused again."""
    good = {SECRET_HEADER: "a-secret"}
    receive = Inbox.receive

    async def away(*_arguments: object) -> None:
        raise ConnectionRefusedError

    async with bot_running(by_webhook), aiohttp.ClientSession() as session:
        await ben.enter("Alisa")
        monkeypatch.setattr(Inbox, "receive", away)
        address = f"{by_webhook.webhook_url}{WEBHOOK_PATH}"
        with capture_logs() as lines:
            for number in range(5):
                update = {"update_id": 10_000 + number}
                async with session.post(address, json=update, headers=good) as response:
                    assert response.status == 503
        said = [line["log_level"] for line in lines if line["event"] == "webhook.database_away"]
        assert said.count("warning") == 1
        assert not [line for line in lines if line["log_level"] in {"error", "critical"}]
        monkeypatch.setattr(Inbox, "receive", receive)
        await ben.say("Hello")
        await ben.hears(has_text)


async def raw(settings: ProductSettings, head: bytes) -> bytes:
    """What is answered to bytes that no HTTP client would send."""
    reader, writer = await asyncio.open_connection("127.0.0.1", settings.webhook_port)
    writer.write(head)
    async with asyncio.timeout(20):
        answer = await reader.readline()
    writer.close()
    return answer


async def test_nonsense_from_strangers_is_refused_and_fills_no_log(
    by_webhook: ProductSettings, bucket: Storage, ben: Player, caplog: pytest.LogCaptureFixture
) -> None:
    async with bot_running(by_webhook):
        await ben.enter("Alisa")
        head = f"POST {WEBHOOK_PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n{SECRET_HEADER}: ".encode()
        assert b"403" in await raw(by_webhook, head + b"\xff\xfe\xd1\x82\r\n\r\n{}")
        assert b"400" in await raw(by_webhook, head + b"x" * 100_000 + b"\r\n\r\n{}")
        assert b"400" in await raw(by_webhook, b"\x16\x03\x01 hello\r\n\r\n")
        await ben.say("Hello")
        await ben.hears(has_text)
    assert [
        it for it in caplog.records if it.levelno >= logging.WARNING and it.name.startswith("bot.updates")
    ] == []


async def test_a_request_that_is_not_ended_is_closed_and_others_are_served() -> None:
    connections = Connections(request_within=0.5)

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text="yes")

    application = web.Application()
    application.router.add_get("/", connections.watched(answer))
    runner = web.AppRunner(application)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    closing = asyncio.create_task(connections.close_silent(runner))
    half = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/") as response:
        assert await response.text() == "yes"
        for _, writer in half:
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
        async with asyncio.timeout(20):
            assert {await reader.read() for reader, _ in half} == {b""}
        # Kept for its next request.
        async with session.get(f"http://127.0.0.1:{port}/") as again:
            assert await again.text() == "yes"
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    await runner.cleanup()


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
