"""Running an aiohttp application on a port."""

from types import TracebackType
from typing import Self

from aiohttp import web

from sandbox.sockets import HOST, free_port


class HttpServer:
    """One aiohttp application on loopback. Connections that still run are broken off at the end."""

    def __init__(self, application: web.Application, *, port: int = 0) -> None:
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.05)
        self.port = free_port(port)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    async def start(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self.port).start()
        return self

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
