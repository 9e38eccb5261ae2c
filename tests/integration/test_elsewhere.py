"""Real programs with what may lie on other machines: results in S3-compatible storage, spans at an OpenTelemetry collector."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from jobstore.workers import WorkerBeacons
from tests.cluster import Cluster
from tests.s3 import s3_bucket
from tests.tiny_models import publish_style
from tests.worker_fakes import wait_until

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector(ThreadingHTTPServer):
    """Takes spans as OTLP over HTTP: (service, span) each."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.spans: list[tuple[str, Any]] = []

    def named(self, service: str, name: str) -> Any:
        """The one span of the caller's trace with this service and name; None where it has not come."""
        found = [s for of, s in self.spans if (of, s.name, s.trace_id.hex()) == (service, name, TRACE)]
        assert len(found) <= 1
        return found[0] if found else None


class _Taking(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        sent = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["content-length"])))
        for of in sent.resource_spans:
            (service,) = (each.value.string_value for each in of.resource.attributes if each.key == "service.name")
            self.server.spans += [(service, span) for scope in of.scope_spans for span in scope.spans]
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    publish_style(tmp_path / "models", name="tiny-style")
    with Cluster(tmp_path) as cluster:
        yield cluster


def test_workers_and_apis_meet_in_a_bucket(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has a folder of its own, and none of them holds a result."""
    with s3_bucket(monkeypatch) as bucket:
        cluster.settings["GALSYNTH_RESULTS_URL"] = bucket
        folders = [cluster.folder / name for name in ("api-1", "api-2", "worker-1", "worker-2")]
        for folder in folders[2:]:
            cluster.start_worker(GALSYNTH_RESULTS_DIR=str(folder))
        ports = [cluster.start_api(GALSYNTH_RESULTS_DIR=str(folder)) for folder in folders[:2]]
        for port in ports:
            cluster.ready(port)
        wait_until(lambda: len(WorkerBeacons(cluster.redis).alive()) == 2, 60)
        jobs: list[dict[str, Any]] = []

        def both_work() -> bool:
            body = {"seeds": [len(jobs)], "format": "npz"}
            jobs.append(cluster.post(ports[len(jobs) % 2], "generate", body, f"key-{len(jobs)}"))
            return len({line["pid"] for line in cluster.worker_lines() if line["event"] == "job completed"}) == 2

        wait_until(both_work, 60)
        assert cluster.end(ports[1], jobs) == ["COMPLETED"] * len(jobs)
        for job in jobs:
            one, other = (httpx.get(f"http://127.0.0.1:{port}{job['links']['result']}") for port in ports)
            assert one.status_code == other.status_code == 200
            assert one.content == other.content
            assert one.content.startswith(b"PK")
        assert [path for folder in folders for path in folder.rglob("*.npz")] == []


def test_a_span_in_the_worker_lies_below_the_one_of_its_request(cluster: Cluster) -> None:
    with collector() as seen:
        cluster.settings["GALSYNTH_OTLP_ENDPOINT"] = f"http://127.0.0.1:{seen.server_port}"
        worker, port = cluster.start_worker(), cluster.start_api()
        cluster.ready(port)
        headers = {"traceparent": f"00-{TRACE}-{CALLER}-01", "prefer": "wait=30"}
        answer = httpx.post(f"http://127.0.0.1:{port}/v1/generate", json={"seeds": [1]}, headers=headers, timeout=60)
        assert answer.status_code == 200
        assert cluster.stop(worker) == 0, "what is left is sent at the end"
        wait_until(lambda: seen.named("galsynth-api", "POST /v1/generate") is not None, 30)
        request, job = seen.named("galsynth-api", "POST /v1/generate"), seen.named("galsynth-worker", "job")
        assert request.parent_span_id.hex() == CALLER
        assert job.parent_span_id == request.span_id
        assert seen.named("galsynth-worker", "images").parent_span_id == job.span_id
