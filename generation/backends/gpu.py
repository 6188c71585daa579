"""What is known of the card: from ComfyUI's `/system_stats`, and from NVML or the node of `comfyui_nodes`."""

import asyncio
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import structlog

from generation.comfyui_nodes.nvml import Card

log = structlog.get_logger(__name__)

#: Seconds that NVML may take, and for which its last answer stands for a missing one.
PATIENCE, REMEMBERED = 2.0, 30.0

Told = tuple[float | None, float | None]
SILENCE: Told = (None, None)


@dataclass(frozen=True, slots=True)
class GpuReport:
    """Bytes, a ratio from 0 to 1, and degrees Celsius; None for what nobody tells."""

    name: str | None = None
    vram_used: int | None = None
    vram_total: int | None = None
    load: float | None = None
    temperature: float | None = None
    #: Of the models that `comfyui_nodes` keeps in RAM: `hits`, `loads` and `load_seconds` since ComfyUI's start.
    models: Mapping[str, float] = field(default_factory=dict)
    #: Bytes that ComfyUI's process holds, where `comfyui_nodes` tells it.
    ram: int | None = None
    #: Graphs of others in the same ComfyUI, and what an operator should know though all works.
    foreign_graphs: int = 0
    warnings: tuple[str, ...] = ()


class Nvml:
    """NVIDIA's own library, where the worker shares the machine with the card.

    A card that does not answer (a driver being exchanged, one that fell off the bus) is opened anew each time.
    """

    def __init__(self, comfyui_url: str, index: int | None) -> None:
        """`index`: the card by NVML's count; without it the first one, if ComfyUI is on this machine."""
        here = urlsplit(comfyui_url).hostname in {"127.0.0.1", "::1", "localhost"}
        self._index = 0 if index is None and here else index
        self._card: Card | None = None
        self._asking: asyncio.Task[Told] | None = None
        self._is_silent = False
        self._told: Told = SILENCE
        self._told_at = float("-inf")

    async def read(self) -> Told | None:
        """Load and temperature; for a while the last ones, when the card does not answer just now.

        NVML may take its time, or hang for good with a card that fell off the bus: it is asked in a thread, once at
        a time, and waited for as long as PATIENCE says.
        """
        if self._index is None:
            return None
        self._asking = self._asking or asyncio.create_task(asyncio.to_thread(self._ask))
        done, _ = await asyncio.wait({self._asking}, timeout=PATIENCE)
        if done:
            asked, self._asking = self._asking, None
            told = asked.result()
            if told != SILENCE:
                self._told, self._told_at = told, time.monotonic()
        return self._told if time.monotonic() - self._told_at < REMEMBERED else None

    def _ask(self) -> Told:
        card = self._card or Card(index=self._index)
        told = card.read()
        self._card = None if told == SILENCE else card
        if told == SILENCE:
            card.close()
            if not card.has_library:
                self._index = None
            if not self._is_silent:
                log.info("gpu.not_read", index=self._index, library=card.has_library)
        self._is_silent = told == SILENCE
        return told


def disk_free(path: str = "/") -> float:
    """The free share of the disk."""
    usage = shutil.disk_usage(path)
    return usage.free / usage.total
