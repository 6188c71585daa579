"""The card as NVIDIA's library tells it: absent, silent for a while, gone and back."""

import ctypes
from typing import Any

import pytest

from generation.backends.gpu import Nvml

#: NVML_SUCCESS, NVML_ERROR_GPU_IS_LOST.
FINE, LOST = 0, 15


class Library:
    """libnvidia-ml.so.1 with one card; its functions answer with `code`."""

    def __init__(self) -> None:
        self.code = FINE
        self.opened = 0

    def nvmlInit_v2(self) -> int:  # noqa: N802 - NVML's name
        self.opened += self.code == FINE
        return self.code

    def nvmlShutdown(self) -> int:  # noqa: N802 - NVML's name
        self.opened -= 1
        return FINE

    def nvmlDeviceGetHandleByIndex_v2(self, index: int, _handle: Any) -> int:  # noqa: N802 - NVML's name
        return self.code if index == 0 else LOST

    def nvmlDeviceGetUtilizationRates(self, _handle: Any, busy: Any) -> int:  # noqa: N802 - NVML's name
        busy._obj.gpu = 50
        return self.code

    def nvmlDeviceGetTemperature(self, _handle: Any, _sensor: int, degrees: Any) -> int:  # noqa: N802 - NVML's name
        degrees._obj.value = 61
        return self.code


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    found = Library()
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: found)
    return found


async def test_load_and_temperature_of_a_card_on_this_machine(library: Library) -> None:
    assert await Nvml("http://127.0.0.1:8188", None).read() == (0.5, 61.0)


async def test_a_card_that_falls_silent_is_read_again_once_it_answers(library: Library) -> None:
    card = Nvml("http://localhost:8188", None)
    library.code = LOST
    for _ in range(3):
        assert await card.read() is None
    library.code = FINE
    assert await card.read() == (0.5, 61.0)
    assert library.opened == 1


async def test_without_the_library_nobody_asks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def missing(name: str) -> ctypes.CDLL:
        tried.append(name)
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", missing)
    card = Nvml("http://127.0.0.1:8188", None)
    assert [await card.read(), await card.read()] == [None, None]
    assert len(tried) == 1


async def test_a_comfyui_elsewhere_has_no_card_here(library: Library) -> None:
    assert await Nvml("http://gpu.example:8188", None).read() is None
    assert library.opened == 0
