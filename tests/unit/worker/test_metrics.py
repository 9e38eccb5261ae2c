"""A worker's metrics do without what cannot be asked, and its GPU is the one that it works on."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from worker.metrics import Metrics

USED = "galsynth_gpu_memory_used_bytes"


def fake_driver(_: str) -> SimpleNamespace:
    """CUDA's driver on a machine with three cards, of which ``CUDA_VISIBLE_DEVICES=2,0`` shows two."""
    visible = [b"0000:C1:00.0", b"0000:17:00.0"]

    def get(device: Any, number: int) -> int:
        device._obj.value = number
        return 0 if number < len(visible) else 101

    def address_of(address: Any, _: int, device: Any) -> int:
        address.value = visible[device.value]
        return 0

    return SimpleNamespace(cuInit=lambda _: 0, cuDeviceGet=get, cuDeviceGetPCIBusId=address_of)


@pytest.fixture
def three_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    used = {b"0000:17:00.0": 1, b"0000:65:00.0": 2, b"0000:C1:00.0": 3}
    monkeypatch.setattr(ctypes, "CDLL", fake_driver)
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", lambda index: list(used)[index])
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByPciBusId", lambda address: address)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetMemoryInfo", lambda card: SimpleNamespace(used=used[card], total=9))


@pytest.mark.usefixtures("three_cards")
@pytest.mark.parametrize(("number", "used"), [(0, 3), (1, 1), (2, None)])
def test_the_memory_shown_is_that_of_the_gpu_that_cuda_counts_so(number: int, used: float | None) -> None:
    metrics = Metrics()
    metrics.watch_gpu(number)
    assert metrics.registry.get_sample_value(USED) == used


def test_a_worker_without_the_drivers_library_serves_without_its_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: (_ for _ in ()).throw(pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)))
    metrics = Metrics()
    metrics.watch_gpu(0)
    assert metrics.registry.get_sample_value(USED) is None
