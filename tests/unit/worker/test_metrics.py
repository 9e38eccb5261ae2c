"""A worker's metrics do without what cannot be asked."""

from __future__ import annotations

import pynvml
import pytest

from worker.metrics import Metrics


def test_a_worker_without_the_drivers_library_serves_without_its_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: (_ for _ in ()).throw(pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)))
    metrics = Metrics()
    metrics.watch_gpu()
    assert metrics.registry.get_sample_value("galsynth_gpu_memory_used_bytes") is None
