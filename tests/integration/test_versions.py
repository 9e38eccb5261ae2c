"""Models change without a restart, and a restart beside a bad version changes nothing: on separate processes."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.versions import Version
from tests.cluster import Cluster
from tests.tiny_models import publish_style, publish_unusable
from tests.worker_fakes import wait_until

LATER = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    publish_style(tmp_path / "models")
    with Cluster(tmp_path) as cluster:
        yield cluster


def publish_bad(cluster: Cluster, how: str) -> Version:
    """Version 2 of the default model, the newest, which no worker can load; it appears at once, as a copied folder does not."""
    if how == "unusable":
        return publish_unusable(cluster.folder / "models", version="2", created=LATER)
    if how == "not finite":
        return publish_style(cluster.folder / "models", version="2", finite=False, created=LATER)
    aside = publish_style(cluster.folder / "aside", version="2", seed=5, created=LATER)
    onnx = aside.folder / "synthesis.onnx"
    onnx.write_bytes(onnx.read_bytes()[:-20])
    return Version(aside.card, aside.folder.rename(cluster.folder / "models" / "tiny-style" / "2"))


def refused(cluster: Cluster) -> int:
    """How often workers have said that they refuse version 2."""
    lines = cluster.worker_lines()
    return sum((line["event"], line.get("model")) == ("model version refused", "tiny-style@2") for line in lines)


def version_of(job: dict[str, Any]) -> str:
    return str(job["model"]["version"])


@pytest.mark.parametrize("how", ["damaged", "unusable", "not finite"])
def test_workers_and_apis_that_restart_beside_a_bad_newest_version_serve_the_one_before(cluster: Cluster, how: str) -> None:
    port = cluster.start_api()
    cluster.start_worker()
    cluster.ready(port)
    publish_bad(cluster, how)
    wait_until(lambda: refused(cluster) == 1, 30)
    bodies: list[dict[str, Any]] = [{"model": "tiny-style@1"}, {"model": "tiny-style"}, {}]
    cluster.kill_worker()
    jobs = [cluster.post(port, "generate", {"seeds": [n], **body}, f"while none is there {n}") for n, body in enumerate(bodies)]
    worker = cluster.start_worker()
    assert cluster.end(port, jobs) == ["COMPLETED"] * 3
    assert refused(cluster) == 2
    assert worker.poll() is None
    cluster.kill_api(port)
    cluster.start_api(port)
    jobs += [cluster.post(port, "generate", {"seeds": [10 + n], **body}, f"afterwards {n}") for n, body in enumerate(bodies)]
    assert cluster.end(port, jobs) == ["COMPLETED"] * 6
    assert {version_of(job) for job in jobs} == {"1"}
    assert cluster.get(port, "/readyz") == 200
    listed = httpx.get(f"http://127.0.0.1:{port}/v1/models", timeout=10).json()["models"]
    assert [model["version"] for model in listed if model["name"] == "tiny-style"] == ["1"]


@pytest.mark.parametrize("how", ["damaged", "unusable", "not finite"])
def test_a_bad_new_version_fails_no_request_and_a_good_one_serves_within_seconds(cluster: Cluster, how: str) -> None:
    port = cluster.start_api()
    cluster.start_worker()
    cluster.ready(port)
    stop, answers = threading.Event(), list[tuple[int, str]]()

    def ask() -> None:
        for seed in itertools.count(100):
            if stop.is_set():
                return
            headers = {"prefer": "wait=20", "accept": "application/json"}
            answer = httpx.post(f"http://127.0.0.1:{port}/v1/generate", json={"seeds": [seed]}, headers=headers, timeout=30)
            answers.append((answer.status_code, version_of(answer.json()) if answer.is_success else answer.text))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        publish_bad(cluster, how)
        wait_until(lambda: refused(cluster) == 1, 30)
        since = len(answers)
        wait_until(lambda: len(answers) > since + 5, 30)
        publish_style(cluster.folder / "models", version="3", seed=6, created=datetime(2101, 1, 1, tzinfo=UTC))
        wait_until(lambda: answers[-1] == (200, "3"), 30)
    finally:
        stop.set()
        asking.join(30)
    assert {status for status, _ in answers} == {200}
    assert {version for _, version in answers} == {"1", "3"}
    by_name = httpx.post(f"http://127.0.0.1:{port}/v1/generate", json={"seeds": [1], "model": "tiny-style@2"}, timeout=10)
    assert by_name.status_code == (503 if how == "damaged" else 202)
