"""The defaults of the workers come from here: processes × threads, batch sizes, batch delays, messages at a time."""

from __future__ import annotations

from typing import Any

from benchmarks.load import closed_loop
from benchmarks.options import Options
from benchmarks.service import running_service

CLIENTS = 32
PROCESSES_THREADS = ((1, 1), (1, 2), (2, 1), (3, 1))
TRIALS: list[tuple[str, int, dict[str, str]]] = [
    *((f"{workers} × {threads} threads", workers, {"THREADS": str(threads)}) for workers, threads in PROCESSES_THREADS),
    *((f"batch of {size}", 2, {"BATCH_SIZE": str(size)}) for size in (1, 4, 8, 16)),
    *((f"batch delay {delay} ms", 2, {"BATCH_DELAY_MS": str(delay)}) for delay in (2, 5)),
    *((f"{count} messages at a time", 2, {"CONCURRENCY": str(count)}) for count in (4, 16)),
    *((f"jobs gather {milliseconds} ms", 2, {"GATHER_MS": str(milliseconds)}) for milliseconds in (0, 5)),
]


def sweep(options: Options) -> dict[str, Any]:
    """For each trial, two rounds of all: images a second, p50 and p99 with 32 clients, and processor time of a request."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name, _, _ in TRIALS}
    for _ in range(2):
        for name, workers, settings in TRIALS:
            with running_service(workers, **{f"GALSYNTH_{key}": value for key, value in settings.items()}) as service:
                _, seed = closed_loop(service.target, CLIENTS, 1.5, 0)
                before = sum(service.cpu_seconds().values())
                load, _ = closed_loop(service.target, CLIENTS, options.seconds, seed)
                cpu = (sum(service.cpu_seconds().values()) - before) * 1000 / max(1, len(load.times))
            found[name].append({**load.document(), "cpu_ms": cpu})
    return {"clients": CLIENTS, "trials": found}
