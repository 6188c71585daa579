"""Real PostgreSQL, Valkey and S3, started once; a database cloned for each test; stand-ins over real sockets."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from arq import ArqRedis, Worker
from sqlalchemy import exists, select

from bot.app import Application
from bot.models import ReceivedUpdate
from generation import storage
from generation.models import Photo
from generation.orders import jobs
from generation.runtime.database import Database
from generation.storage import Storage
from sandbox import cluster
from sandbox.cluster import Servers
from sandbox.comfyui import ComfyUIServer, Cost
from sandbox.llm import LanguageModelServer
from sandbox.llm.server import API_KEY
from sandbox.runpod import API_KEY as RUNPOD_KEY
from sandbox.servers import S3
from sandbox.settings import ProductSettings
from sandbox.telegram import TOKEN, TelegramServer
from sandbox.wiring import bot_running, product_settings, worker_running
from tests.player import Player

#: Milliseconds instead of seconds: what is tested is the order of things and not how long they take.
COST = Cost(batch=(0.04, 0.06, 0.07, 0.08), swap=0.02)


#: What no line of any log may hold, of the whole suite: secrets, and how every prompt of a persona begins.
NEVER_LOGGED = (TOKEN.partition(":")[2], S3.secret_key, API_KEY, RUNPOD_KEY, "candid smartphone photo")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Reads what each test logged; a secret in there fails it, whatever it was about."""
    report = yield
    shown = "\n".join(text for heading, text in report.sections if heading.startswith("Captured"))
    if report.passed and any(secret in shown for secret in NEVER_LOGGED):
        report.outcome = "failed"
        report.longrepr = "a secret or a prompt is in the log (tests/conftest.py, NEVER_LOGGED)"
    return report


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def servers() -> AsyncIterator[Servers]:
    async with cluster.servers() as running:
        yield running


_numbers = itertools.count(1)


@pytest.fixture
def database_url(servers: Servers) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    servers.postgres.create_database(name, template=cluster.TEMPLATE)
    yield servers.postgres.url(name)
    servers.postgres.drop_database(name)


@pytest_asyncio.fixture
async def comfyui(tmp_path: Path) -> AsyncIterator[ComfyUIServer]:
    async with ComfyUIServer(tmp_path / "comfyui", cost=COST) as server:
        yield server


@pytest_asyncio.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server


@pytest_asyncio.fixture
async def llm() -> AsyncIterator[LanguageModelServer]:
    async with LanguageModelServer() as server:
        yield server


@pytest.fixture
def settings(
    servers: Servers,
    database_url: str,
    comfyui: ComfyUIServer,
    telegram: TelegramServer,
    llm: LanguageModelServer,
) -> ProductSettings:
    """Settings of the whole product on this test's own database, queue and stand-ins."""
    return product_settings(
        servers,
        f"test:{next(_numbers)}",
        comfyui_url=comfyui.url,
        telegram_url=telegram.url,
        llm_url=llm.url,
        database_url=database_url,
        s3_bucket="test-photos",
        photo_retry_pause=0.05,
        free_photo_cooldown=0,
        premium_photo_cooldown=0,
        lease=2,
        shutdown_wait=5,
        premium_ids="1002",
        admin_ids="1003",
        metrics_port=0,
        # Their pictures would take faults and counts that are meant for photos.
        probe_workflows=False,
        # Tests write faster than people do.
        messages_at_once=1000,
    )


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """For looking at rows from outside, in a session of one's own."""
    database = Database(database_url, pool_size=4)
    yield database
    await database.close()


@pytest_asyncio.fixture
async def redis(settings: ProductSettings) -> AsyncIterator[ArqRedis]:
    pool = jobs.connect(settings.redis_url, queue=settings.arq_queue, retries=1)
    yield pool
    await pool.aclose()


@pytest_asyncio.fixture
async def bucket(settings: ProductSettings) -> AsyncIterator[Storage]:
    async with storage.opened(settings) as opened:
        await opened.create_bucket()
        yield opened


@pytest_asyncio.fixture
async def bot(settings: ProductSettings, bucket: Storage) -> AsyncIterator[Application]:
    async with bot_running(settings) as application:
        yield application


@pytest_asyncio.fixture
async def worker(settings: ProductSettings, bucket: Storage) -> AsyncIterator[Worker]:
    async with worker_running(settings) as worker:
        yield worker


@pytest_asyncio.fixture
async def anya(telegram: TelegramServer) -> AsyncIterator[Player]:
    """Speaks Russian, has the free plan."""
    async with Player(telegram.url, 1001) as player:
        yield player


@pytest_asyncio.fixture
async def ben(telegram: TelegramServer) -> AsyncIterator[Player]:
    """Speaks English, has premium."""
    async with Player(telegram.url, 1002) as player:
        yield player


async def all_handled(database: Database) -> None:
    """Until every update is handled to its end: the chat shows an answer a moment before its row is written."""
    async with asyncio.timeout(20):
        while True:
            async with database.unit() as session:
                if not await session.scalar(select(exists().where(ReceivedUpdate.handled_at.is_(None)))):
                    return
            await asyncio.sleep(0.02)


async def told(database: Database, photo_id: int) -> None:
    """Until the person was told what became of a photo."""
    async with asyncio.timeout(20):
        while True:
            async with database.unit() as session:
                if (await session.get_one(Photo, photo_id)).told_at is not None:
                    return
            await asyncio.sleep(0.02)


async def settled(database: Database, photo_id: int, *statuses: str) -> Photo:
    """The row once it has one of these statuses; PostgreSQL is asked until then."""
    async with asyncio.timeout(20):
        while True:
            async with database.unit() as session:
                row = await session.get_one(Photo, photo_id)
            if row.status in statuses:
                return row
            await asyncio.sleep(0.02)
