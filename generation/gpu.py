"""What is known of the card: from ComfyUI's `/system_stats`, and from NVML or the node of `comfyui_nodes`."""

import asyncio
import shutil
from dataclasses import dataclass
from urllib.parse import urlsplit

import pynvml
import structlog

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class GpuReport:
    """Bytes, a ratio from 0 to 1, and degrees Celsius; None for what nobody tells."""

    name: str | None = None
    vram_used: int | None = None
    vram_total: int | None = None
    load: float | None = None
    temperature: float | None = None


class Nvml:
    """NVIDIA's own library, where the worker shares the machine with the card. Silent where there is none."""

    def __init__(self, comfyui_url: str, index: int | None) -> None:
        """`index`: the card by NVML's count; without it the first one, if ComfyUI is on this machine."""
        here = urlsplit(comfyui_url).hostname in {"127.0.0.1", "::1", "localhost"}
        self._index = 0 if index is None and here else index

    async def read(self) -> tuple[float, float] | None:
        """Load and temperature. NVML may take its time, so it is asked in a thread."""
        if self._index is None:
            return None
        try:
            return await asyncio.to_thread(_read, self._index)
        except pynvml.NVMLError as error:
            log.info("gpu.no_nvml", error=str(error))
            # It will not come: the library or the card is not there.
            self._index = None
            return None


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
