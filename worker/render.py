"""One job, from its record to its result: here records, result store, models, engine and encoders meet."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import redis
import structlog
from numpy.typing import NDArray

from galaxies.encode import encode
from galaxies.errors import BadModel
from galaxies.jobs import Job, Result
from galaxies.product import Product
from galaxies.resolve import AnyRequest
from jobstore.records import JobRecords
from jobstore.results import ResultStore
from models.store import ModelStore, Version
from worker.engine import Cancelled, Engine, Graph, Rows, Stopped, Work
from worker.failures import failure_of
from worker.loaded import LoadedModel, LoadedModels
from worker.points import Points, noise_of, points_of, truncated
from worker.watch import Running, Watch

Array = NDArray[np.float32]

_LOG = structlog.get_logger(__name__)


@dataclass
class Clock:
    """Milliseconds since the step before, by name, for the log line of a job."""

    steps: dict[str, float] = field(default_factory=dict)
    _last: float = field(default_factory=time.perf_counter)

    def lap(self, name: str) -> None:
        """End the step ``name``."""
        now = time.perf_counter()
        self.steps[f"{name}_ms"] = round((now - self._last) * 1e3, 2)
        self._last = now


@dataclass(frozen=True)
class Renderer:
    """Renders jobs. Used by many task threads at once; keeps nothing of a job after its end."""

    records: JobRecords
    results: ResultStore
    store: ModelStore
    models: LoadedModels
    engine: Engine
    watch: Watch
    memory_images: int = 16 * 2**20

    def render(self, job_id: str, delivery_tag: str | None = None) -> None:
        """Bring a job to its end: COMPLETED, ERROR or ABORTED, or leave it where it has ended already.

        Raises
        ------
        redis.RedisError : the record cannot be read or written; the message should go back to the queue.
        Stopped : this worker stops before the job's end. The job is QUEUED again and its message should go back to the queue.
        """
        begun = self.records.begin(job_id, delivery_tag)
        if isinstance(begun, str):
            _LOG.info("job not begun", job=job_id, phase=begun)
            return
        running = Running(job_id, delivery_tag, begun.run)
        self.watch.add(running)
        try:
            self._render(begun, running)
        except Cancelled:
            if not running.lost:
                self.records.abort(job_id, running.run)
            _LOG.info("job stopped", job=job_id, lease_lost=running.lost, done=running.progress)
        except Stopped:
            if not running.lost:
                self.records.requeue(job_id, running.run)
            raise
        except redis.RedisError:
            raise
        except Exception as error:
            if not running.lost:
                self.records.fail(job_id, failure_of(error, job_id), running.run)
        finally:
            self.watch.remove(running)

    def _render(self, job: Job, running: Running) -> None:
        clock = Clock()
        result = self.results.find(job.result_key)
        if result is None:
            model = self.models.get(self._version(job))
            clock.lap("load")
            with self.results.scratch() as scratch:
                product = self._make(job.request, model, running, scratch, clock)
                _check(running)
                result = self._store(job, product, running, scratch, clock)
        _check(running)
        if not self.records.complete(job.id, result, job.total, running.run):
            raise Cancelled("the job was taken from this worker, or forgotten, just before its end")
        clock.lap("complete")
        _LOG.info("job completed", job=job.id, operation=job.operation, images=job.total, attempt=job.attempts, **clock.steps)

    def _version(self, job: Job) -> Version:
        version = self.store.get(job.model.reference)
        if version.card.digest != job.model.digest:
            raise BadModel(
                f"model {job.model.reference} is not the one that this job was accepted with: its digest is "
                f"{version.card.digest[:19]}…, not {job.model.digest[:19]}…; send the request again"
            )
        return version

    def _make(self, request: AnyRequest, model: LoadedModel, running: Running, scratch: Path, clock: Clock) -> Product:
        """Synthesise every image of a request."""
        card, generator = model.card, model.generator

        def mapping(z: Array, weights: Array | None) -> Array:
            def rows(start: int, stop: int) -> tuple[Array, ...]:
                return (z[start:stop],) if weights is None else (z[start:stop], weights[start:stop])

            return self._run(Work(model, "map", len(z), rows, np.empty((len(z), card.w_dim or 0), np.float32)), running)

        points = points_of(request, card, mapping, generator.w_mean)
        clock.lap("map")
        out = _images((len(points), len(card.bands), card.resolution, card.resolution), self.memory_images, scratch)
        graph, rows = _synthesis_rows(request, points, model)
        images = self._run(Work(model, graph, len(points), rows, out), running)
        clock.lap("images")
        return Product(request, card, images, points.z, points.w)

    def _run(self, work: Work, running: Running) -> Array:
        """Have the engine do ``work``; images count as progress."""
        _check(running)
        ticket = self.engine.submit(work)
        running.ticket, running.shows = ticket, work.graph != "map"
        if running.stop:
            ticket.cancel()
        ticket.wait()
        return work.out

    def _go_on(self, running: Running) -> None:
        _check(running)
        if self.engine.stopping:
            raise Stopped("the worker stops")

    def _store(self, job: Job, product: Product, running: Running, scratch: Path, clock: Clock) -> Result:
        path = scratch / "result"
        encoded = encode(product, path, created=job.created, on_image=lambda: self._go_on(running))
        _check(running)
        clock.lap("encode")
        assert job.request.format is not None
        describe = Result(
            key=job.result_key,
            format=job.request.format,
            media_type=encoded.media_type,
            bytes=0,
            digest="",
            width=encoded.width,
            height=encoded.height,
            images=encoded.images,
        )
        result = self.results.put(job.result_key, path, describe)
        clock.lap("store")
        return result


def _check(running: Running) -> None:
    if running.stop:
        raise Cancelled("cancelled")


def _synthesis_rows(request: AnyRequest, points: Points, model: LoadedModel) -> tuple[Graph, Rows]:
    """Graph and inputs that turn ``points`` into images; truncation happens here, a batch at a time."""
    w_mean = model.generator.w_mean
    if points.w is None:
        return "generate", lambda start, stop: (truncated(points, request, None, start, stop),)
    noise = noise_of(request, model.card, model.generator.noise_const)

    def rows(start: int, stop: int) -> tuple[Array, ...]:
        ws = truncated(points, request, w_mean, start, stop)
        return ws, noise(start, stop)

    return "synthesize", rows


def _images(shape: tuple[int, ...], memory_limit: int, scratch: Path) -> Array:
    """Room for images: in memory, or above ``memory_limit`` bytes in a file that is allocated in full.

    Without that allocation a full disk would end the process (SIGBUS) when a page is written, instead of raising here.
    """
    size = int(np.prod(shape)) * np.dtype(np.float32).itemsize
    if size <= memory_limit:
        return np.empty(shape, dtype=np.float32)
    path = scratch / "images"
    with path.open("wb") as stream:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(stream.fileno(), 0, size)
        else:
            block = bytes(2**20)
            for start in range(0, size, len(block)):
                stream.write(block[: size - start])
    return np.memmap(path, dtype=np.float32, mode="r+", shape=shape)
