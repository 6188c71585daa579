"""`/metrics`, `/healthz` and `/readyz` when PostgreSQL is the trouble."""

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from bot.monitoring.figures import FIGURES
from generation.runtime.monitoring import http_server
from generation.runtime.monitoring.figures import Snapshot
from generation.runtime.settings import WrongSettings


async def refused() -> Snapshot:
    raise ConnectionRefusedError


async def silent() -> Snapshot:
    await asyncio.Event().wait()
    raise AssertionError


async def fine() -> dict[str, str]:
    return {}


@pytest.mark.parametrize("snapshot", [refused, silent])
async def test_without_postgresql_the_process_still_tells_what_it_counts(
    snapshot: Callable[[], Awaitable[Snapshot]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "PATIENCE", 0.1)
    async with (
        http_server.serving("127.0.0.1", 0, usual=0, snapshot=snapshot, figures=FIGURES, ready=fine) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
        session.get("/metrics") as response,
    ):
        assert response.status == 200
        body = await response.text()
    assert "vitte_database_away 1.0" in body
    assert "vitte_model_swaps_total" in body


@pytest.mark.parametrize("set_by_hand", [True, False])
async def test_a_port_that_is_taken_stops_the_start_where_somebody_set_it(set_by_hand: bool) -> None:
    async with http_server.serving("127.0.0.1", 0, usual=0, snapshot=refused, figures=FIGURES, ready=fine) as taken:
        port = taken if set_by_hand else None
        again = http_server.serving("127.0.0.1", port, usual=taken, snapshot=refused, figures=FIGURES, ready=fine)
        if set_by_hand:
            with pytest.raises(WrongSettings, match=f"METRICS_PORT is wrong: 127.0.0.1:{taken}"):
                async with again:
                    pass
        else:
            async with again as served:
                assert served == 0
