"""arq's jobs while PostgreSQL is away: one line, no traceback, and nothing that a later sweep would not do."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from asyncpg.exceptions import DataError
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from generation.orders import jobs
from generation.runtime.database import Database
from generation.storage import Storage
from generation.worker.arq_jobs import deliver_photo, sweep
from sandbox.settings import ProductSettings
from sandbox.wiring import worker_running
from tests.conftest import settled
from tests.generation.conftest import PlaceOrder
from tests.player import Player


def worker_whose_work_raises(error: BaseException) -> dict[str, Any]:
    async def work(*_: object) -> None:
        raise error

    parts = SimpleNamespace(sweep=work, deliver_stored=work)
    return {"worker": SimpleNamespace(recovery=parts, pipeline=parts)}


async def test_a_postgresql_that_restarts_is_one_line_at_warning() -> None:
    ctx = worker_whose_work_raises(ConnectionRefusedError("no"))
    with capture_logs() as logs:
        await sweep(ctx)
        await deliver_photo(ctx, 1)
    assert [(line["log_level"], line["job"]) for line in logs] == [("warning", "sweep"), ("warning", "deliver")]


async def test_a_value_that_postgresql_refuses_is_a_fault_and_no_outage() -> None:
    cause = RuntimeError("driver")
    cause.__cause__ = DataError("no such value")
    with pytest.raises(DBAPIError):
        await sweep(worker_whose_work_raises(DBAPIError("select", {}, cause)))


async def test_an_order_rings_for_a_worker_that_looks_seldom(
    settings: ProductSettings,
    bucket: Storage,
    database: Database,
    order: PlaceOrder,
    anya: Player,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jobs, "LOOK_EVERY", 600)
    async with worker_running(settings, sweep_every=60) as worker:
        # Whatever came before the bell was heard is found by the first looks.
        for _ in range(3):
            photo = await order()
            await settled(database, photo.id, "delivered")
            await asyncio.sleep(0.1)
        assert isinstance(worker.pool, jobs.ListeningRedis)
        assert worker.pool.hears
