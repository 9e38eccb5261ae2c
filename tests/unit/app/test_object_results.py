"""The API serves results that lie in S3-compatible storage as it serves those in a folder: whole, in parts, conditionally. And it
serves the rest while that storage is silent.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from httpx import Client

from app.main import create_app
from app.settings import Settings
from jobstore import objects
from jobstore.objects import ObjectResults
from tests.s3 import SilentStorage, s3_bucket, silent_storage
from tests.unit.app.conftest import FakeWorker, served, serving
from tests.unit.app.test_operations import problem
from tests.unit.jobstore.test_records import RESULT
from tests.worker_fakes import wait_until

BIG = 700_000


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with s3_bucket(monkeypatch) as url:
        yield url


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[SilentStorage]:
    with silent_storage(monkeypatch) as storage:
        yield storage


@pytest.fixture
def on_it(settings: Settings, storage: SilentStorage, tmp_path: Path) -> Settings:
    return settings.model_copy(update={"results_url": "s3://bucket/prefix", "results_dir": tmp_path / "local"})


def test_results_go_from_the_storage_to_the_client(settings: Settings, tmp_path: Path, bucket: str) -> None:
    url, settings = bucket, settings.model_copy(update={"results_url": bucket, "results_dir": tmp_path / "local"})
    with FakeWorker(settings.redis_url, settings.results_dir) as worker, served(settings) as client:
        worker.results = ObjectResults(url, settings.results_dir)
        for worker.padding in (0, BIG):
            answer = client.post("/v1/generate", json={"seeds": [worker.padding]}, headers={"prefer": "wait=20"})
            assert answer.status_code == 200, answer.text
            check(client, answer.headers["content-location"], answer.content)
    assert list(settings.results_dir.glob("[0-9a-f][0-9a-f]")) == []


def check(client: Client, href: str, content: bytes) -> None:
    """Whole, part, not modified, out of range, deleted."""
    whole = client.get(href)
    assert whole.content == content
    part = client.get(href, headers={"range": f"bytes=10-{len(content) - 3}"})
    assert (part.status_code, part.content) == (206, content[10:-2])
    assert client.get(href, headers={"range": "bytes=-7"}).content == content[-7:]
    assert client.get(href, headers={"if-none-match": whole.headers["etag"]}).status_code == 304
    assert client.get(href, headers={"range": f"bytes={len(content)}-"}).status_code == 416
    assert client.delete(href.removesuffix("/result")).status_code == 204
    assert client.get(href).status_code in (404, 410)


def test_orders_are_refused_soon_and_unrecorded_while_the_storage_is_silent(
    on_it: Settings, storage: SilentStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One order, or a few that come together, wait for it; the others are told at once, and once it answers all goes on."""
    monkeypatch.setattr(objects, "LOOK_SECONDS", 0.5)
    monkeypatch.setattr(objects, "REST_SECONDS", 1e9)
    with served(on_it) as client, ThreadPoolExecutor(50) as pool:
        storage.silent = {""}
        for answer in pool.map(lambda seed: client.post("/v1/generate", json={"seeds": [seed]}), range(200)):
            assert "s3://bucket/prefix" in problem(answer, 503)["detail"]
            assert int(answer.headers["retry-after"]) >= 1
        assert 1 <= storage.asked <= objects.LOOKS
        assert client.get("/v1/jobs").json()["jobs"] == []


def test_orders_are_taken_again_once_the_storage_answers(
    on_it: Settings, storage: SilentStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "LOOK_SECONDS", 2.0)
    monkeypatch.setattr(objects, "REST_SECONDS", 0.0)
    with served(on_it) as client:
        storage.silent = {""}
        problem(client.post("/v1/generate", json={"seeds": [1]}), 503)
        storage.silent = set()
        assert client.post("/v1/generate", json={"seeds": [1]}).status_code == 202


def test_a_job_is_deleted_also_while_the_storage_is_silent(
    on_it: Settings, storage: SilentStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "LOOK_SECONDS", 2.0)
    monkeypatch.setattr(objects, "REST_SECONDS", 1e9)
    with served(on_it) as client:
        job = client.post("/v1/generate", json={"seeds": [1]}).json()
        storage.silent = {""}
        problem(client.post("/v1/generate", json={"seeds": [2]}), 503)
        assert client.post(job["links"]["cancel"]).json()["phase"] == "ABORTED"
        assert client.delete(job["links"]["self"]).status_code == 204
        problem(client.get(job["links"]["self"]), 404)


def test_an_answer_that_waits_for_the_storage_holds_up_no_other(on_it: Settings, storage: SilentStorage) -> None:
    application = create_app(on_it)
    with FakeWorker(on_it.redis_url, on_it.results_dir) as worker, serving(application) as client, ThreadPoolExecutor() as pool:
        worker.paused = True
        slow = pool.submit(client.post, "/v1/generate", json={"seeds": [1]}, headers={"prefer": "wait=20"})
        wait_until(lambda: application.state.services.changes.waiting == 1)
        (listed,) = client.get("/v1/jobs").json()["jobs"]
        job = worker.records.begin(listed["id"])
        assert not isinstance(job, str)
        storage.silent, asked = {job.result_key}, storage.asked
        worker.records.complete(job.id, RESULT, 1)
        wait_until(lambda: storage.asked > asked)
        other = client.post("/v1/generate", json={"seeds": [2]}, headers={"prefer": "wait=0"})
        assert other.status_code == 202
        assert not slow.done()
        storage.go.set()
        problem(slow.result(20), 410)
