"""Speed while busy, and what a job and a pixel take: idle time does not count, and what is long ago fades."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


def work(throughput: Throughput, clock: Clock, jobs: list[int], per_job: float, per_pixel: float, engine: float = 0.0) -> None:
    """Jobs of so many pixels one after the other, with progress ten times a second."""
    for pixels in jobs:
        throughput.busy(True)
        clock.now += per_job
        steps = max(1, round(pixels * per_pixel / 0.1))
        for _ in range(steps):
            clock.now += pixels * per_pixel / steps
            throughput.made(pixels / steps, pixels * engine / steps)
        throughput.made(0, jobs=1)
        throughput.busy(False)


@settings(deadline=None)
@given(
    jobs=st.lists(st.sampled_from([4_096, 8_192, 262_144, 1_048_576]), min_size=100, max_size=300),
    per_job=st.floats(0.003, 0.1),
    pixels_per_second=st.floats(1e6, 1e7),
)
def test_what_jobs_and_pixels_take_is_told_apart(jobs: list[int], per_job: float, pixels_per_second: float) -> None:
    throughput = Throughput(clock := Clock())
    work(throughput, clock, [4_194_304, *jobs] + [4_096] * 200, per_job, 1 / pixels_per_second)
    costs = throughput.costs
    for pixels in (4_096, 16_777_216):
        told = costs.seconds_per_job + pixels * costs.seconds_per_pixel
        assert told == pytest.approx(per_job + pixels / pixels_per_second, rel=0.25, abs=0.005)


def test_where_all_jobs_are_alike_a_pixel_costs_what_the_engine_took() -> None:
    throughput = Throughput(clock := Clock())
    work(throughput, clock, [4_096] * 1000, 0.006, 5e-7, engine=5e-7)
    assert throughput.costs == pytest.approx((0.006, 5e-7), rel=0.05)
    assert throughput.pixels_per_second == pytest.approx(4_096 / (0.006 + 4_096 * 5e-7), rel=0.01)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 1e8), st.floats(0, 3), st.integers(0, 100)), max_size=30))
def test_costs_are_never_negative(stretches: list[tuple[float, float, float, int]]) -> None:
    throughput = Throughput(clock := Clock())
    throughput.busy(True)
    for seconds, *made in stretches:
        clock.now += seconds
        throughput.made(*made)
        assert all(0 <= cost < math.inf for cost in throughput.costs)


def test_too_little_is_no_cost_either() -> None:
    throughput = Throughput(clock := Clock())
    throughput.busy(True)
    throughput.made(5, jobs=1)
    clock.now += 0.001
    assert throughput.costs == (0, 0)
