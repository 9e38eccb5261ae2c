"""The API serves results that lie in S3-compatible storage as it serves those in a folder: whole, in parts, conditionally."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from httpx import Client

from app.settings import Settings
from jobstore.objects import ObjectResults
from tests.s3 import s3_bucket
from tests.unit.app.conftest import FakeWorker, served

BIG = 700_000


@pytest.fixture
def settings(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    with s3_bucket(monkeypatch) as url:
        yield settings.model_copy(update={"results_url": url, "results_dir": tmp_path / "local"})


def test_results_go_from_the_storage_to_the_client(settings: Settings) -> None:
    url = settings.results_url
    assert url is not None
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
