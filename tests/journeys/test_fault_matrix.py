"""Every part of the machine fails in every way we know of: photos lost 0, sent twice 0, people without a word 0.

Each photo's caption names its order, so that the chats themselves show what came, and how often.
"""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from arq import ArqRedis

from generation import storage, worker_registry
from generation.models import Photo, PhotoStatus
from generation.orders import jobs, placing
from generation.runtime.database import Database
from generation.storage import Storage
from generation.worker.timings import Timings
from sandbox.cluster import make_template
from sandbox.comfyui import ComfyUIServer, Cost
from sandbox.faults import Faults
from sandbox.servers import S3, Postgres, Valkey, remove, short_folder
from sandbox.settings import ProductSettings
from sandbox.telegram import TelegramServer
from sandbox.wiring import worker_running
from tests.generation.conftest import WORDS, an_order
from tests.journeys.conftest import Processes, kill
from tests.player import Player

DELIVERED, FAILED, UNCONFIRMED = PhotoStatus.DELIVERED, PhotoStatus.FAILED, PhotoStatus.UNCONFIRMED


class Orders:
    """Orders of two people, and the account that is drawn up at the end."""

    def __init__(self, settings: ProductSettings, database: Database, players: list[Player]) -> None:
        self._settings = settings
        self._database = database
        self._players = players
        self._placed: list[int] = []

    async def place(self, count: int, *, ring: bool = True) -> None:
        """Order so many photos, alternating between the two, each with a caption of its own."""
        redis = jobs.connect(self._settings.redis_url, queue=self._settings.arq_queue, retries=1)
        for _ in range(count):
            number = len(self._placed)
            words = replace(WORDS, caption=f"photo {number}")
            async with self._database.unit() as session:
                photo = await placing.place(
                    session,
                    an_order(chat_id=self._players[number % 2].id, owner_id=number, seed=number, words=words),
                    queue_limit=1000,
                    premium_head_start=3600,
                    lease=self._settings.lease,
                )
            self._placed.append(photo.id)
            if ring:
                await jobs.enqueue_render(redis, photo, premium_head_start=3600)
        await redis.aclose()

    async def reach(self, *statuses: PhotoStatus, timeout: float = 45) -> list[Photo]:
        """All rows, once each has one of these statuses."""
        async with asyncio.timeout(timeout):
            while True:
                rows = await self.rows()
                if all(row.status in statuses for row in rows):
                    return rows
                await asyncio.sleep(0.05)

    async def rows(self) -> list[Photo]:
        async with self._database.unit() as session:
            return [await session.get_one(Photo, photo_id) for photo_id in self._placed]

    async def settle(self) -> list[PhotoStatus]:
        """Wait for every photo's end, draw up the account, and return the ends."""
        rows = await self.reach(DELIVERED, FAILED, UNCONFIRMED)
        async with asyncio.timeout(20):
            while any(row.told_at is None for row in await self.rows() if row.status is not DELIVERED):
                await asyncio.sleep(0.05)
        messages = [message for player in self._players for message in await player.messages()]
        shown = Counter(message["caption"] for message in messages if "photo" in message)
        assert max(shown.values(), default=0) <= 1, "sent twice"
        for number, row in enumerate(await self.rows()):
            if row.status is DELIVERED:
                assert shown[f"photo {number}"] == 1, "lost"
        said = Counter(message.get("text") for message in messages)
        statuses = [row.status for row in rows]
        assert said[WORDS.failed] == statuses.count(FAILED), "without a word"
        assert said[WORDS.unconfirmed] == statuses.count(UNCONFIRMED), "without a word"
        return statuses


@pytest_asyncio.fixture
async def ordered(
    settings: ProductSettings, bucket: Storage, database: Database, anya: Player, ben: Player
) -> Orders:
    return Orders(settings, database, [anya, ben])


async def met(faults: Faults) -> None:
    """Until the faults have been met."""
    async with asyncio.timeout(30):
        while faults.pending:
            await asyncio.sleep(0.005)


# -- the worker ------------------------------------------------------------------------------------------

TELEGRAM_PAUSE = {
    "kind": "status",
    "status": 429,
    "body": {"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": 4}},
}


@pytest.mark.parametrize(
    ("stage", "path", "fault", "end"),
    [
        ("taken", "/prompt", {"kind": "hang"}, DELIVERED),
        ("rendering", "render", {"kind": "stall"}, DELIVERED),
        ("rendered", "/view", {"kind": "hang"}, DELIVERED),
        ("stored", "/sendPhoto", TELEGRAM_PAUSE, DELIVERED),
        ("sending", "/sendPhoto", {"kind": "hang"}, UNCONFIRMED),
        ("sent but not written down", "/sendPhoto", {"kind": "keep_answer"}, UNCONFIRMED),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_kill_9_of_the_worker(
    processes: Processes,
    comfyui: ComfyUIServer,
    telegram: TelegramServer,
    ordered: Orders,
    stage: str,
    path: str,
    fault: dict[str, Any],
    end: PhotoStatus,
) -> None:
    faults = telegram.faults if path.startswith("/send") else comfyui.faults
    faults.add(path=path, **fault)
    await ordered.place(1)
    worker = await processes.worker()
    await met(faults)
    if stage == "stored":
        await ordered.reach(PhotoStatus.STORED)
    await kill(worker)
    # A hanging GPU is another line of the matrix.
    comfyui.executor.interrupt(None)
    await ordered.place(2)
    await processes.worker()
    assert await ordered.settle() == [end, DELIVERED, DELIVERED], stage


async def test_a_killed_workers_photos_restart_within_15_seconds_with_the_default_settings(
    settings: ProductSettings,
    bucket: Storage,
    database: Database,
    comfyui: ComfyUIServer,
    anya: Player,
    ben: Player,
) -> None:
    settings = settings.model_copy(update={"lease": ProductSettings.model_fields["lease"].default})
    processes, ordered = Processes(settings), Orders(settings, database, [anya, ben])
    try:
        comfyui.faults.add(path="render", kind="stall")
        worker = await processes.started_worker()
        await ordered.place(1)
        await met(comfyui.faults)
        await processes.started_worker()
        await workers_live(database, settings, 2)
        await kill(worker)
        comfyui.executor.interrupt(None)
        # How long that takes on a busy machine is the machine's; the pauses are ours.
        assert settings.lease + Timings().sweep_every < 15
        await ordered.reach(DELIVERED, timeout=60)
        assert await ordered.settle() == [DELIVERED]
    finally:
        await processes.end()


async def workers_live(database: Database, settings: ProductSettings, count: int) -> None:
    async with asyncio.timeout(60):
        while True:
            async with database.unit() as session:
                found = await worker_registry.remembered(session, lease=settings.lease)
            if sum(alive for _, alive in found) == count:
                return
            await asyncio.sleep(0.05)


async def test_sigterm_during_a_render_is_a_deploy_and_costs_nothing(
    processes: Processes, comfyui: ComfyUIServer, ordered: Orders
) -> None:
    comfyui.executor.cost = Cost(batch=(1.0,), swap=0)
    await ordered.place(4)
    worker = await processes.worker()
    await ordered_begins(ordered)
    worker.terminate()
    assert await asyncio.wait_for(worker.wait(), 20) == 0
    # What was rendering has arrived; what was handed over behind it went back unblamed.
    assert Counter(row.status for row in await ordered.rows())[DELIVERED] >= 1
    await processes.worker()
    assert await ordered.settle() == [DELIVERED] * 4
    assert [row.failures for row in await ordered.rows()] == [0] * 4


async def ordered_begins(ordered: Orders) -> None:
    async with asyncio.timeout(20):
        while not any(
            row.status is PhotoStatus.RENDERING and row.submitted_at is None for row in await ordered.rows()
        ):
            await asyncio.sleep(0.01)


async def test_a_frozen_worker_that_wakes_up_finds_its_photo_taken_and_sends_nothing(
    processes: Processes, comfyui: ComfyUIServer, ordered: Orders
) -> None:
    """Two workers hold one row: the attempt number decides."""
    comfyui.faults.add(path="/view", kind="delay", seconds=1)
    frozen = await processes.worker()
    await ordered.place(1)
    await met(comfyui.faults)
    frozen.send_signal(signal.SIGSTOP)
    await processes.worker()
    await ordered.reach(DELIVERED)
    frozen.send_signal(signal.SIGCONT)
    frozen.terminate()
    await asyncio.wait_for(frozen.wait(), 20)
    assert await ordered.settle() == [DELIVERED]
    assert (await ordered.rows())[0].attempt == 2


@pytest.mark.parametrize("skew", [-60, 60])
async def test_a_clock_that_is_wrong_by_a_minute(processes: Processes, ordered: Orders, skew: int) -> None:
    await processes.skewed_worker(skew)
    await ordered.place(4)
    # A worker that is behind must not take a minute until it sees the job.
    await ordered.reach(DELIVERED, timeout=30)
    assert await ordered.settle() == [DELIVERED] * 4


async def test_the_same_job_many_times(
    settings: ProductSettings, ordered: Orders, redis: ArqRedis, bucket: Storage
) -> None:
    await ordered.place(2)
    for row in await ordered.rows():
        for _ in range(10):
            await jobs.enqueue_render(redis, row, premium_head_start=0, afresh=True)
    async with worker_running(settings), worker_running(settings):
        assert await ordered.settle() == [DELIVERED] * 2


# -- Redis -----------------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def valkey() -> AsyncIterator[Valkey]:
    folder = short_folder()
    async with Valkey(folder / "valkey") as valkey:
        yield valkey
        valkey.process.send(signal.SIGCONT)
    remove(folder)


async def restarted(valkey: Valkey) -> None:
    valkey.process.stop(kill=True)
    await asyncio.sleep(1)
    await valkey.start()


async def stays_away(valkey: Valkey) -> None:
    valkey.process.stop(kill=True)


async def wiped(valkey: Valkey) -> None:
    await command(valkey, "FLUSHALL")


async def hangs(valkey: Valkey) -> None:
    valkey.process.send(signal.SIGSTOP)


async def is_full(valkey: Valkey) -> None:
    await command(valkey, "CONFIG", "SET", "maxmemory", "1")


async def command(valkey: Valkey, *words: str) -> None:
    redis = jobs.connect(valkey.url, queue="", retries=1)
    await redis.execute_command(*words)  # type: ignore[no-untyped-call]
    await redis.aclose()


@pytest.mark.parametrize("fault", [restarted, stays_away, wiped, hangs, is_full])
async def test_redis(
    settings: ProductSettings,
    bucket: Storage,
    database: Database,
    comfyui: ComfyUIServer,
    valkey: Valkey,
    anya: Player,
    ben: Player,
    fault: Callable[[Valkey], Awaitable[None]],
) -> None:
    """It only announces: photos that were announced before and those that nobody could announce all arrive."""
    settings = settings.model_copy(update={"redis_url": valkey.url})
    comfyui.executor.cost = Cost(batch=(0.2,), swap=0)
    ordered, processes = Orders(settings, database, [anya, ben]), Processes(settings)
    try:
        await processes.kept_up_worker()
        await ordered.place(4)
        await ordered_begins(ordered)
        await fault(valkey)
        await ordered.place(2, ring=False)
        assert await ordered.settle() == [DELIVERED] * 6
        # Sweeps have survived it as well: nobody rings for this one.
        await ordered.place(1, ring=False)
        assert await ordered.settle() == [DELIVERED] * 7
    finally:
        valkey.process.send(signal.SIGCONT)
        await processes.end()


# -- PostgreSQL ------------------------------------------------------------------------------------------


async def test_postgresql_restarts_while_photos_are_made(
    settings: ProductSettings,
    bucket: Storage,
    comfyui: ComfyUIServer,
    telegram: TelegramServer,
    anya: Player,
    ben: Player,
) -> None:
    folder = short_folder()
    postgres = await asyncio.to_thread(Postgres, folder / "postgres")
    comfyui.executor.cost = Cost(batch=(0.3,), swap=0)
    # One photo is in Telegram's hands while nobody can write down that it arrived.
    telegram.faults.add(path="/sendPhoto", kind="delay", seconds=1)
    try:
        await asyncio.to_thread(make_template, postgres)
        settings = settings.model_copy(update={"database_url": postgres.url("template_vitte")})
        database = Database(settings.database_url, pool_size=4)
        ordered = Orders(settings, database, [anya, ben])
        async with worker_running(settings):
            await ordered.place(5)
            await met(telegram.faults)
            await asyncio.to_thread(postgres.crash)
            await asyncio.sleep(1.5)
            await asyncio.to_thread(postgres.start_again)
            assert await ordered.settle() == [DELIVERED] * 5
        await database.close()
    finally:
        postgres.stop()
        remove(folder)


# -- ComfyUI ---------------------------------------------------------------------------------------------


async def test_comfyui_dies_in_the_middle_of_a_render_and_comes_back_with_an_empty_queue(
    settings: ProductSettings, bucket: Storage, ordered: Orders, tmp_path: Path
) -> None:
    server = await ComfyUIServer(tmp_path / "first", cost=Cost(batch=(0.5,), swap=0)).start()
    settings = settings.model_copy(update={"comfyui_url": server.url})
    async with worker_running(settings, watch_every=0.1):
        await ordered.place(3)
        await ordered_begins(ordered)
        await server.stop()
        await asyncio.sleep(1)
        async with ComfyUIServer(tmp_path / "second", cost=Cost(batch=(0.1,)), port=server.port):
            assert await ordered.settle() == [DELIVERED] * 3
    assert [row.failures for row in await ordered.rows()] == [0] * 3


async def test_comfyui_hangs_and_another_worker_makes_its_photos(
    settings: ProductSettings, bucket: Storage, ordered: Orders, comfyui: ComfyUIServer, tmp_path: Path
) -> None:
    async with (
        ComfyUIServer(tmp_path / "other", cost=Cost(batch=(0.1,), swap=0)) as other,
        worker_running(settings, watch_every=0.1, sick_after=0.5),
    ):
        comfyui.faults.add(path="render", kind="stall")
        await ordered.place(3)
        await met(comfyui.faults)
        # Accepts connections and never answers again.
        for path in ("/system_stats", "/queue", "/history", "/interrupt", "/prompt"):
            comfyui.faults.add(path=path, kind="hang", times=1000)
        async with worker_running(settings.model_copy(update={"comfyui_url": other.url})):
            assert await ordered.settle() == [DELIVERED] * 3
        comfyui.faults.clear()
    assert comfyui.executor.renders == []


async def test_a_graph_that_cannot_be_stopped_makes_comfyui_sick_and_it_is_started_again(
    settings: ProductSettings, bucket: Storage, ordered: Orders, comfyui: ComfyUIServer, tmp_path: Path
) -> None:
    proof = tmp_path / "restarted"
    settings = settings.model_copy(
        update={
            "stall_timeout": 0.5,
            "comfyui_restart_command": f"touch {proof}",
        }
    )
    comfyui.faults.add(path="render", kind="stuck")
    async with worker_running(settings, watch_every=0.1, sick_after=0.3):
        await ordered.place(2)
        async with asyncio.timeout(20):
            while not proof.exists():
                await asyncio.sleep(0.02)
        # What the command would have done.
        await comfyui.restart()
        assert await ordered.settle() == [DELIVERED] * 2
    rows = await ordered.rows()
    assert sorted(row.failures for row in rows) == [0, 1], "only the one that got stuck is blamed"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("render", "no_events"),
        ("render", "out_of_memory"),
        ("render", "black"),
        ("/view", "truncated"),
        ("/view", "drop"),
        ("/prompt", "drop"),
        ("/prompt", "lose_answer"),
        ("/history", "drop"),
    ],
)
async def test_comfyui_fails_once(
    settings: ProductSettings, bucket: Storage, ordered: Orders, comfyui: ComfyUIServer, path: str, kind: str
) -> None:
    comfyui.faults.add(path=path, kind=kind)
    async with worker_running(settings):
        await ordered.place(3)
        assert await ordered.settle() == [DELIVERED] * 3


async def test_comfyuis_websocket_breaks_off_in_the_middle_of_a_render(
    settings: ProductSettings, bucket: Storage, ordered: Orders, comfyui: ComfyUIServer
) -> None:
    comfyui.executor.cost = Cost(batch=(0.5,), swap=0)
    async with worker_running(settings):
        await ordered.place(3)
        await ordered_begins(ordered)
        comfyui.drop_sockets()
        assert await ordered.settle() == [DELIVERED] * 3
    assert comfyui.executor.renders == [1, 1, 1]


async def test_comfyui_fails_for_good(
    settings: ProductSettings, bucket: Storage, ordered: Orders, comfyui: ComfyUIServer
) -> None:
    comfyui.faults.add(path="render", kind="out_of_memory", times=100)
    async with worker_running(settings):
        await ordered.place(2)
        assert await ordered.settle() == [FAILED] * 2


# -- S3 --------------------------------------------------------------------------------------------------


async def test_s3_is_away_and_comes_back(
    settings: ProductSettings, database: Database, anya: Player, ben: Player
) -> None:
    folder = short_folder()
    async with S3(folder / "s3") as s3:
        settings = settings.model_copy(update={"s3_endpoint_url": s3.url})
        ordered = Orders(settings, database, [anya, ben])
        async with storage.opened(settings) as opened:
            await opened.create_bucket()
        async with worker_running(settings):
            await ordered.place(1)
            await ordered.reach(DELIVERED)
            s3.process.stop(kill=True)
            await ordered.place(3)
            await asyncio.sleep(2)
            await s3.start()
            assert await ordered.settle() == [DELIVERED] * 4
    remove(folder)


async def test_s3_is_slow(settings: ProductSettings, database: Database, anya: Player, ben: Player) -> None:
    folder = short_folder()
    async with S3(folder / "s3") as s3:
        settings = settings.model_copy(update={"s3_endpoint_url": s3.url})
        ordered = Orders(settings, database, [anya, ben])
        async with storage.opened(settings) as opened:
            await opened.create_bucket()
        async with worker_running(settings):
            s3.process.send(signal.SIGSTOP)
            await ordered.place(2)
            await asyncio.sleep(3)
            s3.process.send(signal.SIGCONT)
            assert await ordered.settle() == [DELIVERED] * 2
    remove(folder)


async def test_a_wrong_key_for_s3_renders_nothing_and_the_photos_wait(
    settings: ProductSettings, bucket: Storage, ordered: Orders, comfyui: ComfyUIServer
) -> None:
    wrong = settings.model_copy(update={"s3_secret_key": type(settings.s3_secret_key)("wrong-secret-key")})
    async with worker_running(wrong):
        await ordered.place(2)
        await asyncio.sleep(1.5)
    assert comfyui.executor.renders == []
    async with worker_running(settings):
        assert await ordered.settle() == [DELIVERED] * 2


# -- Telegram --------------------------------------------------------------------------------------------


def refusal(code: int, description: str) -> dict[str, Any]:
    return {
        "kind": "status",
        "status": code,
        "body": {"ok": False, "error_code": code, "description": description},
    }


@pytest.mark.parametrize(
    ("fault", "ends"),
    [
        (TELEGRAM_PAUSE, {DELIVERED}),
        (refusal(500, "Internal Server Error"), {DELIVERED}),
        ({"kind": "lose_answer"}, {DELIVERED, UNCONFIRMED}),
        ({"kind": "drop"}, {DELIVERED, UNCONFIRMED}),
        (refusal(413, "Request Entity Too Large"), {DELIVERED, FAILED}),
        (refusal(400, "Bad Request: PHOTO_INVALID_DIMENSIONS"), {DELIVERED, FAILED}),
    ],
    ids=["429", "500", "time-out after it was taken", "broken off", "too large", "refused"],
)
async def test_telegram(
    settings: ProductSettings,
    bucket: Storage,
    ordered: Orders,
    telegram: TelegramServer,
    fault: dict[str, Any],
    ends: set[PhotoStatus],
) -> None:
    telegram.faults.add(path="/sendPhoto", **fault)
    async with worker_running(settings):
        await ordered.place(4)
        assert set(await ordered.settle()) == ends


async def test_a_person_who_blocked_the_bot_and_a_chat_that_is_gone_cost_the_others_nothing(
    settings: ProductSettings, bucket: Storage, ordered: Orders, database: Database, anya: Player, ben: Player
) -> None:
    await anya.block()
    async with worker_running(settings):
        await ordered.place(4)
        rows = await ordered.reach(DELIVERED, FAILED)
    assert [row.status for row in rows] == [FAILED, DELIVERED, FAILED, DELIVERED]
    # Nobody can be told, and nobody tries for ever.
    assert all(row.told_at for row in rows if row.status is FAILED)
