"""Pixels a second while busy: idle time does not count, and what is long ago fades."""

from __future__ import annotations

import pytest

from worker.throughput import HALF_LIFE_SECONDS, Throughput


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_idle_time_does_not_count() -> None:
    clock = Clock()
    throughput = Throughput(clock)
    assert throughput.pixels_per_second == 0
    for _ in range(5):
        throughput.busy(True)
        clock.now += 1
        throughput.made(1000)
        throughput.busy(False)
        clock.now += 1000
    assert throughput.pixels_per_second == pytest.approx(1000, rel=0.1)


def test_what_was_measured_long_ago_fades() -> None:
    clock = Clock()
    throughput = Throughput(clock)
    throughput.busy(True)
    for rate in (1000, 100):
        for _ in range(round(20 * HALF_LIFE_SECONDS)):
            clock.now += 1
            throughput.made(rate)
    assert throughput.pixels_per_second == pytest.approx(100, rel=0.1)


def test_too_little_is_not_a_measurement() -> None:
    clock = Clock()
    throughput = Throughput(clock)
    throughput.busy(True)
    throughput.made(5)
    clock.now += 0.001
    assert throughput.pixels_per_second == 0
