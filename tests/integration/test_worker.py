"""Real worker processes on a real server: jobs go in as records and messages, results come out as files. No HTTP."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis
from astropy.io import fits
from celery import Celery
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from galaxies.cards import ModelCard
from galaxies.jobs import Job, Phase
from galaxies.requests import OPERATIONS
from galsynth.server import free_port
from jobstore.records import QUEUES, JobRecords
from jobstore.results import ResultStore
from jobstore.workers import WorkerBeacons
from models.store import ModelStore
from tests.strategies import arithmetic_body, generate_body, interpolate_body, mix_body
from tests.tiny_models import publish_style, publish_z
from tests.worker_fakes import make_job, unfinished, wait_until

COMMAND = [sys.executable, "-m", "worker"]
SHORT_OF_TIME = [sys.executable, "-c", "import worker.main as m; m.FINISH_SECONDS = 0.2; import worker.__main__ as w; w.main()"]
LEASE_SECONDS = 4
SLOW_FRAMES = 1200
BODIES = {
    "generate": generate_body([1, 2, 3]),
    "interpolate": interpolate_body(5),
    "mix": mix_body(2, 2),
    "arithmetic": arithmetic_body([1.0, -1.0, 1.0]),
}
EVERY = [(operation, format_) for operation, type_ in OPERATIONS.items() for format_ in type_.formats]

OPENS: dict[str, Callable[[bytes], Any]] = {
    "png": lambda data: Image.open(io.BytesIO(data)).load(),
    "gif": lambda data: Image.open(io.BytesIO(data)).seek(4),
    "webp": lambda data: Image.open(io.BytesIO(data)).seek(4),
    "mp4": lambda data: data.index(b"ftyp"),
    "fits": lambda data: fits.open(io.BytesIO(data)).verify("exception"),
    "zip": lambda data: zipfile.ZipFile(io.BytesIO(data)).testzip(),
    "npz": lambda data: np.load(io.BytesIO(data), allow_pickle=False)["images"],
}


@dataclass
class Place:
    """One database of the server, a model store, a result store, and the workers that were started on them."""

    url: str
    folder: Path
    records: JobRecords
    results: ResultStore
    celery: Celery
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def environ(self, **settings: str) -> dict[str, str]:
        own = {
            "REDIS_URL": self.url,
            "GALSYNTH_RESULTS_DIR": str(self.folder / "results"),
            "GALSYNTH_MODELS_DIRS": str(self.folder / "models"),
            "GALSYNTH_DEFAULT_MODEL": "tiny-style",
            "GALSYNTH_VISIBILITY_TIMEOUT": str(LEASE_SECONDS),
            "GALSYNTH_HEARTBEAT_FILE": str(self.folder / "heartbeat"),
            "GALSYNTH_LOG_JSON": "true",
        }
        return os.environ | own | settings

    def start_worker(self, command: Sequence[str] = COMMAND, **settings: str) -> subprocess.Popen[bytes]:
        known = {info.pid for info in WorkerBeacons(self.records.client).alive()}
        with self.log.open("ab") as stream:
            process = subprocess.Popen(command, env=self.environ(**settings), stdout=stream, stderr=stream)
        self.workers.append(process)

        def ready() -> bool:
            assert process.poll() is None, self.log.read_text()
            alive = {info.pid for info in WorkerBeacons(self.records.client).alive() if "tiny-style@1" in info.warm}
            return process.pid in alive - known

        wait_until(ready, 60)
        return process

    @property
    def log(self) -> Path:
        return self.folder / "worker.log"

    def card(self, name: str = "tiny-style") -> ModelCard:
        return ModelStore([self.folder / "models"]).get(name).card

    def send(self, body: dict[str, Any], model: str = "tiny-style", **changes: Any) -> Job:
        job = make_job(self.card(model), body, **changes)
        self.records.create(job)
        self.deliver(job)
        return job

    def deliver(self, job: Job) -> None:
        self.celery.send_task("galaxies.render", [job.id], queue=QUEUES[job.priority])

    def completed(self, job: Job) -> dict[str, Any]:
        """The worker's log line of a job's completion, which comes just after the job's record says so."""
        found: list[dict[str, Any]] = []

        def told() -> bool:
            whole = self.log.read_text().rpartition("\n")[0].splitlines()
            lines = [json.loads(line) for line in whole if job.id in line and line.startswith("{")]
            found[:] = [line for line in lines if line["event"] == "job completed"]
            return bool(found)

        wait_until(told, 30)
        (line,) = found
        return line

    def now(self, job: Job) -> Job:
        found = self.records.get(job.id)
        assert found is not None
        return found

    def end(self, job: Job, seconds: float = 60) -> Job:
        wait_until(lambda: self.now(job).phase.ended, seconds)
        return self.now(job)

    def running(self, job: Job) -> None:
        wait_until(lambda: self.now(job).done > 0, 30)

    def stop(self, process: subprocess.Popen[bytes], how: int = signal.SIGTERM) -> int:
        process.send_signal(how)
        self.workers.remove(process)
        return process.wait(60)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place")
    publish_style(folder / "models")
    publish_z(folder / "models")
    publish_style(folder / "models", "slow", cost=2500)
    return folder


@pytest.fixture(scope="module")
def place(stores: Path, valkey_url: str) -> Iterator[Place]:
    """A database of its own, emptied, without workers."""
    url = valkey_url.rpartition("/")[0] + "/7"
    with redis.Redis.from_url(url, decode_responses=True) as client:
        client.flushdb()
        found = Place(url, stores, JobRecords(client), ResultStore(stores / "results"), Celery(broker=url, set_as_current=False))
        yield found
        for process in found.workers:
            process.kill()
            process.wait()
        found.celery.close()


@pytest.fixture
def worker(place: Place) -> subprocess.Popen[bytes]:
    """One worker that lives; tests that end it leave the next a fresh one."""
    running = [process for process in place.workers if process.poll() is None]
    return running[0] if running else place.start_worker()


@pytest.mark.parametrize(("operation", "format_"), EVERY)
def test_every_operation_in_every_format(place: Place, worker: Any, operation: str, format_: str) -> None:
    job = place.end(place.send(BODIES[operation] | {"format": format_}))
    assert job.phase == Phase.COMPLETED, job.failure
    assert job.result is not None
    assert job.done == job.total
    data = place.results.read(job.result_key)
    assert place.results.find(job.result_key) == job.result
    assert job.result.bytes == len(data)
    OPENS[format_](data)


@pytest.mark.parametrize("operation", ["generate", "interpolate", "arithmetic"])
def test_a_model_without_w(place: Place, worker: Any, operation: str) -> None:
    job = place.end(place.send(BODIES[operation], "tiny-z"))
    assert job.phase == Phase.COMPLETED, job.failure


def test_many_jobs_at_once_all_end_well_and_once(place: Place, worker: Any) -> None:
    jobs = [place.send(generate_body([1000 + i])) for i in range(100)]
    assert {place.end(job).phase for job in jobs} == {Phase.COMPLETED}
    assert {place.now(job).attempts for job in jobs} == {1}
    wait_until(lambda: place.records.client.zcard("unacked_index") == 0)


@pytest.mark.parametrize("model", ["tiny-style", "slow"])
def test_a_single_galaxy_does_not_wait_for_a_film(place: Place, worker: Any, model: str) -> None:
    film = place.send(interpolate_body(SLOW_FRAMES, truncation=0.65 if model == "slow" else 0.7), "slow")
    place.running(film)
    for seed in range(5):
        job = place.end(place.send(generate_body([2000 + seed]), model), 5)
        assert job.phase == Phase.COMPLETED
    assert place.now(film).phase == Phase.EXECUTING
    place.records.cancel(film.id)
    place.end(film)


def test_films_that_fill_a_worker_leave_a_place_for_a_single_galaxy(place: Place, worker: Any) -> None:
    """With more films than the worker has places a galaxy is begun at once, and the engine has it done by the second batch."""
    for process in list(place.workers):
        place.stop(process)
    place.start_worker(GALSYNTH_CONCURRENCY="4", GALSYNTH_BULK_CONCURRENCY="3", GALSYNTH_BATCH_SIZE="2")
    films = [place.send(interpolate_body(2000, truncation=0.2 + i / 100), "slow", priority="bulk") for i in range(8)]
    wait_until(lambda: sum(place.now(film).done > 0 for film in films) == 3, 30)
    galaxies = [place.end(place.send(generate_body([2500 + i]), "slow")) for i in range(5)]
    phases = [place.now(film).phase for film in films]
    for film in films:
        place.records.cancel(film.id)
    assert [galaxy.phase for galaxy in galaxies] == [Phase.COMPLETED] * 5
    assert sorted(phases) == [Phase.EXECUTING] * 3 + [Phase.QUEUED] * 5, "a film has ended: nothing was tested"
    assert all(1 <= place.completed(galaxy)["batches"] <= 2 for galaxy in galaxies)
    for film in films:
        place.end(film)


def test_progress_moves_and_cancel_stops_at_once(place: Place, worker: Any) -> None:
    job = place.send(interpolate_body(2000), "slow")
    place.running(job)
    first = place.now(job).done
    wait_until(lambda: place.now(job).done > first)
    place.records.cancel(job.id)
    begun = time.monotonic()
    ended = place.end(job)
    assert ended.phase == Phase.ABORTED
    assert time.monotonic() - begun < 2
    assert 0 < ended.done < 2000
    assert place.results.find(job.result_key) is None
    wait_until(lambda: unfinished(place.folder / "results") == [])


def test_a_deleted_job_stops(place: Place, worker: Any) -> None:
    job = place.send(interpolate_body(1999), "slow")
    place.running(job)
    place.records.delete(job)
    wait_until(lambda: place.records.client.zcard("unacked_index") == 0)
    assert place.records.get(job.id) is None
    assert place.results.find(job.result_key) is None


def test_a_message_of_no_job_or_a_strange_message_harms_nobody(place: Place, worker: Any) -> None:
    place.celery.send_task("galaxies.render", ["no such job"], queue="galaxies")
    place.celery.send_task("galaxies.render", [], queue="galaxies")
    place.celery.send_task("another.task", [1], queue="galaxies")
    assert place.end(place.send(generate_body([3000]))).phase == Phase.COMPLETED
    assert worker.poll() is None


def test_the_heartbeat_file_is_fresh(place: Place, worker: Any) -> None:
    path = place.folder / "heartbeat"
    wait_until(lambda: path.exists() and time.time() - path.stat().st_mtime < 2)


def test_a_model_published_later_serves_without_a_restart(place: Place, worker: Any) -> None:
    publish_style(place.folder / "models", "late")
    assert place.end(place.send(generate_body([1]), "late")).phase == Phase.COMPLETED


def test_a_new_version_of_the_default_model_is_warm_before_anybody_asks(place: Place, worker: Any) -> None:
    def warm(name: str) -> bool:
        return any(name in info.warm for info in WorkerBeacons(place.records.client).alive())

    version = publish_style(place.folder / "models", version="2", seed=5, created=datetime(2100, 1, 1, tzinfo=UTC))
    try:
        wait_until(lambda: warm("tiny-style@2"), 15)
        assert warm("tiny-style@1")
    finally:
        shutil.rmtree(version.folder)


def test_a_damaged_model_is_one_clear_error_and_the_worker_lives(place: Place, worker: Any) -> None:
    version = publish_style(place.folder / "models", "damaged")
    path = version.folder / "mapping.onnx"
    path.write_bytes(path.read_bytes()[:-10])
    job = place.end(place.send(generate_body([1]), "damaged"))
    assert job.phase == Phase.ERROR
    assert job.failure is not None
    assert job.failure.kind == "model"
    assert place.end(place.send(generate_body([3001]))).phase == Phase.COMPLETED


def test_every_line_of_a_workers_log_is_json(place: Place, worker: Any) -> None:
    place.end(place.send(generate_body([3100])))
    assert place.stop(worker) == 0
    lines = [json.loads(line) for line in place.log.read_text().splitlines()]
    assert {"device": "CPU", "model": "tiny-style@1"}.items() <= next(
        line for line in lines if line["event"] == "worker ready"
    ).items()
    assert [line["signal"] for line in lines if line["event"] == "worker stops"][-1] == "SIGTERM"


def test_a_worker_serves_its_metrics_and_logs_the_request_of_a_job(place: Place, worker: Any) -> None:
    port = free_port()
    other = place.start_worker(GALSYNTH_METRICS_PORT=str(port))

    def sample(name: str, **labels: str) -> float:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            families = list(text_string_to_metric_families(answer.read().decode()))
        return sum(s.value for f in families for s in f.samples if s.name == name and labels.items() <= s.labels.items())

    try:
        assert sample("galsynth_models_loaded") == 1
        for i in range(40):  # until this worker has had its share
            job = make_job(place.card(), generate_body([5000 + i]), request_id=f"request-{i}", pixels=1000)
            place.records.create(job)
            place.deliver(job)
            place.end(job)
            if sample("galsynth_worker_jobs_total", outcome="completed") >= 10:
                break
        assert sample("galsynth_worker_pixels_total") >= 10_000
        assert sample("galsynth_batch_size_count", graph="synthesize") >= 2
        assert sample("galsynth_job_queue_seconds_count", priority="interactive") >= 2
        for step in ("load", "mapping", "inference", "encode", "store"):
            assert sample("galsynth_job_step_seconds_count", step=step) >= 2
        assert 0 <= sample("galsynth_engine_age_seconds") < 5
        wait_until(lambda: sample("galsynth_worker_pixels_per_second") > 0)
        done = [json.loads(line) for line in place.log.read_text().splitlines() if '"request-0"' in line]
        assert [line["event"] for line in done] == ["job completed"]
    finally:
        assert place.stop(other) == 0


def test_a_job_longer_than_its_lease_runs_once(place: Place, worker: Any) -> None:
    """The contract with kombu: a lease renewed in its index keeps the message from the other worker."""
    other = place.start_worker()
    job = place.send(interpolate_body(SLOW_FRAMES, truncation=0.9), "slow")
    place.running(job)
    begun = time.monotonic()
    (tag,) = place.records.client.zrange("unacked_index", 0, -1)
    first = place.records.client.zscore("unacked_index", tag)
    wait_until(lambda: place.records.client.zscore("unacked_index", tag) > first, LEASE_SECONDS)
    ended = place.end(job, 120)
    assert ended.phase == Phase.COMPLETED
    assert time.monotonic() - begun > LEASE_SECONDS, "the job was too short to test anything"
    assert ended.attempts == 1
    assert place.stop(other) == 0


def test_a_lost_lease_stops_the_work_which_goes_back_unpublished_and_uncounted(place: Place, worker: Any) -> None:
    job = place.send(interpolate_body(2000, truncation=0.8), "slow")
    place.running(job)
    place.records.client.delete("unacked_index", "unacked")
    wait_until(lambda: "lease lost" in place.log.read_text(), LEASE_SECONDS * 2)
    wait_until(lambda: place.now(job).phase == Phase.QUEUED)
    assert (place.now(job).done, place.now(job).attempts) == (0, 0)
    assert place.results.find(job.result_key) is None


def test_killed_in_the_middle_another_worker_finishes(place: Place, worker: Any) -> None:
    jobs = [place.send(interpolate_body(200, truncation=0.1 * i), "slow") for i in range(3)]
    for job in jobs:
        place.running(job)
    place.start_worker()
    place.stop(worker, signal.SIGKILL)
    for job in jobs:
        ended = place.end(job, 120)
        assert (ended.phase, ended.attempts) == (Phase.COMPLETED, 2)
        assert place.results.find(job.result_key) == ended.result


def test_sigterm_finishes_what_runs_and_leaves_what_waits(place: Place, worker: Any) -> None:
    for process in list(place.workers):
        place.stop(process)
    alone = place.start_worker(GALSYNTH_CONCURRENCY="1")
    running = place.send(interpolate_body(300, truncation=0.55), "slow")
    place.running(running)
    waiting = place.send(generate_body([4000]))
    assert place.stop(alone) == 0
    assert place.now(running).phase == Phase.COMPLETED
    assert place.now(waiting).phase == Phase.QUEUED
    assert alone.pid not in [info.pid for info in WorkerBeacons(place.records.client).alive()]
    place.start_worker()
    assert place.end(waiting).phase == Phase.COMPLETED


def test_what_comes_while_a_worker_is_told_to_stop_does_not_wait_for_its_film(place: Place, worker: Any) -> None:
    for process in list(place.workers):
        place.stop(process)
    alone = place.start_worker()
    film = place.send(interpolate_body(SLOW_FRAMES, truncation=0.65), "slow")
    place.running(film)
    jobs = [place.send(generate_body([5000 + i])) for i in range(20)]
    alone.send_signal(signal.SIGTERM)
    jobs += [place.send(generate_body([6000 + i])) for i in range(100)]

    def all_ended_or_waiting() -> bool:
        assert place.now(film).phase == Phase.EXECUTING, "before its film has ended"
        waiting = sum(place.now(job).phase == Phase.QUEUED for job in jobs)
        held, queued = place.records.client.hlen("unacked"), place.records.client.llen(QUEUES["interactive"])
        return held == 1 and queued == waiting > 0

    wait_until(all_ended_or_waiting, 30)
    assert place.stop(alone) == 0
    assert place.now(film).phase == Phase.COMPLETED
    place.start_worker()
    for job in jobs:
        ended = place.end(job)
        assert (ended.phase, ended.attempts) == (Phase.COMPLETED, 1)


def test_a_job_too_long_for_a_stop_goes_back_to_the_queue_and_the_next_worker_finishes_it(place: Place, worker: Any) -> None:
    for process in list(place.workers):
        place.stop(process)
    before = len(place.log.read_text())
    alone = place.start_worker(SHORT_OF_TIME)
    job = place.send(interpolate_body(400, truncation=0.35), "slow")
    place.running(job)
    assert place.stop(alone) == 0
    assert place.now(job).phase == Phase.QUEUED
    lines = [json.loads(line) for line in place.log.read_text()[before:].splitlines()]
    assert [line["jobs"] for line in lines if line["event"] == "jobs go back to the queue"] == [[job.id]]
    assert [line for line in lines if "Traceback" in str(line)] == []
    place.start_worker()
    ended = place.end(job, 60)
    assert (ended.phase, ended.attempts) == (Phase.COMPLETED, 1)


def cannot_start(environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(COMMAND, env=environ, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"REDIS_URL": "redis://:secret@127.0.0.1:1/0"}, "127.0.0.1:1"),
        ({"GALSYNTH_DEFAULT_MODEL": "absent"}, "absent"),
        ({"GALSYNTH_CONCURRENCY": "many"}, "GALSYNTH_CONCURRENCY"),
        ({"GALSYNTH_RESULTS_DIR": "/proc/nowhere"}, "/proc/nowhere"),
    ],
)
def test_a_worker_that_cannot_start_says_why_in_one_line(place: Place, settings: dict[str, str], says: str) -> None:
    done = cannot_start(place.environ(**settings))
    assert done.returncode == 2
    last = json.loads(done.stderr.strip().splitlines()[-1])  # a record, as all log lines of this worker are
    assert last["level"] == "critical"
    assert last["event"].startswith("worker: ")
    assert says in last["event"]
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr


def test_without_onnxruntime_a_worker_says_what_to_install(place: Place, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['onnxruntime'] = None\n")
    path = os.pathsep.join([str(tmp_path), os.getcwd(), os.environ.get("PYTHONPATH", "")])
    environ = place.environ(PYTHONPATH=path)
    done = cannot_start(environ)
    assert done.returncode == 2
    assert "galsynth[worker]" in done.stderr
    assert "Traceback" not in done.stderr
