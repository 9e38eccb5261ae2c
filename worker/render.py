"""Jobs, from their records to their results: here records, result store, models, engine and encoders meet."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import redis
import structlog

from galaxies.encode import Encoded, encode
from galaxies.errors import BadModel
from galaxies.jobs import Job, ModelRef, Phase, Result, ResultScores
from galaxies.product import Product
from galaxies.scores import Scores
from jobstore.records import MAX_ATTEMPTS, JobRecords
from jobstore.stores import Results
from models.store import ModelStore
from models.versions import Version
from telemetry.traces import Attributes, NoTraces, Traces
from worker.engine import Engine
from worker.failures import failure_of
from worker.insist import Answer, insist
from worker.loaded import MAP_ROWS, LoadedModel, LoadedModels
from worker.metrics import Metrics
from worker.points import Mapping, points_of
from worker.room import Room
from worker.scoring import Scorers, scores_of, scoring
from worker.synthesis import check_pixels, images_of, synthesis
from worker.tickets import Array, Cancelled, Stopped, Ticket, Work
from worker.watch import Running, Watch
from worker.way import Way

PATIENCE_SECONDS = 5.0
"""How long jobs wait in this worker for one that has it for itself, before they go to another."""

_LOG = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Renderer:
    """Renders jobs. Used by many task threads at once; keeps nothing of a job after its end."""

    records: JobRecords
    results: Results
    store: ModelStore
    models: LoadedModels
    scorers: Scorers
    engine: Engine
    watch: Watch
    memory_images: int = 16 * 2**20
    metrics: Metrics = field(default_factory=Metrics)
    traces: Traces = field(default_factory=NoTraces)
    room: Room = field(default_factory=Room)

    def render(self, job_ids: Sequence[str], delivery_tag: str | None = None, again: bool = False) -> None:
        """Bring jobs to their ends: COMPLETED, ERROR or ABORTED, or leave them where they have ended already.

        Each ends as soon as its images are there. What is begun at once, or made while another result is stored, shares a round
        trip. ``again``: their message comes once more. A job on its last attempt, which may be what killed its workers, runs
        alone, so that the jobs beside it are not given up with it.

        Raises
        ------
        redis.RedisError : a job cannot be begun, or the worker stops while an end cannot be written down; the message should go
            back to the queue.
        Stopped : this worker stops before a job's end. That job is QUEUED again and the message should go back to the queue.
        Occupied : a job that runs alone runs long; the message should go back to the queue, where another worker may take it.
        """
        last = again and any(job.attempts == MAX_ATTEMPTS - 1 for job in self.records.get_many(list(job_ids)))
        with self.room.alone() if last else self.room.together(PATIENCE_SECONDS):
            self._render_all(job_ids, delivery_tag)

    def _render_all(self, job_ids: Sequence[str], delivery_tag: str | None) -> None:
        ways = []
        for job_id, begun in zip(job_ids, self.records.begin_many(job_ids, delivery_tag), strict=True):
            if isinstance(begun, str):
                (_LOG.warning if begun == Phase.ERROR else _LOG.info)("job not begun", job=job_id, phase=begun)
            else:
                self.metrics.begun(begun)
                _LOG.debug("job begun", job=job_id, operation=begun.operation, attempt=begun.attempts, run=begun.run)
                ways.append(Way(begun, Running(job_id, delivery_tag, begun.run, pixels=begun.pixels, total=begun.total)))
        self.watch.add(*(way.running for way in ways))
        try:
            with contextlib.ExitStack() as stack:
                self._render(ways, cache(lambda: stack.enter_context(self.results.scratch())))
        finally:
            for way in ways:
                way.running.cancel()  # where Redis went away in the middle, the engine need not go on
                way.forget_tracebacks()
            self.watch.remove(*(way.running for way in ways))
        if any(isinstance(way.error, Stopped) for way in ways):
            raise Stopped("the worker stops")

    def _render(self, ways: list[Way], scratch: Callable[[], Path]) -> None:
        made: SimpleQueue[Way] = SimpleQueue()
        alone = len(ways) == 1
        for way in ways:
            _attempt(way, self._start, scratch, (lambda: None) if alone else partial(made.put, way))
        if alone:  # encoding goes along with the images as they come
            made.put(ways[0])
        going = sum(way.product is not None for way in ways)
        self._end([way for way in ways if way.product is None])
        while going:
            together = [made.get()]
            while not made.empty():
                together.append(made.get())
            going -= len(together)
            for way in together:
                _attempt(way, self._finish, scratch)
            self._end(together)

    def _end(self, ways: list[Way]) -> None:
        """Write down how jobs have ended."""
        done = [(way.job.id, way.result, way.job.total, way.running.run) for way in ways if way.result is not None]
        completed = iter(self._insist(partial(self.records.complete_many, done), [job_id for job_id, *_ in done]))
        for way in (way for way in ways if way.result is not None):
            if not next(completed):
                way.error = Cancelled("the job was taken from this worker, or forgotten, just before its end")
                continue
            way.clock.lap("complete")
            job, steps = way.job, way.clock.steps
            ids = {"job": job.id, "request_id": job.request_id, "caller": job.owner}
            batches = way.running.ticket.batches if way.running.ticket else 0
            what = {"operation": job.operation, "images": job.total, "attempt": job.attempts, "batches": batches}
            _LOG.info("job completed", **ids, **what, **steps)
            self._report(way, "completed")
        for way in ways:
            if way.error is not None:
                self._end_without_result(way, way.error)
        self.watch.remove(*(way.running for way in ways))

    def _end_without_result(self, way: Way, error: Exception) -> None:
        running, job = way.running, way.job
        with structlog.contextvars.bound_contextvars(request_id=job.request_id, caller=job.owner):
            if isinstance(error, Cancelled):
                mine = not running.lost and self._insist(partial(self.records.abort, job.id, running.run), [job.id])
                _LOG.info("job stopped", job=job.id, lease_lost=running.lost, done=running.progress)
                if not mine:  # another worker has it, or will, and this attempt of it killed nobody
                    self._insist(partial(self.records.requeue, job.id, running.run, lost=True), [job.id])
                if not running.lost:
                    self._report(way, "cancelled")
            elif isinstance(error, Stopped):
                self._insist(partial(self.records.requeue, job.id, running.run), [job.id])
                self._report(way, "given_back")
            else:
                failure = failure_of(error, job.id)
                self._insist(partial(self.records.fail, job.id, failure, running.run), [job.id])
                self._report(way, "refused" if failure.kind == "input" else "failed", failure.message)

    def _insist(self, write: Callable[[], Answer], jobs: list[str]) -> Answer:
        return insist(write, jobs, lambda: self.engine.stopping)

    def _report(self, way: Way, outcome: str, failure: str = "") -> None:
        """Count a job that this worker is done with, and trace it."""
        job, steps = way.job, way.clock.steps
        self.metrics.ended(job, outcome, steps)
        attributes: Attributes = {
            "job.id": job.id,
            "job.operation": job.operation,
            "job.images": job.total,
            "job.outcome": outcome,
        }
        self.traces.job(job.traceparent, way.clock.began, steps, attributes, failure)

    def _start(self, way: Way, scratch: Callable[[], Path], on_end: Callable[[], None]) -> None:
        """Hand a job's images to the engine, which calls ``on_end`` at their end; or find the result that is stored."""
        job, running = way.job, way.running
        stored = self.results.find(job.result_key)
        if stored is not None:
            _check(running)
            way.result = stored
            return
        model = self.models.get(self._version(job))
        card = model.card
        running.network_pixels_each = card.resolution**2
        way.clock.lap("load")
        points = points_of(job.request, card, self._mapping(model, running), model.generator.w_mean)
        way.clock.lap("map")
        shape = (len(points), len(card.bands), card.resolution, card.resolution)
        out = images_of(shape, self.memory_images, lambda: scratch() / f"{job.id}.images")
        product = Product(job.request, card, out, points.z, points.w)
        self._submit(synthesis(job.request, points, model, out), running, on_end)
        way.product = product

    def _finish(self, way: Way, scratch: Callable[[], Path]) -> None:
        """Encode and store a job's images, which the engine has made or makes meanwhile."""
        job, running, product = way.job, way.running, way.product
        assert product is not None
        if job.scorer is not None:
            product = replace(product, scores=self._scores(job.scorer, product, way))
        path = scratch() / f"{job.id}.result"
        encoded = encode(product, path, created=job.created, on_image=partial(self._await_image, way))
        way.clock.lap("encode")
        _check(running)
        way.result = self.results.put(job.result_key, path, _described(job, encoded, product.scores))
        way.clock.lap("store")
        _check(running)

    def _scores(self, wanted: ModelRef, product: Product, way: Way) -> Scores:
        """What the scorer ``wanted`` says of the images, once all of them are made."""
        self._await_image(way, len(product.images) - 1)
        scorer = self.scorers.get(wanted)
        work = scoring(scorer, product)
        self._submit(work, way.running).wait()
        way.clock.lap("scores")
        return scores_of(scorer, work)

    def _version(self, job: Job) -> Version:
        version = self.store.get(job.model.reference)
        if version.card.digest != job.model.digest:
            raise BadModel(
                f"model {job.model.reference} is not the one that this job was accepted with: its digest is "
                f"{version.card.digest[:19]}…, not {job.model.digest[:19]}…; send the request again"
            )
        return version

    def _mapping(self, model: LoadedModel, running: Running) -> Mapping:
        """The mapping network of ``model``, on this thread where that is allowed, else on the engine's."""

        def mapping(z: Array, weights: Array | None) -> Array:
            def rows(start: int, stop: int) -> tuple[Array, ...]:
                return (z[start:stop],) if weights is None else (z[start:stop], weights[start:stop])

            out = np.empty((len(z), model.card.w_dim or 0), np.float32)
            if model.shared:
                for start in range(0, len(z), MAP_ROWS):
                    _check(running)
                    out[start : start + MAP_ROWS] = model.generator.map(*rows(start, start + MAP_ROWS))
            else:
                self._submit(Work(model, "map", len(z), rows, out), running).wait()
            return out

        return mapping

    def _submit(self, work: Work, running: Running, on_end: Callable[[], None] = lambda: None) -> Ticket:
        """Hand ``work`` to the engine; images count as progress."""
        _check(running)
        ticket = self.engine.submit(work, on_end)
        if work.graph == "judge":
            running.judging = ticket
        else:
            running.ticket, running.shows = ticket, work.graph != "map"
        if running.stop:
            ticket.cancel()
        return ticket

    def _await_image(self, way: Way, index: int) -> None:
        """Return when image ``index`` is there; with the last one the time of the images ends and that of the encoding begins."""
        _check(way.running)
        if self.engine.stopping:
            raise Stopped("the worker stops")
        assert way.running.ticket is not None
        way.running.ticket.wait(index + 1)
        check_pixels(way.running.ticket.work.out, index)
        way.running.sees(index)
        if index == way.running.ticket.work.count - 1 and "images_ms" not in way.clock.steps:
            way.clock.lap("images")


def _attempt(way: Way, step: Callable[..., None], *args: object) -> None:
    """Take a step of one job, so that what goes wrong with it is its own; Redis out of reach is everybody's."""
    try:
        step(way, *args)
    except redis.RedisError:
        raise
    except Exception as error:
        way.result, way.error = None, error


def _described(job: Job, encoded: Encoded, scores: Scores | None) -> Result:
    assert job.request.format is not None
    return Result(
        key=job.result_key,
        format=job.request.format,
        media_type=encoded.media_type,
        bytes=0,
        digest="",
        width=encoded.width,
        height=encoded.height,
        images=encoded.images,
        scores=ResultScores.of(scores) if scores else None,
    )


def _check(running: Running) -> None:
    if running.stop:
        raise Cancelled("cancelled")
