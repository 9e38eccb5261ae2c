"""Large jobs are read in turn, by whatever route, and nobody else waits for that."""

from __future__ import annotations

import http.client
import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import Client

import jobstore.records
from app.body import LARGE_BYTES
from app.services import LARGE_READS
from galaxies.jobs import Job
from tests.strategies import generate_body, style_card
from tests.unit.app.conftest import FakeWorker
from tests.unit.app.test_large_jobs import application, client, held, record, traced
from tests.worker_fakes import make_job, wait_until

__all__ = ["application", "client", "traced"]
LARGE = 40
"""So many latents of 512 numbers are some 150 kB of JSON."""
READERS = 44
"""More than AnyIO has threads."""


class Gate:
    """Stops whoever reads a large record; ``most``: of how many at a time."""

    def __init__(self) -> None:
        self.inside = self.most = 0
        self.open = threading.Event()
        self._lock = threading.Lock()
        self._job_of = jobstore.records.job_of

    def job_of(self, fields: dict[str, str]) -> Job:
        if len(fields["record"]) <= LARGE_BYTES:
            return self._job_of(fields)
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        try:
            assert self.open.wait(60)
            return self._job_of(fields)
        finally:
            with self._lock:
                self.inside -= 1


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate()
    monkeypatch.setattr(jobstore.records, "job_of", gate.job_of)
    yield gate
    gate.open.set()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/jobs/{}"),
        ("GET", "/v1/jobs/{}/events"),
        ("GET", "/v1/jobs/{}/result"),
        ("POST", "/v1/jobs/{}/cancel"),
        ("DELETE", "/v1/jobs/{}"),
        ("GET", "/v1/jobs?operation=generate"),
    ],
)
def test_large_jobs_are_read_in_turn_and_whoever_wants_something_else_is_answered(
    client: Client, worker: FakeWorker, gate: Gate, method: str, path: str
) -> None:
    small = make_job(style_card(), generate_body([1]))
    worker.records.create(small)
    large = record(worker, LARGE, 3)[-1]
    worker.records.cancel(large.id)
    with ThreadPoolExecutor(READERS) as pool:
        reads = [pool.submit(client.request, method, path.format(large.id), timeout=60) for _ in range(READERS)]
        try:
            wait_until(lambda: gate.inside == LARGE_READS, 30)
            for _ in range(3):
                for address in ("/v1/models", f"/v1/jobs/{small.id}", "/v1/jobs?operation=mix"):
                    assert client.get(address, timeout=10).status_code == 200
            assert not any(read.done() for read in reads)
        finally:
            gate.open.set()
        statuses = {read.result(60).status_code for read in reads}
    assert statuses <= {200, 204, 404, 409}
    assert gate.most == LARGE_READS


def test_many_reads_at_once_take_little_more_memory_than_the_one_whose_turn_it_is(
    client: Client, worker: FakeWorker, traced: None
) -> None:
    (job,) = record(worker, 250)

    def read(_: int) -> int:
        with client.stream("GET", f"/v1/jobs/{job.id}", timeout=60) as answer:
            return sum(map(len, answer.iter_raw()))

    def peak(readers: int) -> int:
        before = held()
        tracemalloc.reset_peak()
        with ThreadPoolExecutor(readers) as pool:
            assert len(set(pool.map(read, range(readers)))) == 1
        return tracemalloc.get_traced_memory()[1] - before

    peak(1)
    assert peak(12) < (LARGE_READS + 1.5) * peak(1)


def test_who_waits_for_a_large_job_takes_nobody_his_turn(application: FastAPI, client: Client, worker: FakeWorker) -> None:
    (job,) = record(worker, LARGE)
    services = application.state.services
    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(client.get, f"/v1/jobs/{job.id}", params={"wait": 60}) for _ in range(LARGE_READS + 1)]
        try:
            wait_until(lambda: len(services.changes._waiters.get(job.id, ())) == len(waiting), 30)
            assert services.large_reads.borrowed_tokens == 0
            assert client.get(f"/v1/jobs/{job.id}").json()["phase"] == "QUEUED"
        finally:
            worker.records.cancel(job.id)
        assert {answer.result(60).json()["phase"] for answer in waiting} == {"ABORTED"}


def test_whoever_leaves_gives_his_turn_back(application: FastAPI, client: Client, worker: FakeWorker, gate: Gate) -> None:
    (job,) = record(worker, LARGE)
    worker.records.cancel(job.id)
    turns = application.state.services.large_reads
    leaving = []
    for number in range(3 * LARGE_READS):
        connection = http.client.HTTPConnection(client.base_url.host, client.base_url.port or 80, timeout=30)
        connection.request("GET", f"/v1/jobs/{job.id}" + ("/events" if number % 2 else ""))
        leaving.append(connection)
    wait_until(lambda: gate.inside == LARGE_READS and turns.statistics().tasks_waiting == 2 * LARGE_READS, 30)
    for connection in leaving:
        connection.close()
    gate.open.set()
    wait_until(lambda: turns.borrowed_tokens == turns.statistics().tasks_waiting == 0, 30)
    assert client.get(f"/v1/jobs/{job.id}").status_code == 200


def test_a_cancellation_counts_before_its_turn_to_be_answered(client: Client, worker: FakeWorker, gate: Gate) -> None:
    (job,) = record(worker, LARGE)
    with ThreadPoolExecutor(LARGE_READS + 1) as pool:
        reads = [pool.submit(client.get, f"/v1/jobs/{job.id}", timeout=60) for _ in range(LARGE_READS)]
        try:
            wait_until(lambda: gate.inside == LARGE_READS, 30)
            cancelled = pool.submit(client.post, f"/v1/jobs/{job.id}/cancel", timeout=60)
            wait_until(lambda: worker.records.glances([job.id])[job.id].phase.ended, 10)
            assert not cancelled.done()
        finally:
            gate.open.set()
        assert cancelled.result(60).json()["phase"] == "ABORTED"
        assert {read.result(60).status_code for read in reads} == {200}


def test_a_page_of_many_small_jobs_waits_for_no_turn(client: Client, worker: FakeWorker, gate: Gate) -> None:
    (large,) = record(worker, LARGE)
    worker.records.cancel(large.id)
    for seed in range(60):
        worker.records.create(make_job(style_card(), generate_body([seed])))
    with ThreadPoolExecutor(LARGE_READS) as pool:
        reads: list[Future[Any]] = [pool.submit(client.get, f"/v1/jobs/{large.id}", timeout=60) for _ in range(LARGE_READS)]
        try:
            wait_until(lambda: gate.inside == LARGE_READS, 30)
            assert len(client.get("/v1/jobs?phase=QUEUED&limit=200", timeout=10).json()["jobs"]) == 60
        finally:
            gate.open.set()
        assert {read.result(60).status_code for read in reads} == {200}


def test_another_callers_large_job_is_not_there(application: FastAPI, client: Client, worker: FakeWorker) -> None:
    (job,) = record(worker, LARGE)
    worker.records.delete(job)
    worker.records.create(job.model_copy(update={"owner": "somebody else"}))
    for method, path in (("GET", ""), ("POST", "/cancel"), ("GET", "/events"), ("GET", "/result"), ("DELETE", "")):
        assert client.request(method, f"/v1/jobs/{job.id}{path}").status_code == 404
    left = worker.records.get(job.id)
    assert left is not None
    assert not left.phase.ended
