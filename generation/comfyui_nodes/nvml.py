"""Load and temperature by NVIDIA's library, without a Python package for it: it comes with the driver."""

import ctypes
from contextlib import suppress


class _Utilization(ctypes.Structure):
    """nvmlUtilization_t: per cent of the time in which the card, and its memory, were busy."""

    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class Card:
    """One card, by its UUID ("" for the only one, None for none). Calls may block: use a thread."""

    def __init__(self, uuid: str | None) -> None:
        self._library: ctypes.CDLL | None = None
        self._handle = ctypes.c_void_p()
        if uuid is None:
            return
        with suppress(OSError, AttributeError):
            library = ctypes.CDLL("libnvidia-ml.so.1")
            if library.nvmlInit_v2() == 0 and self._find(library, uuid):
                self._library = library

    def _find(self, library: ctypes.CDLL, uuid: str) -> bool:
        handle = ctypes.byref(self._handle)
        if uuid and library.nvmlDeviceGetHandleByUUID(uuid.encode(), handle) == 0:
            return True
        # Any card would do only where there is no other.
        count = ctypes.c_uint()
        alone = library.nvmlDeviceGetCount_v2(ctypes.byref(count)) == 0 and count.value == 1
        return bool(alone and library.nvmlDeviceGetHandleByIndex_v2(0, handle) == 0)

    def read(self) -> tuple[float | None, float | None]:
        """Load from 0 to 1 and degrees Celsius; None for what the card does not tell."""
        if self._library is None:
            return None, None
        busy, degrees = _Utilization(), ctypes.c_uint()
        told = self._library.nvmlDeviceGetUtilizationRates(self._handle, ctypes.byref(busy)) == 0
        # 0: the sensor of the GPU itself (NVML_TEMPERATURE_GPU).
        felt = self._library.nvmlDeviceGetTemperature(self._handle, 0, ctypes.byref(degrees)) == 0
        return busy.gpu / 100 if told else None, float(degrees.value) if felt else None
