"""What machines ask a process: `/metrics` (Prometheus), `/healthz` (does it live), `/readyz` (can it work).

Bound to loopback unless METRICS_HOST says otherwise: it tells nothing of people, and still nothing for strangers.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from generation.runtime.database import CONNECTION_ERRORS
from generation.runtime.monitoring import build
from generation.runtime.monitoring.figures import Figure, Snapshot, SnapshotCollector
from generation.runtime.monitoring.metrics import REGISTRY
from generation.runtime.settings import WrongSettings

log = structlog.get_logger(__name__)

#: Seconds that an answer may take; Prometheus asks for at most 10.
PATIENCE = 5.0

#: Names what is wrong, by its part; nothing when all is well.
Ready = Callable[[], Awaitable[dict[str, str]]]


@asynccontextmanager
async def serving(
    host: str,
    port: int | None,
    *,
    usual: int,
    snapshot: Callable[[], Awaitable[Snapshot]],
    figures: Sequence[Figure],
    ready: Ready,
    routes: Sequence[web.RouteDef] = (),
) -> AsyncIterator[int]:
    """Serve while the block runs, `routes` as well; yields the port. Port 0 takes any free one, None the usual one.

    The usual port that is taken costs the endpoint and not the process: two workers on one machine are common. One
    that was set and is taken stops the start (WrongSettings), for whoever set it asks there how the process is.
    """
    # It may ask git.
    await asyncio.to_thread(build.tell)
    application = web.Application()
    endpoint = _Endpoint(snapshot, figures, ready)
    application.router.add_get("/metrics", endpoint.metrics)
    application.router.add_get("/healthz", endpoint.healthz)
    application.router.add_get("/readyz", endpoint.readyz)
    application.add_routes(routes)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, usual if port is None else port).start()
        except OSError as error:
            if port is not None:
                raise WrongSettings(f"METRICS_PORT is wrong: {host}:{port} cannot be served ({error}).") from None
            log.error("endpoint.not_served", host=host, port=usual, error=str(error))
            yield 0
            return
        port = runner.addresses[0][1]
        log.info("endpoint.served", host=host, port=port)
        yield port
    finally:
        await runner.cleanup()


class _Endpoint:
    def __init__(
        self, snapshot: Callable[[], Awaitable[Snapshot]], figures: Sequence[Figure], ready: Ready
    ) -> None:
        self._snapshot = snapshot
        self._figures = figures
        self._ready = ready

    async def metrics(self, _request: web.Request) -> web.Response:
        """GET /metrics, also while PostgreSQL is away."""
        try:
            async with asyncio.timeout(PATIENCE):
                snapshot = await self._snapshot()
        except (*CONNECTION_ERRORS, TimeoutError):
            # What the process counts by itself is told all the same.
            snapshot = Snapshot(datetime.now(UTC), {"database_away": {"": 1}})
        of_rows = CollectorRegistry()
        of_rows.register(SnapshotCollector(snapshot, self._figures))
        body = generate_latest(REGISTRY) + generate_latest(of_rows)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthz(self, _request: web.Request) -> web.Response:
        """The event loop runs."""
        return web.json_response({"alive": True})

    async def readyz(self, _request: web.Request) -> web.Response:
        """200 where the process can do its work, 503 with its problems where it cannot."""
        try:
            async with asyncio.timeout(PATIENCE):
                problems = await self._ready()
        except TimeoutError:
            problems = {"process": f"no answer within {PATIENCE:g} s"}
        return web.json_response({"ready": not problems, "problems": problems}, status=503 if problems else 200)
