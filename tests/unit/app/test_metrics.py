"""What the API counts and sees, and the ids that lead from a request to its job."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from httpx import Client
from prometheus_client.parser import text_string_to_metric_families

from app.housekeeping import Housekeeper
from app.services import Services
from app.settings import Settings
from jobstore.layout import now
from jobstore.workers import WorkerBeacons, WorkerInfo
from telemetry.logs import configure_logging
from tests.unit.app.conftest import FakeWorker, served
from tests.unit.app.test_operations import WAIT
from tests.worker_fakes import wait_until

INFO = WorkerInfo(worker_id="w", pid=1, device="cpu", providers=[], warm=["test-style@1.0"], started=now())


def samples(client: Client) -> dict[tuple[str, ...], float]:
    """Samples of /metrics by name and label values."""
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    families = text_string_to_metric_families(answer.text)
    return {(s.name, *(s.labels[key] for key in sorted(s.labels))): s.value for family in families for s in family.samples}


def test_requests_are_counted_by_route_and_outcome(client: Client) -> None:
    for path in ("/v1/jobs/a", "/v1/jobs/b", "/v1/nothing", "/v1/../etc"):
        client.get(path)
    client.post("/v1/generate", json={"seeds": [1]}, headers=WAIT)
    client.post("/v1/generate", json={"seeds": [-1]})
    found = samples(client)
    assert found["galsynth_http_requests_total", "GET", "/v1/jobs/{job_id}", "404"] == 2
    assert found["galsynth_http_requests_total", "GET", "none", "404"] == 2, "addresses that are not there make no new series"
    assert found["galsynth_http_requests_total", "POST", "/v1/generate", "200"] == 1
    assert found["galsynth_http_requests_total", "POST", "/v1/generate", "422"] == 1
    assert found["galsynth_http_request_seconds_count", "/v1/generate"] == 2
    assert found["galsynth_jobs_accepted_total", "generate", "QUEUED", "interactive"] == 1


def test_the_queue_is_seen(client: Client, worker: FakeWorker) -> None:
    worker.paused = True
    for _ in range(2):
        client.post("/v1/generate", json={"count": 2})
    bulk = client.post("/v1/generate", json={"count": 1}, headers={"prefer": "priority=bulk"}).json()
    worker.records.begin(client.post("/v1/generate", json={"count": 1}).json()["id"])
    found = samples(client)
    assert found["galsynth_queue_jobs", "interactive"] == 2
    assert found["galsynth_queue_jobs", "bulk"] == 1
    assert found["galsynth_queue_pixels", "interactive"] == 4 * 64 * 64
    assert 0 < found["galsynth_queue_oldest_seconds", "bulk"] < 30
    assert found["galsynth_jobs", "QUEUED"] == 3
    assert found["galsynth_jobs", "EXECUTING"] == 1
    assert found[("galsynth_redis_up",)] == 1
    assert found[("galsynth_workers",)] == 0
    assert found[("galsynth_results_free_bytes",)] > 0
    client.post(bulk["links"]["cancel"])
    assert samples(client)["galsynth_queue_oldest_seconds", "bulk"] == 0


def test_the_metrics_tell_whether_redis_takes_writes_and_how_much_memory_it_has(
    client: Client, worker: FakeWorker, server_setting: Callable[[str, object], None]
) -> None:
    worker.paused = True
    server_setting("maxmemory", 10**9)
    found = samples(client)
    assert found[("galsynth_redis_writable",)] == 1
    assert 0 < found[("galsynth_redis_memory_used_bytes",)] < found[("galsynth_redis_memory_max_bytes",)] == 1e9
    WorkerBeacons(worker.client).announce("w", INFO, 1)
    wait_until(lambda: not worker.client.exists("galsynth:worker:w"))
    server_setting("min-replicas-to-write", 1)
    found = samples(client)
    assert (found[("galsynth_redis_up",)], found[("galsynth_redis_writable",)], found[("galsynth_workers",)]) == (1, 0, 0)
    checks = client.get("/readyz").json()["checks"]
    assert checks["redis"] == "takes no writes"


def test_a_password_that_redis_refuses_is_told(settings: Settings) -> None:
    with served(settings.model_copy(update={"redis_url": settings.redis_url.replace("://", "://:wrong@")})) as client:
        assert client.get("/readyz").json()["checks"]["redis"] == "refuses the password that this API has"


def test_without_redis_the_metrics_say_so(settings: Settings) -> None:
    with served(settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})) as client:
        assert samples(client)[("galsynth_redis_up",)] == 0


@contextmanager
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[list[dict[str, Any]]]:
    """The JSON lines that are logged inside the context."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    found: list[dict[str, Any]] = []
    try:
        configure_logging("info", as_json=True)
        yield found
        found += [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    finally:
        root.handlers[:], root.level = before, level


def test_a_request_id_leads_to_the_job(settings: Settings, worker: FakeWorker, capsys: pytest.CaptureFixture[str]) -> None:
    worker.paused = True
    with lines(capsys) as logged, served(settings) as client:
        answer = client.post(
            "/v1/generate", json={"seeds": [1]}, headers={"x-request-id": "mine-1", "authorization": "Bearer s3cret"}
        )
        job = answer.json()["id"]
        assert answer.headers["x-request-id"] == "mine-1"
    (line,) = [line for line in logged if line.get("request_id") == "mine-1" and line["event"] == "request"]
    assert (line["event"], line["job"], line["status"], line["path"]) == ("request", job, 202, "/v1/generate")
    record = worker.records.get(job)
    assert record is not None
    assert record.request_id == "mine-1"
    assert "s3cret" not in json.dumps(logged)


def test_the_log_tells_of_the_first_readiness_although_nobody_asks(
    settings: Settings, worker: FakeWorker, capsys: pytest.CaptureFixture[str]
) -> None:
    services = Services.open(settings)
    with lines(capsys) as logged:
        keepers = [Housekeeper(services), Housekeeper(services)]  # only one of them is elected; what each has seen counts
        keepers[0].look()
        WorkerBeacons(worker.client).announce("w", INFO, 60)
        for keeper in reversed(keepers):
            keeper.look()
        WorkerBeacons(worker.client).withdraw("w")  # by now it is for those who ask
        keepers[0].look()
    services.close()
    told = [(line["event"], line.get("missing")) for line in logged]
    assert told == [("not ready yet", "worker: no worker is alive"), ("ready", None)]


def test_the_log_tells_how_readiness_changes_and_not_who_asks(
    settings: Settings, worker: FakeWorker, capsys: pytest.CaptureFixture[str]
) -> None:
    with lines(capsys) as logged, served(settings) as client:
        statuses = [client.get("/readyz").status_code for _ in range(3)]
        WorkerBeacons(worker.client).announce("w", INFO, 60)
        statuses += [client.get("/readyz").status_code for _ in range(3)]
        worker.client.flushall()
        statuses += [client.get("/readyz").status_code for _ in range(3)]
    assert statuses == [503] * 3 + [200] * 3 + [503] * 3
    told = [line for line in logged if line["event"].startswith(("ready", "not ready")) or line.get("path") == "/readyz"]
    assert [(line["event"], line["level"], line.get("missing")) for line in told] == [
        ("not ready yet", "info", "worker: no worker is alive"),
        ("ready", "info", None),
        ("not ready any more", "warning", "worker: no worker is alive"),
    ]
