"""What is accepted when: a queue bounded in pixels, two priorities, requests that race."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from httpx import Client

import app.body
import app.room
import app.submission
from app.body import LARGE_BYTES, parse_object
from app.settings import Settings
from jobstore.layout import LOAD, OPEN
from jobstore.workers import WorkerBeacons, WorkerInfo
from tests.unit.app.conftest import LISTS, FakeWorker, served
from tests.unit.app.test_operations import BODIES, WAIT, problem
from tests.worker_fakes import wait_until

GALAXY = 64 * 64
JSON = {"content-type": "application/json"}


def large(seed: int) -> bytes:
    """A request with a large body."""
    return b'{"seeds": [%d]}' % seed + b" " * LARGE_BYTES


def load(worker: FakeWorker) -> dict[str, int]:
    """What is counted as not ended, without what is zero."""
    return {str(name): int(value) for name, value in worker.client.hgetall(LOAD).items() if int(value)}


def test_the_queue_is_bounded_in_pixels_and_over_it_503_at_once(settings: Settings, worker: FakeWorker) -> None:
    worker.paused = True
    with served(settings.model_copy(update={"max_queue_pixels": 5 * GALAXY})) as client:
        assert client.post("/v1/generate", json={"count": 3}).status_code == 202
        full = client.post("/v1/generate", json={"count": 3}, headers=WAIT)
        assert problem(full, 503)["type"].endswith("queue-full")
        assert int(full.headers["retry-after"]) >= 1
        assert full.elapsed.total_seconds() < 2
        assert client.post("/v1/generate", json={"count": 2}).status_code == 202
        assert len(client.get("/v1/jobs").json()["jobs"]) == 2, "what is refused leaves no record"
        worker.paused = False
        wait_until(lambda: load(worker) == {})
        assert client.post("/v1/generate", json={"count": 9}).status_code == 202, "an empty queue takes any request"


def test_before_the_servers_memory_is_full_new_jobs_are_refused_and_those_that_are_there_end(
    settings: Settings, worker: FakeWorker, server_setting: Callable[[str, object], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.room, "FRESH_SECONDS", 0)
    worker.paused = True
    with served(settings) as client:
        waiting = client.post("/v1/generate", json={"seeds": [1]}).json()
        server_setting("maxmemory", int(worker.client.info("memory")["used_memory"] * 1.02))
        full = client.post("/v1/generate", json={"seeds": [3]})
        assert problem(full, 503)["type"].endswith("queue-full")
        assert full.headers["retry-after"] == "60"
        assert 'galsynth_requests_refused_total{bound="memory"} 1.0' in client.get("/metrics").text
        worker.paused = False
        wait_until(lambda: client.get(waiting["links"]["self"]).json()["phase"] == "COMPLETED")
        server_setting("maxmemory", 0)
        assert client.post("/v1/generate", json={"seeds": [3]}).status_code == 202


def test_retry_after_follows_the_measured_speed(settings: Settings, worker: FakeWorker) -> None:
    worker.paused = True
    info = {"worker_id": "w", "pid": 1, "device": "CPU", "providers": [], "warm": [], "started": "2026-01-01T00:00:00Z"}
    fast = WorkerInfo.model_validate(info | {"pixels_per_second": GALAXY})
    WorkerBeacons(worker.client).announce("w", fast)
    with served(settings.model_copy(update={"max_queue_pixels": 30 * GALAXY})) as client:
        first = client.post("/v1/generate", json={"count": 20}).json()
        assert first["eta_seconds"] == pytest.approx(20, abs=0.2)
        second = client.post("/v1/generate", json={"count": 10}).json()
        assert second["eta_seconds"] == pytest.approx(30, abs=0.2)
        full = client.post("/v1/generate", json={"count": 17})
        assert int(full.headers["retry-after"]) == 17


@pytest.mark.parametrize("end", ["complete", "cancel", "delete"])
def test_whatever_ends_a_job_it_is_counted_no_longer(client: Client, worker: FakeWorker, end: str) -> None:
    worker.paused = True
    job = client.post("/v1/generate", json={"count": 2}).json()
    assert load(worker) == {"waiting:interactive": 2 * GALAXY, "jobs:": 1}
    if end == "cancel":
        client.post(job["links"]["cancel"])
    elif end == "delete":
        client.delete(job["links"]["self"])
    else:
        worker.render(job["id"])
    assert load(worker) == {}
    assert worker.client.hlen(OPEN) == 0


def test_large_jobs_and_those_that_stand_back_are_bulk(settings: Settings, worker: FakeWorker) -> None:
    worker.paused = True
    with served(settings.model_copy(update={"bulk_pixels": 4 * GALAXY})) as client:
        large = client.post("/v1/generate", json={"count": 5}).json()
        polite = client.post("/v1/generate", json={"count": 1}, headers={"prefer": "priority=bulk, wait=0"})
        small = client.post("/v1/generate", json={"count": 4}).json()
        assert polite.headers["preference-applied"] == "wait=0, priority=bulk"
        assert [worker.client.llen(name) for name in LISTS] == [1, 2]
        positions = [client.get(f"/v1/jobs/{job['id']}").json()["queue_position"] for job in (small, large, polite.json())]
        assert positions == [1, 2, 3]
        worker.paused = False
        wait_until(lambda: len(worker.rendered) == 3)
        assert worker.rendered == [small["id"], large["id"], polite.json()["id"]]


@pytest.mark.parametrize("operation", list(BODIES))
def test_a_hundred_equal_requests_at_once_with_one_key_are_one_job(client: Client, worker: FakeWorker, operation: str) -> None:
    worker.paused = True

    def post(_: int) -> tuple[int, str]:
        answer = client.post(f"/v1/{operation}", json=BODIES[operation], headers={"idempotency-key": "race"})
        return answer.status_code, str(answer.json()["id"])

    with ThreadPoolExecutor(100) as pool:
        answers = set(pool.map(post, range(100)))
    assert len(answers) == 1
    assert sum(int(worker.client.llen(name)) for name in LISTS) == 1
    assert load(worker)["jobs:"] == 1


def test_limits_are_checked_before_anything_is_recorded(settings: Settings, worker: FakeWorker) -> None:
    worker.paused = True
    limits: dict[str, Any] = {"max_frames": 10, "max_images": 5, "max_pixels": 4 * GALAXY}
    with served(settings.model_copy(update=limits)) as client:
        for operation, body, pointer in (
            ("interpolate", {**BODIES["interpolate"], "frames": 11}, "/frames"),
            ("generate", {"count": 6}, "/count"),
            ("generate", {"count": 5}, "/count"),
            ("generate", {"count": 2, "size": 512}, "/size"),
        ):
            assert problem(client.post(f"/v1/{operation}", json=body), 422)["errors"][0]["pointer"] == pointer
        assert load(worker) == {}
        assert client.get("/v1/jobs").json()["jobs"] == []


def test_more_requests_at_a_time_than_may_be_are_503_and_probes_are_answered(settings: Settings, worker: FakeWorker) -> None:
    worker.paused = True
    with served(settings.model_copy(update={"max_requests": 2})) as client:
        job = client.post("/v1/generate", json={"count": 1}).json()
        with ExitStack() as open_requests:
            streams = [open_requests.enter_context(client.stream("GET", job["links"]["events"])) for _ in range(2)]
            lines = [stream.iter_lines() for stream in streams]
            assert [next(each) for each in lines] == ["event: phase"] * 2
            for method, path in (("GET", "/v1/models"), ("POST", "/v1/generate"), ("GET", "/")):
                refused = client.request(method, path)
                assert problem(refused, 503)["type"].endswith("too-busy")
                assert int(refused.headers["retry-after"]) >= 1
                assert "x-request-id" in refused.headers
            assert client.get("/healthz").status_code == 200
            assert 'galsynth_requests_refused_total{bound="requests"} 3.0' in client.get("/metrics").text
        wait_until(lambda: client.get("/v1/models").status_code == 200)


def test_more_large_bodies_at_a_time_than_may_be_are_503_and_others_are_answered(settings: Settings, worker: FakeWorker) -> None:
    worker.paused = True
    with served(settings.model_copy(update={"max_large_requests": 1})) as client, ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.post, "/v1/generate", content=large(1), headers=JSON | WAIT)
        wait_until(lambda: client.get("/v1/jobs").json()["jobs"])
        refused = client.post("/v1/generate", content=large(2), headers=JSON)
        assert problem(refused, 503)["type"].endswith("too-busy")
        assert int(refused.headers["retry-after"]) >= 1
        assert 'galsynth_requests_refused_total{bound="requests"} 1.0' in client.get("/metrics").text
        assert client.post("/v1/generate", json={"seeds": [3]}).status_code == 202
        worker.paused = False
        assert first.result().status_code == 200
        assert client.post("/v1/generate", content=large(2), headers=JSON).status_code == 202


def test_while_a_large_body_is_read_others_are_answered(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow_if_large(body: bytes) -> dict[str, Any]:
        if len(body) > LARGE_BYTES:
            begun.set()
            assert go_on.wait(30)
        return parse_object(body)

    monkeypatch.setattr(app.submission, "parse_object", slow_if_large)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.post, "/v1/generate", content=large(1), headers=JSON)
        try:
            assert begun.wait(10)
            assert client.post("/v1/generate", json={"seeds": [2]}, timeout=10).status_code == 202
        finally:
            go_on.set()
        assert first.result().status_code == 202


def test_a_body_that_does_not_come_is_given_up_and_makes_room(settings: Settings, worker: FakeWorker) -> None:
    worker.paused = True
    with served(settings.model_copy(update={"max_large_requests": 1})) as client:
        connection = http.client.HTTPConnection(client.base_url.host, client.base_url.port or 80, timeout=10)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(app.body, "BODY_SECONDS", 0.3)
            connection.putrequest("POST", "/v1/generate")
            for name, value in (JSON | {"content-length": str(LARGE_BYTES + 1000)}).items():
                connection.putheader(name, value)
            connection.endheaders(large(1)[:-1])
            answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["type"]) == (408, "urn:galsynth:problem:too-slow")
        connection.close()
        assert client.post("/v1/generate", content=large(1), headers=JSON).status_code == 202
