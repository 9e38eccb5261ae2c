"""What the service promises, on separate processes that are killed: nothing lost, nothing twice, whatever stops and when."""

from __future__ import annotations

import itertools
import random
import resource
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from celery import Celery

from jobstore.layout import DEAD
from jobstore.records import MAX_ATTEMPTS, QUEUES, TASK
from tests.cluster import ENDED, Cluster, Death
from tests.renders import begun_for_nothing, renders
from tests.tiny_models import publish_style
from tests.worker_fakes import wait_until

ROUNDS = 20
VICTIMS = ("worker", "api", "queue")
OPERATIONS = ("generate", "interpolate", "mix", "arithmetic")
PAUSE = 100_000
"""Microseconds, about, that a batch of the model `pausing` takes."""
DEADLY_SEED = 666
DEADLY = (
    "import os, worker.render as r; encode = r.encode\n"
    f"def deadly(product, *a, **k):\n if getattr(product.request, 'seeds', None) == [{DEADLY_SEED}]: os.kill(os.getpid(), 9)\n"
    " return encode(product, *a, **k)\n"
    "r.encode = deadly; import worker.__main__ as w; w.main()"
)
"""A worker that a galaxy of one seed kills, as a fault in a library would."""
fresh = itertools.count(1)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    publish_style(folder)
    publish_style(folder, "slow", cost=300)
    publish_style(folder, "pausing", pause=PAUSE)
    return folder


@pytest.fixture
def cluster(tmp_path: Path, models: Path) -> Iterator[Cluster]:
    shutil.copytree(models, tmp_path / "models")
    with Cluster(tmp_path) as cluster:
        yield cluster


def bodies(number: int) -> list[tuple[str, dict[str, Any]]]:
    """One request of each operation, unlike any before."""
    a, b = {"seed": number}, {"seed": number + 1_000_000}
    return [
        ("generate", {"seeds": [number, number + 1], "model": "tiny-style"}),
        ("interpolate", {"from": a, "to": b, "frames": 60, "model": "slow", "format": "zip"}),
        ("mix", {"rows": [a, b], "columns": [b], "layers": [0], "model": "tiny-style"}),
        ("arithmetic", {"terms": [{"latent": a}, {"latent": b, "weight": -0.5}], "model": "slow"}),
    ]


def long_bodies(number: int) -> list[tuple[str, dict[str, Any]]]:
    """The same of a model whose batches nobody misses."""
    frames = {"interpolate": {"frames": 12}}
    common = {"model": "pausing", "noise": "none"}
    return [(operation, body | frames.get(operation, {}) | common) for operation, body in bodies(number)]


def post_all(
    cluster: Cluster, port: int, bodies_of: Callable[[int], list[tuple[str, dict[str, Any]]]] = bodies
) -> list[dict[str, Any]]:
    number = next(fresh) * 10
    return [cluster.post(port, operation, body, f"{operation}-{number}") for operation, body in bodies_of(number)]


def check_whole(cluster: Cluster, port: int, jobs: list[dict[str, Any]]) -> None:
    """Every job is COMPLETED, its bytes are those of its record, and one worker says that it completed it, once."""
    assert cluster.end(port, jobs) == ["COMPLETED"] * len(jobs)
    said = Counter(line["job"] for line in cluster.worker_lines() if line["event"] == "job completed")
    for job in jobs:
        record = cluster.records.get(job["id"])
        assert record is not None
        assert record.result is not None
        assert cluster.results.find(record.result_key) == record.result
        assert said[job["id"]] <= 1, f"{job['id']} was completed {said[job['id']]} times"


class Sending:
    """A job of each operation, sent one after the other by a thread of its own."""

    def __init__(self, cluster: Cluster, port: int) -> None:
        self.accepted: list[dict[str, Any]] = []
        self._cluster = cluster
        self._thread = threading.Thread(target=lambda: self.accepted.extend(post_all(cluster, port, long_bodies)))
        self._thread.start()

    def all_completed(self) -> bool:
        completed = {run.job for run in renders(self._cluster.worker_lines()) if run.end == "job completed"}
        return not self._thread.is_alive() and completed.issuperset(job["id"] for job in self.accepted)

    def end(self) -> list[dict[str, Any]]:
        """The jobs, once all of them have their 202."""
        self._thread.join(90)
        assert len(self.accepted) == len(OPERATIONS)
        return self.accepted


def under_way(cluster: Cluster, operation: str) -> int | None:
    """Which worker runs a job of ``operation``, and none that is on its last attempt: another test wants that to be given up."""
    alive = {process.pid: number for number, process in enumerate(cluster.workers)}
    runs = [run for run in renders(cluster.worker_lines()) if run.end is None and run.pid in alive]
    spared = {run.pid for run in runs if run.attempt == MAX_ATTEMPTS}
    return next((alive[run.pid] for run in runs if run.operation == operation and run.pid not in spared), None)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_nothing_is_lost_or_made_twice_whatever_is_killed(cluster: Cluster) -> None:
    """Each operation is under way when each program is killed, and what is rendered again was cut short."""
    cluster.settings["GALSYNTH_LOG_LEVEL"] = "debug"
    draw = random.Random(1)
    port = cluster.start_api()
    for _ in range(2):
        cluster.start_worker()
    cluster.ready(port)
    jobs: list[dict[str, Any]] = []
    for number in range(ROUNDS):
        victim = VICTIMS[number % len(VICTIMS)]
        operation = OPERATIONS[number % len(OPERATIONS)]
        sending = Sending(cluster, port)
        while (worker := under_way(cluster, operation)) is None:
            if sending.all_completed():  # too late: once more
                jobs += sending.end()
                sending = Sending(cluster, port)
            time.sleep(0.01)
        time.sleep(draw.uniform(0, PAUSE / 4e6))
        if victim == "worker":
            cluster.kill_worker(worker)
            cluster.start_worker()
        elif victim == "api":
            cluster.kill_api(port)
            cluster.start_api(port)
        else:
            cluster.kill_queue()
            cluster.start_queue()
        jobs += sending.end()
    check_whole(cluster, port, jobs)
    assert len({job["id"] for job in jobs}) == len(jobs) >= ROUNDS * len(OPERATIONS)
    wait_until(lambda: cluster.redis.zcard("unacked_index") == 0, 30)
    wait_until(lambda: not any(int(value) for value in cluster.redis.hvals("galsynth:load")), 10)
    runs = renders(cluster.worker_lines())
    hit = {
        (death.victim, run.operation)
        for death in cluster.deaths
        for run in runs
        if run.under_way(death.moment) and (death.victim != "worker" or run.pid == death.pid)
    }
    assert hit == set(itertools.product(VICTIMS, OPERATIONS))
    assert begun_for_nothing(runs, cluster.deaths) == []


def line_of(moment: int, event: str, pid: int = 1, **more: Any) -> dict[str, Any]:
    """A line of the worker ``pid``, so many seconds after some time."""
    stamp = datetime.fromtimestamp(1e9 + moment, UTC).isoformat()
    begun = {"operation": "mix", "attempt": 1} if event == "job begun" else {}
    return {"timestamp": stamp, "event": event, "pid": pid, "job": "a"} | begun | more


@pytest.mark.parametrize(
    ("between", "deaths", "found"),
    [
        ([], [], True),
        ([], [Death("worker", 1, 1e9 + 2)], False),
        ([], [Death("worker", 2, 1e9 + 2), Death("api", 3, 1e9 + 2)], True),
        ([], [Death("worker", 1, 1e9 + 9)], True),
        ([], [Death("queue", 3, 1e9 + 2)], True),
        ([line_of(3, "job stopped", lease_lost=True)], [], False),
        ([line_of(3, "job stopped", lease_lost=False)], [], True),
        ([line_of(3, "job completed")], [Death("queue", 3, 1e9 + 2)], True),
        ([line_of(1, "job completed")], [Death("worker", 1, 1e9 + 2)], True),
    ],
)
def test_a_render_that_was_begun_for_nothing_is_found(between: list[Any], deaths: list[Death], found: bool) -> None:
    """The judge of the test above."""
    lines = [line_of(0, "job begun"), *between, line_of(5, "job begun", pid=2), line_of(6, "job completed", pid=2)]
    runs = renders(lines)
    assert begun_for_nothing(runs, deaths) == runs[1:] * found


def test_queued_jobs_outlive_a_killed_queue_server(cluster: Cluster) -> None:
    port = cluster.start_api()
    jobs = post_all(cluster, port) + post_all(cluster, port)
    cluster.kill_queue()
    assert cluster.get(port, "/readyz") == 503
    cluster.start_queue()
    cluster.start_worker()
    check_whole(cluster, port, jobs)


def test_an_emptied_queue_server_is_served_without_a_restart(cluster: Cluster) -> None:
    port = cluster.start_api()
    cluster.start_worker()
    cluster.ready(port)
    old = post_all(cluster, port)
    cluster.end(port, old)
    film = cluster.post(port, "interpolate", bodies(5)[1][1] | {"frames": 1500}, "film")
    wait_until(lambda: cluster.phase(port, film) == "EXECUTING", 20)
    cluster.kill_queue()
    shutil.rmtree(cluster.folder / "queue")
    (cluster.folder / "queue").mkdir()
    cluster.start_queue()
    cluster.ready(port, 60)
    assert {cluster.phase(port, job) for job in [*old, film]} == {"404"}
    check_whole(cluster, port, post_all(cluster, port))


def test_a_job_that_kills_its_workers_is_given_up_and_the_others_are_not(cluster: Cluster) -> None:
    port = cluster.start_api()
    film = cluster.post(port, "interpolate", bodies(3)[1][1] | {"frames": 500}, "beside it whenever a worker dies")
    deadly = cluster.post(port, "generate", {"seeds": [DEADLY_SEED]}, "deadly")
    jobs = [film, *post_all(cluster, port)]
    deaths = 0
    deadline = time.monotonic() + 120
    while cluster.phase(port, deadly) not in ("COMPLETED", "ERROR", "ABORTED") and time.monotonic() < deadline:
        if not cluster.workers:
            cluster.start_worker([sys.executable, "-c", DEADLY])
        if cluster.workers[0].poll() is not None:
            deaths += 1
            cluster.workers.clear()
        time.sleep(0.1)
    assert cluster.phase(port, deadly) == "ERROR"
    assert deaths == 3
    check_whole(cluster, port, jobs)
    ((_, entry),) = cluster.redis.xrange(DEAD)
    assert entry["job"] == deadly["id"]
    error = httpx.get(f"http://127.0.0.1:{port}/v1/jobs/{deadly['id']}").json()["error"]
    assert error["status"] == 500


def test_a_cut_connection_is_no_attempt_of_what_runs(cluster: Cluster) -> None:
    port = cluster.start_api()
    for _ in range(2):
        cluster.start_worker()
    cluster.ready(port)
    film = cluster.post(port, "interpolate", long_bodies(next(fresh) * 10)[1][1] | {"frames": 800}, "film")
    wait_until(lambda: cluster.phase(port, film) == "EXECUTING", 20)
    for _ in range(MAX_ATTEMPTS):
        time.sleep(1)
        assert cluster.redis.client_kill_filter(_type="normal", skipme=True) > 0
    assert cluster.phase(port, film) == "EXECUTING", "the film was too short to test anything"
    check_whole(cluster, port, [film])
    job = cluster.records.get(film["id"])
    assert job is not None
    assert (job.attempts, job.run) == (1, 1)


def test_the_queue_server_away_at_the_end_of_the_last_attempt_is_no_death(cluster: Cluster) -> None:
    """Away for longer than a lease lasts, so that the message may come to the other worker first."""
    port = cluster.start_api()
    for _ in range(2):
        cluster.start_worker()
    cluster.ready(port)
    body = {"seeds": list(range(400)), "model": "pausing"}
    job = cluster.post(port, "generate", body, "last attempt")
    wait_until(lambda: cluster.records.get(job["id"]).done > 300, 60)  # type: ignore[union-attr]
    cluster.redis.hset(f"galsynth:job:{job['id']}", "attempts", MAX_ATTEMPTS)
    cluster.kill_queue()
    time.sleep(8)
    cluster.start_queue()
    check_whole(cluster, port, [job])
    assert cluster.redis.xlen(DEAD) == 0


def test_messages_that_come_several_times_are_one_job(cluster: Cluster) -> None:
    port = cluster.start_api()
    for _ in range(2):
        cluster.start_worker()
    cluster.ready(port)
    film = cluster.post(port, "interpolate", bodies(7)[1][1] | {"frames": 400}, "film")
    small = cluster.post(port, "generate", {"seeds": [7]}, "small")
    with Celery(broker=cluster.server.url, set_as_current=False) as celery:
        for _ in range(5):
            for job in (film, small):
                celery.send_task(TASK, [job["id"]], queue=QUEUES["interactive"])
            time.sleep(0.2)
    check_whole(cluster, port, [film, small])
    wait_until(lambda: cluster.redis.zcard("unacked_index") == 0, 30)
    for job in (film, small):
        record = cluster.records.get(job["id"])
        assert record is not None
        assert record.attempts == 1


def test_sigterm_under_load_loses_nothing_and_ends_with_0(cluster: Cluster) -> None:
    port = cluster.start_api()
    first = cluster.start_worker()
    cluster.start_worker()
    cluster.ready(port)
    films = [cluster.post(port, "interpolate", bodies(50 + i)[1][1] | {"frames": 800}, f"film {i}") for i in range(4)]
    jobs = [*films, *(job for _ in range(4) for job in post_all(cluster, port))]
    wait_until(lambda: any(cluster.phase(port, film) == "EXECUTING" for film in films), 20)
    assert cluster.stop(first) == 0
    check_whole(cluster, port, jobs)
    attempts = {record.attempts for record in cluster.records.get_many([job["id"] for job in jobs])}
    assert attempts == {1}


def test_a_restarted_api_loses_nobody(cluster: Cluster) -> None:
    """Two APIs: one is stopped and started again under load, as an upgrade does."""
    ports = [cluster.start_api(), cluster.start_api()]
    cluster.start_worker()
    cluster.ready(ports[0])
    jobs = [job for _ in range(3) for port in ports for job in post_all(cluster, port)]
    assert cluster.stop(cluster.apis.pop(ports[0])) == 0
    assert cluster.end(ports[1], jobs) == ["COMPLETED"] * len(jobs)
    cluster.start_api(ports[0])
    check_whole(cluster, ports[0], jobs)


def test_a_result_that_was_deleted_is_410_and_made_again(cluster: Cluster) -> None:
    port = cluster.start_api()
    cluster.start_worker()
    job = cluster.post(port, "generate", {"seeds": [11]}, "first")
    check_whole(cluster, port, [job])
    record = cluster.records.get(job["id"])
    assert record is not None
    cluster.results.path(record.result_key).unlink()
    assert cluster.get(port, f"/v1/jobs/{job['id']}/result") == 410
    again = cluster.post(port, "generate", {"seeds": [11]}, "second")
    check_whole(cluster, port, [again])
    assert cluster.get(port, f"/v1/jobs/{again['id']}/result") == 200


def test_a_lost_result_volume_is_made_anew_without_a_restart(cluster: Cluster) -> None:
    port = cluster.start_api()
    cluster.start_worker()
    check_whole(cluster, port, [cluster.post(port, "generate", {"seeds": [12]}, "first")])
    for folder in (cluster.folder / "results").iterdir():
        shutil.rmtree(folder)
    job = cluster.post(port, "generate", {"seeds": [12]}, "second")
    check_whole(cluster, port, [job])


def test_a_full_disk_is_a_transient_error_and_the_worker_lives_on(cluster: Cluster) -> None:
    """No file may grow beyond some bytes (RLIMIT_FSIZE), which needs no root and no disk to fill."""
    port = cluster.start_api()
    process = cluster.start_worker(GALSYNTH_LOG_LEVEL="error")
    cluster.ready(port)
    whole = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1000, whole[1]))
    for i, (operation, body) in enumerate(bodies(31)[:2]):
        job = cluster.post(port, operation, body, f"full-{i}")
        assert cluster.end(port, [job]) == ["ERROR"]
        error = httpx.get(f"http://127.0.0.1:{port}/v1/jobs/{job['id']}").json()["error"]
        assert (error["status"], "stor" in error["detail"]) == (503, True), error
    assert all(file.name == "alive" for folder in (cluster.folder / "results" / "scratch").iterdir() for file in folder.iterdir())
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, whole)
    assert process.poll() is None
    job = cluster.post(port, "generate", {"seeds": [31, 32], "model": "tiny-style"}, "room again")
    assert cluster.end(port, [job]) == ["COMPLETED"]


def test_a_full_disk_under_the_queue_server_holds_jobs_up_and_loses_none(cluster: Cluster) -> None:
    port = cluster.start_api()
    for _ in range(2):
        cluster.start_worker()
    address = f"http://127.0.0.1:{port}"
    wait_until(lambda: "galsynth_workers 2.0" in httpx.get(f"{address}/metrics").text, 60)
    film = cluster.post(port, "interpolate", bodies(61)[1][1] | {"frames": 200}, "film")
    wait_until(lambda: cluster.phase(port, film) == "EXECUTING", 20)
    jobs = [film, *post_all(cluster, port)]
    assert cluster.queue is not None
    whole = resource.prlimit(cluster.queue.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(cluster.queue.pid, resource.RLIMIT_FSIZE, (1000, whole[1]))
    wait_until(lambda: "galsynth_redis_writable 0.0" in httpx.get(f"{address}/metrics").text, 20)
    assert "galsynth_redis_up 1.0" in httpx.get(f"{address}/metrics").text
    refused = httpx.post(f"{address}/v1/generate", json={"seeds": [1]}, timeout=10)
    assert (refused.status_code, "takes no writes" in refused.json()["detail"]) == (503, True)
    assert httpx.get(f"{address}/readyz").json()["checks"]["redis"] == "takes no writes"
    assert cluster.phase(port, film) not in ENDED
    waiting = ("the end of jobs waits for the job store", [film["id"]], "MISCONF")
    wait_until(
        lambda: waiting in [(line["event"], line.get("jobs"), line.get("error", "")[:7]) for line in cluster.worker_lines()],
        60,
    )
    assert [worker.poll() for worker in cluster.workers] == [None, None], "they wait"
    resource.prlimit(cluster.queue.pid, resource.RLIMIT_FSIZE, whole)
    check_whole(cluster, port, [*jobs, *post_all(cluster, port)])


def test_every_replica_answers_for_every_job(cluster: Cluster) -> None:
    """Two APIs and three workers: any of them."""
    ports = [cluster.start_api() for _ in range(2)]
    for _ in range(3):
        cluster.start_worker()
    cluster.ready(ports[0])
    jobs = [job for _ in range(4) for port in ports for job in post_all(cluster, port)]
    for port in ports:
        check_whole(cluster, port, jobs)
    events = httpx.get(f"http://127.0.0.1:{ports[1]}/v1/jobs/{jobs[0]['id']}/events", timeout=10).text
    assert events.count("event: end") == 1
