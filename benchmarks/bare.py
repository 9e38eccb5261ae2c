"""The peer of every service figure: one loop that calls the session itself and encodes PNG, with nothing around it."""

from __future__ import annotations

import time

from benchmarks.peers.model import Model
from models.versions import Version


def call_seconds(version: Version, seconds: float, threads: int = 1) -> list[float]:
    """Times of one-image calls for about ``seconds``."""
    model = Model(version, threads)
    model.pngs([0])
    times: list[float] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        begun = time.perf_counter()
        model.pngs([len(times)])
        times.append(time.perf_counter() - begun)
    return times


def images_per_second(version: Version, seconds: float) -> float:
    """Throughput of the bare loop on one session, of one or two threads, whichever is faster."""
    found = []
    for threads in (1, 2):
        times = call_seconds(version, seconds / 2, threads)
        found.append(len(times) / sum(times))
    return max(found)
