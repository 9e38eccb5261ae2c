"""A job leaves nothing behind: without the garbage collector, whose full passes are minutes apart, its images are freed."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis

from galaxies.errors import BadInput
from galaxies.jobs import Phase
from models.versions import Version
from tests.strategies import generate_body, interpolate_body
from tests.tiny_models import publish_style
from tests.worker_fakes import Bench, bench, make_job, wait_until
from worker import render


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def style(store: Path) -> Version:
    return publish_style(store)


@pytest.fixture
def worker(store: Path, style: Version, tmp_path: Path) -> Iterator[Bench]:
    with bench(store, tmp_path / "results") as running:
        yield running


@pytest.fixture
def images(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[weakref.ref[np.ndarray]]]:
    """The image arrays of all jobs from now on; the garbage collector rests."""
    made: list[weakref.ref[np.ndarray]] = []
    bare = render.images_of

    def seen(*args: Any) -> np.ndarray:
        array = bare(*args)
        made.append(weakref.ref(array))
        return array

    monkeypatch.setattr("worker.render.images_of", seen)
    gc.disable()
    yield made
    gc.enable()


def assert_freed(images: list[weakref.ref[np.ndarray]], count: int) -> None:
    assert len(images) == count
    wait_until(lambda: not any(image() is not None for image in images), 5)


@pytest.mark.parametrize("together", [1, 3])
def test_the_images_of_completed_jobs_are_freed(
    worker: Bench, style: Version, images: list[weakref.ref[np.ndarray]], together: int
) -> None:
    jobs = [worker.records.add(make_job(style.card, generate_body([seed]))) for seed in range(together)]
    worker.renderer.render([job.id for job in jobs])
    assert {worker.records.jobs[job.id].phase for job in jobs} == {Phase.COMPLETED}
    assert_freed(images, together)


@pytest.mark.slow
@pytest.mark.parametrize("together", [1, 2])
@pytest.mark.parametrize("error", [BadInput("wrong"), ZeroDivisionError("a fault of ours")])
@pytest.mark.parametrize("where", ["worker.render.encode", "models.generator.OnnxGenerator.synthesize"])
def test_the_images_of_failed_jobs_are_freed(
    worker: Bench,
    style: Version,
    images: list[weakref.ref[np.ndarray]],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    where: str,
    together: int,
) -> None:
    worker.run(style.card, generate_body([0]))

    def failing(*_: Any, **__: Any) -> Any:
        try:
            raise KeyError("its cause")
        except KeyError:
            raise type(error)(str(error)) from None

    monkeypatch.setattr(where, failing)
    jobs = [worker.records.add(make_job(style.card, generate_body([seed]))) for seed in range(1, 1 + together)]
    worker.renderer.render([job.id for job in jobs])
    assert {worker.records.jobs[job.id].phase for job in jobs} == {Phase.ERROR}
    assert_freed(images, 1 + together)


@pytest.mark.parametrize("together", [1, 2])
def test_the_images_of_cancelled_jobs_are_freed(
    store: Path, worker: Bench, images: list[weakref.ref[np.ndarray]], together: int
) -> None:
    slow = publish_style(store, f"slow-{together}", cost=300)
    jobs = [worker.records.add(make_job(slow.card, interpolate_body(300 + n))) for n in range(together)]
    thread = threading.Thread(target=worker.renderer.render, args=([job.id for job in jobs],))
    thread.start()
    wait_until(lambda: all(max(worker.records.done.get(job.id, [0])) > 0 for job in jobs), 30)
    worker.records.cancelled.update(job.id for job in jobs)
    thread.join(30)
    assert {worker.records.jobs[job.id].phase for job in jobs} == {Phase.ABORTED}
    assert_freed(images, together)


def test_the_images_of_jobs_that_go_back_to_the_queue_are_freed(
    worker: Bench, style: Version, images: list[weakref.ref[np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(jobs: Any) -> list[bool]:
        if not jobs:
            return []
        worker.engine.stop()
        raise redis.ConnectionError("gone")

    monkeypatch.setattr(worker.records, "complete_many", gone)
    with pytest.raises(redis.ConnectionError):
        worker.run(style.card, generate_body([6]))
    assert_freed(images, 1)
