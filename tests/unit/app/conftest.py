"""The application against a real server, with a worker of its own that draws nothing and can be told to fail or to be slow."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
import uvicorn
from fastapi import FastAPI
from httpx import Client

from app.main import create_app
from app.settings import Settings
from galaxies.cards import ModelCard
from galaxies.jobs import Failure, Job, Result, ResultScores
from galaxies.requests import MEDIA_TYPES
from jobstore.records import QUEUES, JobRecords
from jobstore.results import ResultStore
from jobstore.stores import Results
from tests.strategies import style_card, z_card

LISTS = list(QUEUES.values())
"""The lists of interactive and of bulk messages."""


class FakeWorker:
    """Takes job ids from the real queue and completes jobs with bytes that name their result key, through the real stores.

    ``failure``: fail with it instead. ``paused``: take nothing. ``content``: these bytes as every result. ``padding``: so many
    bytes more in every result. ``scores``: of every result.
    """

    NAME = "fake-worker"
    """Of its connections: it has no redelivery, so a test that breaks connections leaves it these."""

    def __init__(self, url: str, results: Path) -> None:
        self.client = redis.Redis.from_url(url, decode_responses=True, client_name=self.NAME)
        self.records = JobRecords(self.client)
        self.results: Results = ResultStore(results)
        self.failure: Failure | None = None
        self.paused = False
        self.content = b""
        self.padding = 0
        self.scores: ResultScores | None = None
        self.rendered: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> FakeWorker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.client.close()

    def render(self, job_id: str) -> None:
        job = self.records.begin(job_id)
        if not isinstance(job, Job):
            return
        self.rendered.append(job_id)
        if self.failure is not None:
            self.records.fail(job_id, self.failure)
            return
        self.finish(job_id)

    def finish(self, job_id: str) -> None:
        """Complete a job that was begun."""
        job = self.records.get(job_id)
        assert job is not None
        format_ = job.request.format or "png"
        with self.results.scratch() as folder:
            (folder / "out").write_bytes((self.content or job.result_key.encode()) + b"." * self.padding)
            described = Result(
                key="",
                format=format_,
                media_type=MEDIA_TYPES[format_],
                bytes=0,
                digest="",
                width=64,
                height=64,
                images=job.total,
                scores=self.scores,
            )
            result = self.results.put(job.result_key, folder / "out", described)
        self.records.complete(job_id, result, job.total)

    def _run(self) -> None:
        while not self._stop.wait(0.005):
            lists = [] if self.paused else [name for name in LISTS if self.client.type(name) == "list"]
            message = self.client.rpop(lists[0]) if lists else None
            if message is not None:
                job_ids, _, _ = json.loads(base64.b64decode(json.loads(str(message))["body"]))
                for job_id in job_ids:
                    self.render(job_id)


def publish_card(root: Path, card: ModelCard) -> None:
    """A version with a card and no files: the API reads no others."""
    folder = root / card.name / card.version
    folder.mkdir(parents=True)
    (folder / "card.json").write_text(card.model_dump_json())


@pytest.fixture
def settings(empty_valkey: str, tmp_path: Path) -> Settings:
    root = tmp_path / "models"
    publish_card(root, style_card())
    publish_card(root, z_card())
    return Settings(
        redis_url=empty_valkey,
        results_dir=tmp_path / "results",
        models_dirs=[root],
        default_model="test-style",
        models_refresh_seconds=0,
        max_body_bytes=100_000,
    )


@pytest.fixture
def worker(settings: Settings) -> Iterator[FakeWorker]:
    with FakeWorker(settings.redis_url, settings.results_dir) as worker:
        yield worker


@contextmanager
def served(settings: Settings) -> Iterator[Client]:
    """The application on a port of its own, as `python -m app` serves it."""
    with serving(create_app(settings)) as client:
        yield client


@contextmanager
def serving(app: FastAPI) -> Iterator[Client]:
    """``app`` on a port of its own."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the application did not start"
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    with Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        yield client
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def client(settings: Settings, worker: FakeWorker) -> Iterator[Client]:
    with served(settings) as client:
        yield client


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of this folder that need the embedded server are integration tests."""
    for item in items:
        if Path(__file__).parent in item.path.parents and "empty_valkey" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.integration)
