"""Free ports, and waiting until somebody listens."""

import asyncio
import socket

HOST = "127.0.0.1"


def free_port(wanted: int = 0) -> int:
    """`wanted` if nobody has it, else one that the system picks."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError:
            probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


async def listening(port: int, *, timeout: float = 20) -> None:
    """Return once the port takes connections. Raises TimeoutError."""
    async with asyncio.timeout(timeout):
        while True:
            try:
                _, writer = await asyncio.open_connection(HOST, port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                await writer.wait_closed()
                return
