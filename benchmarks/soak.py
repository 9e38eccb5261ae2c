"""Hours in short: a steady load below saturation, and whether memory, errors and slow answers stay where they are."""

from __future__ import annotations

import statistics
import threading
import time
from typing import Any

from benchmarks.load import Load, closed_loop, open_loop
from benchmarks.options import Options
from benchmarks.plot import Line, Panel, svg
from benchmarks.service import Service, running_service

CLIENTS, SHARE, POINTS = 32, 0.8, 60
MEGABYTE = 2**20


def soak(options: Options) -> dict[str, Any]:
    """Memory by process and p50/p99 over ``soak_seconds`` at 80 % of what 32 clients get; also drawn where a file is named."""
    with running_service(options.workers) as service:
        most, seed = closed_loop(service.target, CLIENTS, 10.0, 0)
        memory = _Memory(service, options.soak_seconds / POINTS)
        memory.start()
        begun = time.perf_counter()
        load, _ = open_loop(service.target, CLIENTS, options.soak_seconds, seed, SHARE * most.per_second)
        memory.stop()
    document = {
        "seconds": options.soak_seconds,
        "saturation_per_second": most.per_second,
        **load.document(),
        "over_time": _over_time(load, begun, options.soak_seconds),
        "memory_mb": memory.samples,
    }
    if options.plot is not None:
        options.plot.write_text(_drawn(document))
    return document


class _Memory(threading.Thread):
    """Resident megabytes of every process, every ``period`` seconds."""

    def __init__(self, service: Service, period: float) -> None:
        super().__init__(name="memory", daemon=True)
        self._service, self._period, self._ended = service, period, threading.Event()
        self.samples: list[dict[str, float]] = []

    def run(self) -> None:
        begun, processes = time.monotonic(), self._service.processes()
        names = [f"{role} {pid}" if role == "worker" else role for role, pid in ((r, n) for n, (r, _) in enumerate(processes))]
        while not self._ended.is_set():
            sizes = [process.memory_info().rss / MEGABYTE for _, process in processes]
            self.samples.append({"seconds": time.monotonic() - begun, **dict(zip(names, sizes, strict=True))})
            self._ended.wait(self._period)

    def stop(self) -> None:
        """End after the sample that is taken."""
        self._ended.set()
        self.join()


def _over_time(load: Load, begun: float, seconds: float) -> list[dict[str, float]]:
    parts: list[list[float]] = [[] for _ in range(POINTS)]
    for taken, end in zip(load.times, load.ends, strict=True):
        parts[min(POINTS - 1, int((end - begun) / seconds * POINTS))].append(taken * 1000)
    return [
        {
            "seconds": (place + 0.5) * seconds / POINTS,
            "per_second": len(part) * POINTS / seconds,
            "p50_ms": statistics.median(part),
            "p99_ms": sorted(part)[int(len(part) * 0.99)],
        }
        for place, part in enumerate(parts)
        if part
    ]


def _drawn(document: dict[str, Any]) -> str:
    minutes = [part["seconds"] / 60 for part in document["over_time"]]
    times = [Line(name, minutes, [part[f"{name}_ms"] for part in document["over_time"]]) for name in ("p50", "p99")]
    samples = document["memory_mb"]
    sampled = [sample["seconds"] / 60 for sample in samples]
    sizes = [Line(name, sampled, [sample[name] for sample in samples]) for name in samples[0] if name != "seconds"]
    title = f"{document['per_second']:.0f} images a second, {document['errors']} errors"
    return svg(title, [Panel("answer, ms", times), Panel("resident memory, MB", sizes)], "minutes")
