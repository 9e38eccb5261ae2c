from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from tests.strategies import style_card
from tests.worker_fakes import wait_until
from worker.engine import Engine
from worker.loaded import LoadedModel
from worker.tickets import Cancelled, Stopped, Ticket, Work


@dataclass
class SlowGenerator:
    """Doubles its input; each batch waits for a permit and is written down as the first number of each row."""

    permits: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    batches: list[list[float]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    card = style_card()

    def generate(self, z: np.ndarray) -> np.ndarray:
        return self.run("generate", z)

    def map(self, z: np.ndarray) -> np.ndarray:
        return self.run("map", z)

    def run(self, graph: str, z: np.ndarray) -> np.ndarray:
        self.permits.acquire()
        self.batches.append([float(row[0]) for row in z])
        if (z < 0).any():
            raise ValueError("negative")
        return z * 2


def work(model: LoadedModel, number: float, count: int, graph: str = "generate") -> Work:
    """``count`` rows of ``number``."""

    def rows(start: int, stop: int) -> tuple[np.ndarray, ...]:
        return (np.full((stop - start, 3), number, np.float32),)

    return Work(model, graph, count, rows, np.zeros((count, 3), np.float32))  # type: ignore[arg-type]


@pytest.fixture
def generator() -> SlowGenerator:
    return SlowGenerator()


@pytest.fixture
def model(generator: SlowGenerator) -> LoadedModel:
    return LoadedModel(generator, 4)  # type: ignore[arg-type]


@pytest.fixture
def engine(generator: SlowGenerator) -> Iterator[Engine]:
    engine = Engine(batch_size=4)
    engine.start()
    yield engine
    generator.permits.release(1000)
    engine.stop()


def busy(engine: Engine, model: LoadedModel) -> Ticket:
    """A job of one image that the engine works on, so that others gather behind it."""
    ticket = engine.submit(work(model, 99, 1))
    wait_until(lambda: engine.batches >= 1)
    return ticket


def test_results_come_in_order_and_whole(engine: Engine, generator: SlowGenerator, model: LoadedModel) -> None:
    generator.permits.release(100)
    source = np.arange(30, dtype=np.float32).reshape(10, 3)
    out = np.zeros_like(source)
    ticket = engine.submit(Work(model, "generate", 10, lambda a, b: (source[a:b],), out))
    ticket.wait()
    assert np.array_equal(out, source * 2)
    assert ticket.done == 10


def test_jobs_share_batches_with_equal_shares(engine: Engine, generator: SlowGenerator, model: LoadedModel) -> None:
    busy(engine, model)
    tickets = [engine.submit(work(model, number, 4)) for number in (1, 2)]
    generator.permits.release(10)
    for ticket in tickets:
        ticket.wait()
    assert [sorted(batch) for batch in generator.batches[1:]] == [[1, 1, 2, 2], [1, 1, 2, 2]]


@pytest.mark.parametrize("same_model", [True, False])
def test_a_galaxy_waits_for_two_batches_of_a_long_job_at_most(
    engine: Engine, generator: SlowGenerator, model: LoadedModel, same_model: bool
) -> None:
    other = model if same_model else LoadedModel(generator, 4)  # type: ignore[arg-type]
    engine.submit(work(model, 1, 2000))
    generator.permits.release(5)
    wait_until(lambda: engine.batches == 6)  # five have run, the sixth runs
    mapping = engine.submit(work(other, 7, 1, "map"))
    generator.permits.release(2)
    mapping.wait()
    wait_until(lambda: engine.batches == 8)  # the task thread was slow: the long job has begun another batch
    image = engine.submit(work(other, 8, 1))
    generator.permits.release(2)
    image.wait()
    since = generator.batches[5:]
    waited = [batch for batch in since if 7 not in batch and 8 not in batch]
    assert len(waited) <= 2


def test_cancel_takes_effect_within_one_batch(engine: Engine, generator: SlowGenerator, model: LoadedModel) -> None:
    ticket = engine.submit(work(model, 1, 2000))
    generator.permits.release(3)
    wait_until(lambda: engine.batches == 4)
    ticket.cancel()
    generator.permits.release(100)
    with pytest.raises(Cancelled):
        ticket.wait()
    assert engine.batches == 4
    assert ticket.done == 16


def test_only_the_job_at_fault_fails(engine: Engine, generator: SlowGenerator, model: LoadedModel) -> None:
    busy(engine, model)
    good, bad = engine.submit(work(model, 1, 2)), engine.submit(work(model, -1, 2))
    generator.permits.release(100)
    good.wait()
    with pytest.raises(ValueError, match="negative"):
        bad.wait()
    assert (good.work.out == 2).all()
    engine.submit(work(model, 3, 1)).wait()  # the engine lives


def test_an_error_while_rows_are_prepared_fails_that_job_alone(
    engine: Engine, generator: SlowGenerator, model: LoadedModel
) -> None:
    def rows(start: int, stop: int) -> tuple[np.ndarray, ...]:
        raise MemoryError

    busy(engine, model)
    bad = engine.submit(Work(model, "generate", 2, rows, np.zeros((2, 3), np.float32)))
    good = engine.submit(work(model, 1, 2))
    generator.permits.release(100)
    with pytest.raises(MemoryError):
        bad.wait()
    good.wait()


@dataclass
class GatedGenerator:
    """Doubles its input; a batch waits until its first row's gate is opened."""

    open: set[int] = field(default_factory=set)
    begun: list[int] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    card = style_card()

    def generate(self, z: np.ndarray) -> np.ndarray:
        first = int(z[0, 0])
        with self.changed:
            self.begun.append(first)
            self.changed.wait_for(lambda: first in self.open, 20)
        return z * 2

    def let(self, *gates: int) -> None:
        with self.changed:
            self.open.update(gates)
            self.changed.notify_all()


@pytest.fixture
def gated() -> GatedGenerator:
    return GatedGenerator()


@pytest.fixture
def two_threads(gated: GatedGenerator) -> Iterator[Engine]:
    engine = Engine(batch_size=4, parallel=2)
    engine.start()
    yield engine
    gated.let(*range(1000))
    engine.stop()


def counting(gated: GatedGenerator, count: int, first: int = 0) -> Work:
    """Rows of first, first + 1, …"""
    model = LoadedModel(gated, 4)  # type: ignore[arg-type]
    source = np.arange(first, first + count, dtype=np.float32)[:, None]
    return Work(model, "generate", count, lambda a, b: (source[a:b],), np.zeros((count, 1), np.float32))


def test_two_threads_share_a_job_that_is_alone_and_its_rows_are_done_in_order(two_threads: Engine, gated: GatedGenerator) -> None:
    ticket = two_threads.submit(counting(gated, 14))
    wait_until(lambda: sorted(gated.begun) == [0, 4])
    gated.let(4)
    wait_until(lambda: sorted(gated.begun) == [0, 4, 8])
    assert ticket.done == 0
    gated.let(8)
    wait_until(lambda: sorted(gated.begun) == [0, 4, 8, 12])
    gated.let(0)
    ticket.wait(12)
    assert (ticket.done, ticket.ended) == (12, False)
    gated.let(12)
    ticket.wait()
    assert np.array_equal(ticket.work.out[:, 0], 2.0 * np.arange(14))


def test_whoever_else_comes_ends_the_help(two_threads: Engine, gated: GatedGenerator) -> None:
    film = two_threads.submit(counting(gated, 100))
    wait_until(lambda: sorted(gated.begun) == [0, 4])
    galaxy = two_threads.submit(counting(gated, 1, first=500))
    gated.let(4)  # the helper's batch: nobody helps again while the galaxy waits
    gated.let(500)
    gated.let(0)
    galaxy.wait()
    assert galaxy.batches <= 2
    assert not film.ended


def test_a_second_job_that_runs_keeps_a_job_from_being_helped(two_threads: Engine, gated: GatedGenerator) -> None:
    two_threads.expected = 2
    ticket = two_threads.submit(counting(gated, 12))
    wait_until(lambda: gated.begun == [0])
    gated.let(0)
    wait_until(lambda: gated.begun == [0, 4])
    gated.let(4, 8)
    ticket.wait()
    assert gated.begun == [0, 4, 8]


@pytest.mark.parametrize("how", ["cancel", "stop"])
def test_a_helped_job_ends_once_however_it_ends(two_threads: Engine, gated: GatedGenerator, how: str) -> None:
    ends: list[int] = []
    ticket = two_threads.submit(counting(gated, 100), lambda: ends.append(1))
    wait_until(lambda: sorted(gated.begun) == [0, 4])
    if how == "cancel":
        ticket.cancel()
    else:
        threading.Thread(target=two_threads.stop).start()
        wait_until(lambda: two_threads.stopping)
    gated.let(*range(1000))
    with pytest.raises(Cancelled if how == "cancel" else Stopped):
        ticket.wait()
    assert ends == [1]


def test_a_model_of_large_images_has_smaller_batches(engine: Engine, generator: SlowGenerator) -> None:
    large = LoadedModel(generator, 2)  # type: ignore[arg-type]
    generator.permits.release(100)
    engine.submit(work(large, 5, 5)).wait()
    assert [len(batch) for batch in generator.batches] == [2, 2, 1]


def test_batches_are_filled_up_to_the_buckets_of_their_model(engine: Engine, generator: SlowGenerator) -> None:
    filled = LoadedModel(generator, 4, buckets=(2, 4))  # type: ignore[arg-type]
    generator.permits.release(100)
    for count in (5, 6, 7):
        ticket = engine.submit(work(filled, 5, count))
        ticket.wait()
        assert (ticket.work.out == 10).all()
    assert [len(batch) for batch in generator.batches] == [4, 2, 4, 2, 4, 4]


def test_a_lone_job_does_not_wait_for_others(generator: SlowGenerator, model: LoadedModel) -> None:
    engine = Engine(batch_size=4, batch_delay=30)
    engine.start()
    engine.expected = 1
    generator.permits.release(10)
    ticket = engine.submit(work(model, 1, 1))
    wait_until(lambda: ticket.ended, 5)
    engine.stop()


def test_a_batch_waits_for_jobs_that_are_on_their_way(generator: SlowGenerator, model: LoadedModel) -> None:
    engine = Engine(batch_size=4, batch_delay=30)
    engine.start()
    engine.expected = 2
    generator.permits.release(10)
    first = engine.submit(work(model, 1, 1))
    second = engine.submit(work(model, 2, 1))
    first.wait()
    second.wait()
    engine.stop()
    assert generator.batches == [[1, 2]]


def test_an_idle_engine_shows_that_it_lives_and_a_stuck_one_does_not(engine: Engine, model: LoadedModel) -> None:
    wait_until(lambda: engine.age < 0.5)
    busy(engine, model)
    wait_until(lambda: engine.age > 0.2)


def test_stop_ends_what_waits(generator: SlowGenerator, model: LoadedModel) -> None:
    engine = Engine(batch_size=4)
    engine.start()
    ticket = engine.submit(work(model, 1, 100))
    wait_until(lambda: engine.batches == 1)
    threading.Timer(0.05, generator.permits.release).start()
    engine.stop()
    with pytest.raises(Stopped):
        ticket.wait()
    with pytest.raises(Stopped):
        engine.submit(work(model, 1, 1)).wait()


def test_stop_ends_what_was_cancelled_as_cancelled(generator: SlowGenerator, model: LoadedModel) -> None:
    engine = Engine(batch_size=4)
    engine.start()
    ticket = engine.submit(work(model, 1, 100))
    wait_until(lambda: engine.batches == 1)
    ticket.cancel()
    threading.Timer(0.05, generator.permits.release).start()
    engine.stop()
    with pytest.raises(Cancelled):
        ticket.wait()
