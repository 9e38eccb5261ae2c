"""Speed while busy, and what a job and a pixel take: idle time does not count, and what is long ago fades."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobstore.workers import Costs
from worker.throughput import Throughput


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def work(
    throughput: Throughput, clock: Clock, images: int, side: int, costs: Costs, engine: float = 0.0, native: int = 64
) -> None:
    """A job of so many images, shown ``side`` pixels wide: all are made first, every tenth of a second some, then encoded."""
    network, shown = images * native**2, images * side**2
    throughput.busy(True)
    clock.now += costs.per_job
    steps = max(1, round(network * costs.per_network_pixel / 0.1))
    for _ in range(steps):
        clock.now += network * costs.per_network_pixel / steps
        throughput.made(network / steps, shown / steps, 0, network * engine / steps)
    clock.now += shown * costs.per_shown_pixel
    throughput.made(0, 0, shown, 0)
    throughput.ended(1)
    throughput.busy(False)


def told(costs: Costs, images: int, side: int, native: int = 64) -> float:
    return costs.per_job + images * (native**2 * costs.per_network_pixel + side**2 * costs.per_shown_pixel)


def test_idle_time_does_not_count() -> None:
    throughput = Throughput(clock := Clock())
    assert throughput.pixels_per_second == 0
    for _ in range(5):
        work(throughput, clock, 1, 64, Costs(per_job=1))
        clock.now += 1000
    assert throughput.pixels_per_second == pytest.approx(64**2, rel=0.1)


def test_what_was_measured_long_ago_fades() -> None:
    throughput = Throughput(clock := Clock())
    for seconds in (1, 10):
        for _ in range(400 // seconds):
            work(throughput, clock, 1, 64, Costs(per_job=seconds))
    assert throughput.pixels_per_second == pytest.approx(64**2 / 10, rel=0.1)


def test_too_little_is_not_a_measurement() -> None:
    throughput = Throughput(clock := Clock())
    throughput.busy(True)
    throughput.made(5, 5, 5, 0.001)
    clock.now += 0.001
    throughput.ended(1)
    assert throughput.pixels_per_second == 0
    assert throughput.costs == Costs()


@settings(deadline=None, max_examples=40)
@given(
    kinds=st.lists(st.sampled_from([(1, 64), (1, 512), (64, 64), (512, 64), (100, 512)]), min_size=50, max_size=100),
    per_job=st.floats(0.003, 0.05),
    per_network_pixel=st.floats(1e-7, 1e-6),
    per_shown_pixel=st.floats(1e-9, 5e-8),
)
def test_what_jobs_network_and_encoding_take_is_told_apart(
    kinds: list[tuple[int, int]], per_job: float, per_network_pixel: float, per_shown_pixel: float
) -> None:
    true = Costs(per_job=per_job, per_network_pixel=per_network_pixel, per_shown_pixel=per_shown_pixel)
    throughput = Throughput(clock := Clock())
    for images, side in [*kinds, *[(512, 64), (100, 512), *[(1, 64)] * 40] * 20]:
        work(throughput, clock, images, side, true, engine=per_network_pixel)
    for job in [(1, 64), (2000, 64), (1000, 512)]:
        assert told(throughput.costs, *job) == pytest.approx(told(true, *job), rel=0.2, abs=0.01)


@pytest.mark.parametrize("images", [1, 300])
def test_of_jobs_that_are_all_alike_the_next_one_takes_as_long(images: int) -> None:
    true = Costs(per_job=0.006, per_network_pixel=5e-7, per_shown_pixel=3e-8)
    throughput = Throughput(clock := Clock())
    for _ in range(1000):
        work(throughput, clock, images, 512, true, engine=5e-7)
    costs = throughput.costs
    assert told(costs, images, 512) == pytest.approx(told(true, images, 512), rel=0.05)
    assert costs.per_pixel * images * 512**2 + costs.per_job == pytest.approx(told(true, images, 512), rel=0.05)
    assert costs.per_network_pixel == pytest.approx(5e-7, rel=0.05), "what the engine spent"


def test_what_a_film_takes_after_its_images_is_part_of_what_films_take() -> None:
    """The first film is told from small galaxies; from its end on films are known."""
    true = Costs(per_job=0.006, per_network_pixel=4e-7, per_shown_pixel=2.5e-8)
    throughput = Throughput(clock := Clock())
    for images, side in [*[(1, 64)] * 300, (1000, 512)]:
        work(throughput, clock, images, side, true, engine=4e-7)
    assert told(throughput.costs, 500, 512) == pytest.approx(told(true, 500, 512), rel=0.2)
    assert told(throughput.costs, 1000, 64) == pytest.approx(told(true, 1000, 64), rel=0.3)


def test_costs_stay_what_they_are_while_a_film_is_made_and_encoded() -> None:
    true = Costs(per_job=0.006, per_network_pixel=4e-7, per_shown_pixel=2.5e-8)
    throughput = Throughput(clock := Clock())
    for job in [(1, 64), (1000, 512), (300, 64)] * 3:
        work(throughput, clock, *job, true, engine=4e-7)
    throughput.busy(True)
    clock.now += 1000 * 64**2 * 4e-7
    throughput.made(1000 * 64**2, 1000 * 512**2, 0, 1000 * 64**2 * 4e-7)
    assert told(throughput.costs, 1000, 512) == pytest.approx(told(true, 1000, 512), rel=0.2)
    clock.now += 1  # Pillow looks for colours
    throughput.made(0, 0, 64**2, 0)
    throughput.ended(1)  # another job, a small one
    for _ in range(10):
        assert told(throughput.costs, 1000, 512) == pytest.approx(told(true, 1000, 512), rel=0.3)
        clock.now += 100 * 512**2 * 2.5e-8
        throughput.made(0, 0, 100 * 512**2, 0)


def test_the_first_film_is_known_while_it_is_encoded() -> None:
    true = Costs(per_job=0.006, per_network_pixel=4e-7, per_shown_pixel=2.5e-8)
    throughput = Throughput(clock := Clock())
    for _ in range(300):
        work(throughput, clock, 1, 64, true, engine=4e-7)
    throughput.busy(True)
    clock.now += 1000 * 64**2 * 4e-7
    throughput.made(1000 * 64**2, 1000 * 512**2, 0, 1000 * 64**2 * 4e-7)
    clock.now += 200 * 512**2 * 2.5e-8
    throughput.made(0, 0, 200 * 512**2, 0)
    assert told(throughput.costs, 1000, 512) == pytest.approx(told(true, 1000, 512), rel=0.3)


def test_a_pixel_of_what_was_done_last_costs_no_more_while_a_film_runs_beside_small_jobs() -> None:
    throughput = Throughput(clock := Clock())
    throughput.busy(True)
    for _ in range(15):
        clock.now += 1
        throughput.made(501 * 64**2, 501 * 64**2, 64**2, 1)
        throughput.ended(1)
        assert throughput.costs.per_pixel <= 1.2 / (501 * 64**2)


def test_a_long_stretch_weighs_as_much_as_it_is_long() -> None:
    throughput = Throughput(clock := Clock())
    for stall in [0.0] * 3000 + [10.0] + [0.0] * 3000:
        work(throughput, clock, 1, 64, Costs(per_job=0.004 + stall))
    assert throughput.costs.per_job < 0.01


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 3), st.floats(0, 1e8), st.floats(0, 1e8), st.floats(0, 3), st.integers(0, 100)), max_size=30)
)
def test_costs_are_never_negative(stretches: list[tuple[float, float, float, float, int]]) -> None:
    throughput = Throughput(clock := Clock())
    throughput.busy(True)
    for seconds, network, shown, engine, jobs in stretches:
        clock.now += seconds
        throughput.made(network, shown, shown, engine)
        throughput.ended(jobs)
        assert all(0 <= cost < math.inf for cost in throughput.costs.model_dump().values())


def test_films_side_by_side_take_what_each_of_them_takes() -> None:
    """The first of them to end has not taken all the time until then."""
    true = Costs(per_job=0.006, per_network_pixel=4e-7, per_shown_pixel=2.5e-8)
    throughput = Throughput(clock := Clock())
    for _ in range(300):
        work(throughput, clock, 1, 64, true, engine=4e-7)
    films, network, shown = 8, 400 * 64**2, 400 * 512**2
    throughput.busy(True)
    clock.now += films * network * true.per_network_pixel
    throughput.made(films * network, films * shown, 0, films * network * 4e-7)
    for film in range(films):
        encoded = (films - 1) * shown if film == 0 else 0
        clock.now += true.per_job + (encoded + shown / films) * true.per_shown_pixel
        throughput.made(0, 0, encoded + shown / films, 0)
        throughput.ended(1)
        assert told(throughput.costs, 400, 512) == pytest.approx(told(true, 400, 512), rel=0.3)
