"""What the worker asks beside ComfyUI's own API: the card's load and temperature, and the models in RAM."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from functools import wraps
from pathlib import Path
from typing import Any

import torch
from aiohttp import web
from server import PromptServer

from .access import allowed
from .loaders import KEPT
from .nvml import Card
from .saving import start_forgetting

Route = Callable[[web.Request], Awaitable[web.Response]]


def _guarded(route: Route) -> Route:
    """Refuse whoever is not the worker (`access`)."""
    secret = os.environ.get("VITTE_SECRET", "")

    @wraps(route)
    async def answer(request: web.Request) -> web.Response:
        if not allowed(request.headers, request.remote, secret):
            return web.json_response({"error": "for the worker alone: VITTE_SECRET, COMFYUI_SECRET"}, status=403)
        return await route(request)

    return answer


def add() -> None:
    """Register the routes; once, when ComfyUI loads this package."""
    card = Card(uuid=_uuid())
    start_forgetting()
    one_at_a_time = asyncio.Lock()
    routes = PromptServer.instance.routes

    @routes.get("/vitte/gpu")  # type: ignore[untyped-decorator]
    @_guarded
    async def gpu(_request: web.Request) -> web.Response:
        """`load` from 0 to 1, `temperature` in Celsius, `vram_peak` and `ram` in bytes; null where unknown."""
        load, temperature = None, None
        # A card that fell off the bus never answers: one thread is lost to it, not one for each question.
        if not one_at_a_time.locked():
            async with one_at_a_time:
                load, temperature = await asyncio.to_thread(card.read)
        models = KEPT.report()
        models.pop("kept")
        told = {"load": load, "temperature": temperature, "vram_peak": _peak(), "ram": _ram(), "models": models}
        return web.json_response(told)

    @routes.post("/vitte/restart")  # type: ignore[untyped-decorator]
    @_guarded
    async def restart(_request: web.Request) -> web.Response:
        """End the process at once, whatever it is stuck in; what keeps it running starts it anew."""
        asyncio.get_running_loop().call_later(0.2, os._exit, 1)
        return web.Response()

    @routes.post("/vitte/gpu/forget_peak")  # type: ignore[untyped-decorator]
    @_guarded
    async def forget_peak(_request: web.Request) -> web.Response:
        if torch.cuda.is_available():
            # What an earlier, larger batch reserved would count as this one's.
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        return web.Response()

    @routes.get("/vitte/models")  # type: ignore[untyped-decorator]
    @_guarded
    async def models(_request: web.Request) -> web.Response:
        return web.json_response(KEPT.report())

    @routes.delete("/vitte/models")  # type: ignore[untyped-decorator]
    @_guarded
    async def forget_models(_request: web.Request) -> web.Response:
        KEPT.clear()
        return web.Response()


def _uuid() -> str | None:
    """NVML's name of the card that torch uses; its own numbers may count other cards as well."""
    if not torch.cuda.is_available():
        return None
    found: Any = getattr(torch.cuda.get_device_properties(0), "uuid", None)
    return f"GPU-{found}" if found else ""


def _peak() -> int | None:
    return torch.cuda.max_memory_reserved() if torch.cuda.is_available() else None


def _ram() -> int | None:
    """What this process holds."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
