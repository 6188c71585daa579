"""Figures are driven over their limits on the stand-ins: the message comes, the action happens, and it ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest_asyncio
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from sqlalchemy import select

from bot.app import Application
from generation import metrics
from generation.models import Photo, PhotoStatus, RenderWorker
from generation.runtime.database import Database
from generation.runtime.models import Alert
from generation.storage import Storage
from sandbox.comfyui import ComfyUIServer
from sandbox.http import HttpServer
from sandbox.runpod import API_KEY, RunPodServer
from sandbox.settings import ProductSettings
from sandbox.telegram import TelegramServer
from sandbox.wiring import bot_running, worker_running
from tests.conftest import all_handled, settled
from tests.player import Player, has_text, says

OLGA = 1003


@pytest_asyncio.fixture
async def olga(telegram: TelegramServer) -> AsyncIterator[Player]:
    async with Player(telegram.url, OLGA) as player:
        yield player


@asynccontextmanager
async def watched(
    settings: ProductSettings, folder: Path, rules: str, olga: Player, **more: object
) -> AsyncIterator[Application]:
    """The bot with these rules and looks ten times a second; the operator has talked to it."""
    path = folder / "rules.toml"
    path.write_text(f"window = 3\n{rules}")
    values = {"alerts_file": str(path), "invitation_photos": 0} | more
    async with bot_running(settings):
        await olga.enter("Алиса")
    async with bot_running(settings.model_copy(update=values), alerts_every=0.1) as bot:
        yield bot


async def order(player: Player, database: Database, count: int) -> list[int]:
    """So many photos that were asked for."""
    for _ in range(count):
        await player.say("/photo")
        await player.hears(has_text)
        await all_handled(database)
    async with database.unit() as session:
        return list(await session.scalars(select(Photo.id).order_by(Photo.id)))


async def test_a_long_queue_calls_the_overflow_which_takes_photos_and_it_ends(
    settings: ProductSettings, bucket: Storage, database: Database, olga: Player, anya: Player, ben: Player,
    tmp_path: Path, comfyui: ComfyUIServer,
) -> None:  # fmt: skip
    called: list[dict[str, object]] = []

    async def hook(request: web.Request) -> web.Response:
        called.append(await request.json())
        # Not heard the first time: it is said again.
        return web.Response(status=503 if len(called) == 1 else 200)

    application = web.Application()
    application.router.add_post("/scale", hook)
    rules = '[rules.high_queue_depth]\nfigure = "queue_depth"\ntotal = true\nabove = 2\nuntil = 0\n'
    rules += 'action = "scale_up"\n'
    async with (
        HttpServer(application) as server,
        RunPodServer(tmp_path / "runpod") as runpod,
        watched(settings, tmp_path, rules, olga, scale_webhook_url=f"{server.url}/scale"),
    ):  # fmt: skip
        await anya.enter("Алиса")
        await ben.enter("Alisa")
        # Nobody may ask for more than two at once.
        await order(anya, database, 2)
        photos = await order(ben, database, 2)
        await olga.hears(says("Длинная очередь"))
        # OVERFLOW_DEPTH is 0: it is the alert that lets the overflow take photos.
        overflow = settings.model_copy(
            update={"render_backend": "runpod", "runpod_url": runpod.url, "runpod_api_key": SecretStr(API_KEY)}
        )
        async with worker_running(overflow):
            for photo in photos:
                await settled(database, photo, PhotoStatus.DELIVERED)
        await olga.hears(says("Кончилось: Длинная очередь"))
    assert [call["state"] for call in called] == ["began", "began", "ended"]
    assert not comfyui.executor.record


async def test_a_hot_card_makes_pauses_until_it_is_cool(
    settings: ProductSettings, bucket: Storage, database: Database, comfyui: ComfyUIServer, olga: Player,
    anya: Player, tmp_path: Path,
) -> None:  # fmt: skip
    rules = '[rules.gpu_overheating]\nfigure = "gpu_temperature"\nabove = 85\nuntil = 80\naction = "throttle"\n'
    comfyui.temperature = 90
    async with watched(settings, tmp_path, rules, olga):
        hot = settings.model_copy(update={"alerts_file": str(tmp_path / "rules.toml"), "lease": 0.6})
        async with worker_running(hot) as worker:
            await olga.hears(says("Видеокарта перегрелась, °C"))
            state = worker.ctx["worker"].state
            assert state.throttled
            paused = metrics.THROTTLE_SECONDS._value.get()
            await anya.enter("Алиса")
            await order(anya, database, 1)
            await anya.photo()
            assert metrics.THROTTLE_SECONDS._value.get() > paused
            comfyui.temperature = 70
            await olga.hears(says("Кончилось: Видеокарта перегрелась"))
            assert not state.throttled
    async with database.unit() as session:
        assert await session.scalar(select(RenderWorker.name)) is None


async def test_slow_photos_are_investigated_with_stages_errors_and_a_chart(
    settings: ProductSettings, bucket: Storage, database: Database, comfyui: ComfyUIServer, olga: Player,
    anya: Player, tmp_path: Path,
) -> None:  # fmt: skip
    rules = '[rules.high_latency]\nfigure = "generation"\nof = "0.95"\nabove = 0.5\nuntil = 0.4\n'
    rules += 'action = "investigate"\n'
    comfyui.faults.add(path="/view", kind="delay", seconds=1)
    async with watched(settings, tmp_path, rules, olga), worker_running(settings):
        await anya.enter("Алиса")
        await order(anya, database, 1)
        await anya.photo()
        told = await olga.hears(lambda it: "photo" in it and "Фото делаются медленно" in it.get("caption", ""))
        assert "хранение 1" in told["caption"]
        # The photo leaves the window of three seconds.
        await olga.hears(says("Кончилось: Фото делаются медленно"))


async def test_an_hour_of_silence_by_a_button(
    settings: ProductSettings, bucket: Storage, database: Database, olga: Player, tmp_path: Path
) -> None:
    rules = '[rules.no_worker]\nfigure = "workers_well"\nbelow = 1\nuntil = 1\n'
    async with watched(settings, tmp_path, rules, olga):
        told = await olga.hears(says("Нет ни одного рабочего воркера"))
        await olga.press(told, "На час")
        await olga.notices("answer", lambda it: "Час тишины" in it["text"])
        async with worker_running(settings):
            async with asyncio.timeout(20):
                while True:
                    async with database.unit() as session:
                        if (await session.scalars(select(Alert.ended_at))).one() is not None:
                            break
                    await asyncio.sleep(0.05)
    assert not any("Кончилось" in it.get("text", "") for it in await olga.messages())


async def test_prometheus_reads_the_same_figures(
    settings: ProductSettings, bucket: Storage, database: Database, anya: Player
) -> None:
    async with bot_running(settings) as bot, worker_running(settings) as worker:
        await anya.enter("Алиса")
        await order(anya, database, 1)
        await anya.photo()
        async with database.unit() as session:
            photo = (await session.scalars(select(Photo.id))).one()
        await settled(database, photo, PhotoStatus.DELIVERED)
        ports = (bot.endpoint_port, worker.ctx["worker"].endpoint_port)
        for port in ports:
            found = await scraped(port)
            assert found["vitte_photos_last_hour", ()] == 1
            assert found["vitte_generation_seconds", (("quantile", "0.95"),)] > 0
            assert not any("1001" in str(labels) for _, labels in found)
            async with aiohttp.ClientSession() as session_:
                for path in ("healthz", "readyz"):
                    answer = await session_.get(f"http://127.0.0.1:{port}/{path}")
                    assert answer.status == 200, await answer.text()


async def scraped(port: int) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    async with aiohttp.ClientSession() as session:
        answer = await session.get(f"http://127.0.0.1:{port}/metrics")
        text = await answer.text()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
