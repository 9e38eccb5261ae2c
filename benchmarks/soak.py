"""Hours in short: a steady load below saturation, and whether memory, errors and slow answers stay where they are."""

from __future__ import annotations

import statistics
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import typer
from matplotlib.figure import Figure

from benchmarks.load import Load, closed_loop, open_loop
from benchmarks.options import Options
from benchmarks.service import Service, running_service

CLIENTS, SHARE = 32, 0.8
SATURATED_SECONDS, PART_SECONDS, SAMPLE_SECONDS = 10.0, 60.0, 5.0
MEGABYTE = 2**20
KEPT_SECONDS = 300


def soak(options: Options) -> dict[str, Any]:
    """Each minute's p50, p99 and errors at 80 % of what 32 clients get, and every process' memory; drawn where a file is named.

    ``growth_percent``: of each process, the median of its memory in the last quarter over that in the second. The first is left
    out: a process takes what it needs while it warms up. The queue server alone grows by each job's record, which stays for
    an hour after the job has expired: ``queue_kb_per_job`` is to be what `benchmarks.records` finds. Results go after
    `KEPT_SECONDS`, so that housekeeping has its work too.
    """
    seconds = options.minutes * 60
    with running_service(options.workers, GALSYNTH_JOB_TTL_SECONDS=str(KEPT_SECONDS)) as service:
        most, seed = closed_loop(service.target, CLIENTS, min(SATURATED_SECONDS, seconds), 0)
        memory = _Memory(service, min(SAMPLE_SECONDS, seconds / 24))
        memory.start()
        ends = datetime.now().astimezone() + timedelta(seconds=seconds)
        typer.echo(f"{SHARE:.0%} of {most.per_second:.0f} images a second until {ends:%H:%M:%S}", err=True)
        begun = time.perf_counter()
        load, _ = open_loop(service.target, CLIENTS, seconds, seed, SHARE * most.per_second)
        memory.stop()
    document = {
        "minutes": options.minutes,
        "saturation_per_second": most.per_second,
        **load.document(),
        "over_time": _over_time(load, begun, seconds),
        "memory_mb": memory.samples,
        "growth_percent": _growth(memory.samples),
        "queue_kb_per_job": _queue_kb_per_job(memory.samples, len(load.times)),
    }
    if options.plot is not None:
        _draw(document, options.plot)
    return document


class _Memory(threading.Thread):
    """Resident megabytes of every process, every ``period`` seconds."""

    def __init__(self, service: Service, period: float) -> None:
        super().__init__(name="memory", daemon=True)
        self._service, self._period, self._ended = service, period, threading.Event()
        self.samples: list[dict[str, float]] = []

    def run(self) -> None:
        begun, processes = time.monotonic(), self._service.processes()
        names = [f"{role} {number}" if role == "worker" else role for number, (role, _) in enumerate(processes)]
        while not self._ended.is_set():
            sizes = [process.memory_info().rss / MEGABYTE for _, process in processes]
            self.samples.append({"seconds": time.monotonic() - begun, **dict(zip(names, sizes, strict=True))})
            self._ended.wait(self._period)

    def stop(self) -> None:
        """End after the sample that is taken."""
        self._ended.set()
        self.join()


def _over_time(load: Load, begun: float, seconds: float) -> list[dict[str, float]]:
    """Figures of each minute, by when answers came; the last part is what is left of one."""
    count = max(1, round(seconds / PART_SECONDS))
    length = seconds / count

    def part_of(moment: float) -> int:
        return min(count - 1, int((moment - begun) / length))

    parts: list[list[float]] = [[] for _ in range(count)]
    for taken, end in zip(load.times, load.ends, strict=True):
        parts[part_of(end)].append(taken * 1000)
    errors = [part_of(moment) for moment in load.failures]
    return [
        {
            "seconds": (place + 0.5) * length,
            "per_second": len(part) / length,
            "p50_ms": statistics.median(part),
            "p99_ms": sorted(part)[int(len(part) * 0.99)],
            "errors": errors.count(place),
        }
        for place, part in enumerate(parts)
        if part
    ]


def _growth(samples: list[dict[str, float]]) -> dict[str, float]:
    quarter = max(1, len(samples) // 4)
    second, last = samples[quarter : 2 * quarter] or samples, samples[-quarter:]

    def median(part: list[dict[str, float]], name: str) -> float:
        return statistics.median(sample[name] for sample in part)

    return {name: 100 * (median(last, name) / median(second, name) - 1) for name in samples[0] if name != "seconds"}


def _queue_kb_per_job(samples: list[dict[str, float]], jobs: int) -> float:
    return (samples[-1]["queue"] - samples[0]["queue"]) * 1024 / max(1, jobs)


def _draw(document: dict[str, Any], path: Path) -> None:
    """Answer times above, memory below, as the kind of picture that the name of ``path`` ends in."""
    over_time, samples = document["over_time"], document["memory_mb"]
    figure = Figure(figsize=(9, 6), layout="constrained")
    answers, memory = figure.subplots(2, 1, sharex=True)
    for name in ("p50", "p99"):
        answers.plot([part["seconds"] / 60 for part in over_time], [part[f"{name}_ms"] for part in over_time], ".-", label=name)
    for name in document["growth_percent"]:
        memory.plot([sample["seconds"] / 60 for sample in samples], [sample[name] for sample in samples], label=name)
    answers.set(ylabel="answer, ms", title=f"{document['per_second']:.0f} images a second, {document['errors']} errors")
    memory.set(ylabel="resident memory, MB", xlabel="minutes")
    for axes in (answers, memory):
        axes.set_ylim(bottom=0)
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
        axes.grid(alpha=0.3)
    figure.savefig(path)
