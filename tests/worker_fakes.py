"""A job-record store in memory, and workers' parts put together without Redis."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from galaxies.cards import ModelCard
from galaxies.jobs import Failure, Job, ModelRef, Phase, Result
from galaxies.requests import image_count
from jobstore.records import new_job_id
from jobstore.results import ResultStore
from models.generator import Device
from models.store import ModelStore
from tests.strategies import resolved
from worker.engine import Engine
from worker.loaded import LoadedModels
from worker.render import Renderer
from worker.scoring import Scorers
from worker.watch import Watch


def make_job(card: ModelCard, body: dict[str, Any], **changes: Any) -> Job:
    """A QUEUED job as the API would accept it for a JSON ``body``."""
    request = resolved(card, body)
    created = datetime.now(UTC).replace(microsecond=0)
    fields: dict[str, Any] = {
        "id": new_job_id(),
        "operation": request.operation,
        "request": request,
        "model": ModelRef(name=card.name, version=card.version, digest=card.digest),
        "created": created,
        "expires": created + timedelta(hours=1),
        "total": image_count(request),
    }
    return Job(**fields | changes)


@dataclass
class FakeRecords:
    """`jobstore.records.JobRecords` in memory, as far as workers use it; ``done`` lists what was reported of each job."""

    client: Any = None
    jobs: dict[str, Job] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    done: dict[str, list[int]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, job: Job) -> Job:
        self.jobs[job.id] = job
        return job

    def begin_many(self, job_ids: Sequence[str], tag: str | None = None) -> list[Job | str]:
        return [self._begin(job_id) for job_id in job_ids]

    def _begin(self, job_id: str) -> Job | str:
        job = self.jobs.get(job_id)
        if job is None:
            return "GONE"
        if job.phase.ended:
            return job.phase
        self._change(job_id, phase=Phase.EXECUTING, attempts=job.attempts + 1)
        return self.jobs[job_id]

    def get_many(self, job_ids: list[str]) -> list[Job]:
        return [self.jobs[job_id] for job_id in job_ids if job_id in self.jobs]

    def progress_many(self, done: Mapping[str, int], runs: Mapping[str, int] | None = None) -> set[str]:
        for job_id, number in done.items():
            self.done.setdefault(job_id, []).append(number)
        return {job_id for job_id in done if job_id in self.cancelled or self.jobs[job_id].phase.ended}

    def complete_many(self, jobs: Sequence[tuple[str, Result, int, int | None]]) -> list[bool]:
        return [self._change(job_id, phase=Phase.COMPLETED, result=result, done=done) for job_id, result, done, _ in jobs]

    def fail(self, job_id: str, failure: Failure, run: int | None = None) -> bool:
        return self._change(job_id, phase=Phase.ERROR, failure=failure)

    def abort(self, job_id: str, run: int | None = None) -> bool:
        return self._change(job_id, phase=Phase.ABORTED)

    def requeue(self, job_id: str, run: int | None = None, *, lost: bool = False) -> bool:
        return self._change(job_id, phase=Phase.QUEUED, done=0, attempts=self.jobs[job_id].attempts - 1)

    def _change(self, job_id: str, **fields: Any) -> bool:
        with self.lock:
            if self.jobs[job_id].phase.ended:
                return False
            self.jobs[job_id] = self.jobs[job_id].model_copy(update=fields)
            return True


@dataclass
class Bench:
    """A renderer with everything around it but Redis."""

    renderer: Renderer
    records: FakeRecords
    results: ResultStore
    engine: Engine
    watch: Watch

    def run(self, card: ModelCard, body: dict[str, Any], **changes: Any) -> Job:
        """The job of ``body`` as it is when the worker is done with it."""
        job = self.records.add(make_job(card, body, **changes))
        self.renderer.render([job.id])
        return self.records.jobs[job.id]


@contextmanager
def bench(store: Path, results: Path, *, batch_size: int = 4, memory_images: int = 2**20) -> Iterator[Bench]:
    """A running `Bench` on the models in ``store``."""
    records, found = FakeRecords(), ResultStore(results)
    engine = Engine(batch_size)
    watch = Watch(records, engine, lease_seconds=30)  # type: ignore[arg-type]
    models = LoadedModels(Device(), batch_size, 2**30)
    models_store = ModelStore([store])
    scorers = Scorers(models_store, Device(), batch_size)
    renderer = Renderer(records, found, models_store, models, scorers, engine, watch, memory_images)  # type: ignore[arg-type]
    engine.start()
    watch.start()
    try:
        yield Bench(renderer, records, found, engine, watch)
    finally:
        watch.stop()
        engine.stop()


def unfinished(results: Path) -> list[Path]:
    """Files that are being made in a result store."""
    return [path for path in (results / "scratch").glob("*/*") if path.name != "alive"]


def wait_until(condition: Any, seconds: float = 10.0) -> None:
    """Fail where ``condition()`` does not become true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not true in time"
        time.sleep(0.005)
