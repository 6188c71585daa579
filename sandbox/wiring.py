"""The product on this machine's servers and stand-ins, as tests, benchmarks and tools start it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from arq import Worker

from bot.app import Application, running
from bot.reading.text_analysis import TextAnalyzer
from generation.delivery.picture_check import PictureCheck
from generation.settings import PictureSettings
from generation.worker.arq_settings import worker_options
from generation.worker.timings import Timings
from sandbox.cluster import Servers
from sandbox.llm.server import API_KEY
from sandbox.llm.stream import MODEL
from sandbox.servers import S3
from sandbox.settings import ProductSettings
from sandbox.telegram import TOKEN


def product_settings(
    servers: Servers, name: str, *, comfyui_url: str, telegram_url: str, llm_url: str, **changes: object
) -> ProductSettings:
    """Settings for the database `name` of these servers, a queue of the same name and these stand-ins."""
    values = {
        "database_url": servers.postgres.url(name),
        "redis_url": servers.valkey.url,
        "arq_queue": name,
        "s3_endpoint_url": servers.s3.url,
        "s3_access_key": S3.access_key,
        "s3_secret_key": S3.secret_key,
        "comfyui_url": comfyui_url,
        "bot_token": TOKEN,
        "telegram_api_url": telegram_url,
        "llm_base_url": llm_url,
        "llm_api_key": API_KEY,
        "llm_model": MODEL,
    }
    return ProductSettings.example(**values | changes)


@asynccontextmanager
async def worker_running(settings: ProductSettings, **timings: float) -> AsyncIterator[Worker]:
    """An arq worker with the product's own wiring, in this process; pauses are short unless `timings` say more."""
    quick: dict[str, Any] = {"poll_delay": 0.01, "sweep_every": 1} | timings
    looks = PictureSettings.example(**settings.model_dump(include=set(PictureSettings.model_fields)))
    check = shared_picture_check(looks)
    options = worker_options(settings, timings=Timings(**quick), picture_check=check)
    worker = Worker(**options, handle_signals=False)
    task = asyncio.create_task(worker.async_run())
    try:
        yield worker
    finally:
        # As SIGTERM does it: everything is stopped in order before arq is told to end.
        await worker.on_shutdown(worker.ctx)  # type: ignore[misc]
        worker.allow_pick_jobs = False
        while worker.tasks and not task.done():
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await worker.close()


@cache
def shared_picture_check(settings: PictureSettings) -> PictureCheck:
    """One for all workers of this process, so that one more starts in no time; it ends with the process."""
    return PictureCheck(settings)


@cache
def shared_text_analyzer() -> TextAnalyzer:
    """One for all bots of this process, so that one more starts in no time; it ends with the process."""
    return TextAnalyzer()


@asynccontextmanager
async def bot_running(settings: ProductSettings, **pauses: Any) -> AsyncIterator[Application]:
    """The bot with the product's own wiring, in this process; `pauses` are those of `bot.app.running`."""
    async with running(settings, text_analyzer=shared_text_analyzer(), **pauses) as application:
        receiving = asyncio.create_task(application.receive())
        try:
            yield application
        finally:
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)
