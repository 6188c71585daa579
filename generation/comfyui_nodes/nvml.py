"""Load and temperature by NVIDIA's library, without a Python package for it: it comes with the driver.

ComfyUI's nodes and the worker (`generation.backends.gpu`) both read the card with it.
"""

import ctypes
from contextlib import suppress


class _Utilization(ctypes.Structure):
    """nvmlUtilization_t: per cent of the time in which the card, and its memory, were busy."""

    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class Card:
    """One card; it stays closed where the library or the card is not there. Calls may block: use a thread."""

    def __init__(self, *, uuid: str | None = None, index: int | None = None) -> None:
        """By NVML's count (`index`), or by `uuid` ("" for the only one); by neither there is none."""
        self._library: ctypes.CDLL | None = None
        self._handle = ctypes.c_void_p()
        #: Without NVIDIA's library there is no driver, and none will come while the process lives.
        self.has_library = False
        if uuid is None and index is None:
            return
        try:
            library = ctypes.CDLL("libnvidia-ml.so.1")
        except OSError:
            return
        self.has_library = True
        with suppress(AttributeError):
            if library.nvmlInit_v2() == 0:
                if self._find(library, uuid, index):
                    self._library = library
                else:
                    library.nvmlShutdown()

    def _find(self, library: ctypes.CDLL, uuid: str | None, index: int | None) -> bool:
        handle = ctypes.byref(self._handle)
        if index is not None:
            return bool(library.nvmlDeviceGetHandleByIndex_v2(index, handle) == 0)
        if uuid and library.nvmlDeviceGetHandleByUUID(uuid.encode(), handle) == 0:
            return True
        # Any card would do only where there is no other.
        count = ctypes.c_uint()
        alone = library.nvmlDeviceGetCount_v2(ctypes.byref(count)) == 0 and count.value == 1
        return bool(alone and library.nvmlDeviceGetHandleByIndex_v2(0, handle) == 0)

    def close(self) -> None:
        """Let go of the library: a driver that was exchanged meanwhile is found only by opening it anew."""
        if self._library is not None:
            self._library.nvmlShutdown()
            self._library = None

    def read(self) -> tuple[float | None, float | None]:
        """Load from 0 to 1 and degrees Celsius; None for what the card does not tell."""
        if self._library is None:
            return None, None
        busy, degrees = _Utilization(), ctypes.c_uint()
        told = self._library.nvmlDeviceGetUtilizationRates(self._handle, ctypes.byref(busy)) == 0
        # 0: the sensor of the GPU itself (NVML_TEMPERATURE_GPU).
        felt = self._library.nvmlDeviceGetTemperature(self._handle, 0, ctypes.byref(degrees)) == 0
        return busy.gpu / 100 if told else None, float(degrees.value) if felt else None
