"""What is known of the card: from ComfyUI's `/system_stats`, and from NVML or the node of `comfyui_nodes`."""

import asyncio
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pynvml
import structlog

log = structlog.get_logger(__name__)

#: Seconds that NVML may take, and for which its last answer stands for a missing one.
PATIENCE, REMEMBERED = 2.0, 30.0
#: The library or the card is not there and will not come.
FOR_GOOD = (
    pynvml.NVMLError_LibraryNotFound, pynvml.NVMLError_DriverNotLoaded, pynvml.NVMLError_NoPermission,
    pynvml.NVMLError_NotFound, pynvml.NVMLError_InvalidArgument,
)  # fmt: skip


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


class Nvml:
    """NVIDIA's own library, where the worker shares the machine with the card. Silent where there is none."""

    def __init__(self, comfyui_url: str, index: int | None) -> None:
        """`index`: the card by NVML's count; without it the first one, if ComfyUI is on this machine."""
        here = urlsplit(comfyui_url).hostname in {"127.0.0.1", "::1", "localhost"}
        self._index = 0 if index is None and here else index
        self._asking: asyncio.Task[tuple[float, float]] | None = None
        self._told: tuple[float, float] | None = None
        self._told_at = 0.0

    async def read(self) -> tuple[float, float] | None:
        """Load and temperature; for a while the last ones, when the card does not answer just now.

        NVML may take its time, or hang for good with a card that fell off the bus: it is asked in a thread, once at
        a time, and waited for as long as PATIENCE says.
        """
        if self._index is None:
            return None
        self._asking = self._asking or asyncio.create_task(asyncio.to_thread(_read, self._index))
        done, _ = await asyncio.wait({self._asking}, timeout=PATIENCE)
        if done:
            asked, self._asking = self._asking, None
            self._hear(asked)
        return self._told if time.monotonic() - self._told_at < REMEMBERED else None

    def _hear(self, asked: asyncio.Task[tuple[float, float]]) -> None:
        error = asked.exception()
        if error is None:
            self._told, self._told_at = asked.result(), time.monotonic()
        elif isinstance(error, FOR_GOOD):
            log.info("gpu.no_nvml", error=str(error))
            self._index = None
        else:
            log.warning("gpu.not_read", error=repr(error))


def _read(index: int) -> tuple[float, float]:
    pynvml.nvmlInit()
    try:
        card = pynvml.nvmlDeviceGetHandleByIndex(index)
        load = pynvml.nvmlDeviceGetUtilizationRates(card).gpu / 100
        temperature = pynvml.nvmlDeviceGetTemperature(card, pynvml.NVML_TEMPERATURE_GPU)
        return float(load), float(temperature)
    finally:
        pynvml.nvmlShutdown()


def disk_free(path: str = "/") -> float:
    """The free share of the disk."""
    usage = shutil.disk_usage(path)
    return usage.free / usage.total
