"""Jobs with megabytes of latents: few are read at a time, none for nothing, and none is held by who waits for it."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest
import redis
from fastapi import FastAPI
from httpx import Client
from starlette.responses import Response

import app.events
import app.routes.jobs
import app.routes.operations
from app.housekeeping import Housekeeper
from app.main import create_app
from app.negotiation import Preferences
from app.recording import Accepted
from app.services import Services
from app.settings import Settings
from galaxies.jobs import Job
from galaxies.requests import to_wire
from jobstore import upkeep
from jobstore.layout import Bounds, key_of
from tests.strategies import style_card
from tests.unit.app.conftest import FakeWorker, serving
from tests.unit.app.test_events import names, parsed
from tests.worker_fakes import make_job, wait_until

WAITERS = 2
MEGABYTES = 1000
"""So many latents of 512 numbers are 4 MB of JSON."""


@pytest.fixture
def application(settings: Settings, worker: FakeWorker) -> FastAPI:
    worker.paused = True
    return create_app(settings.model_copy(update={"housekeeping_seconds": 1000}))


@pytest.fixture
def client(application: FastAPI) -> Iterator[Client]:
    with serving(application) as client:
        yield client


def record(worker: FakeWorker, latents: int, count: int = 1) -> list[Job]:
    """As many jobs of so many latents, the newest last."""
    rows = [{"z": [(i * 512 + n) / 1e6 for n in range(512)]} for i in range(latents)]
    first = make_job(style_card(z_dim=512), {"operation": "generate", "latents": rows, "format": "zip"})
    ids = [f"{first.id[:-2]}{n:02}" for n in range(count)]
    jobs = [
        first.model_copy(update={"id": i, "created": first.created + timedelta(seconds=n - count)}) for n, i in enumerate(ids)
    ]
    worker.records.create_many([(job, None, Bounds()) for job in jobs])
    return jobs


def whole_records_read(client: redis.Redis) -> int:
    statistics: dict[str, Any] = client.info("commandstats")  # type: ignore[assignment]
    return int(statistics.get("cmdstat_hgetall", {"calls": 0})["calls"])


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def held() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def peak_of(client: Client, address: str) -> int:
    """The most memory that answering takes."""
    before = held()
    tracemalloc.reset_peak()
    assert client.get(address).status_code == 200
    return tracemalloc.get_traced_memory()[1] - before


def test_who_waits_for_a_job_does_not_hold_it(application: FastAPI, client: Client, worker: FakeWorker, traced: None) -> None:
    (job,) = record(worker, MEGABYTES)
    size, changes = len(job.model_dump_json()), application.state.services.changes
    before = held()
    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(client.get, f"/v1/jobs/{job.id}", params={"wait": 60}) for _ in range(WAITERS)]
        try:
            wait_until(lambda: len(changes._waiters.get(job.id, ())) == WAITERS, 60)
            wait_until(lambda: held() - before < size, 10)
        finally:
            worker.records.cancel(job.id)
        assert [answer.result(60).json()["phase"] for answer in waiting] == ["ABORTED"] * WAITERS


def test_a_stream_reads_its_job_at_the_end_and_holds_it_never(
    application: FastAPI, client: Client, worker: FakeWorker, traced: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.events, "LOOK_SECONDS", 0.05)
    (job,) = record(worker, MEGABYTES)
    size, changes = len(job.model_dump_json()), application.state.services.changes
    before = held()
    looks: list[None] = []
    look = app.events._look
    monkeypatch.setattr(app.events, "_look", lambda *args: (looks.append(None), look(*args))[1])
    with ThreadPoolExecutor() as pool:
        streams = [pool.submit(lambda: client.get(f"/v1/jobs/{job.id}/events").text) for _ in range(WAITERS)]
        try:
            wait_until(lambda: changes.watched == WAITERS and len(looks) >= WAITERS, 60)
            read, looked = whole_records_read(worker.client), len(looks)
            wait_until(lambda: len(looks) >= looked + 10 * WAITERS, 60)
            assert whole_records_read(worker.client) == read
            wait_until(lambda: held() - before < size, 10)
        finally:
            worker.records.cancel(job.id)
        told = [parsed(stream.result(60)) for stream in streams]
    assert whole_records_read(worker.client) == read + WAITERS
    assert [[name for name in names(events) if name != "progress"] for events in told] == [["QUEUED", "ABORTED", "end"]] * WAITERS
    assert told[0][-1]["data"]["request"] == to_wire(job.request)


def test_a_page_takes_the_memory_of_the_jobs_that_it_shows(client: Client, worker: FakeWorker, traced: None) -> None:
    job = record(worker, MEGABYTES, 3)[-1]
    one = peak_of(client, f"/v1/jobs/{job.id}")
    assert peak_of(client, "/v1/jobs?limit=1") < 1.5 * one
    assert peak_of(client, "/v1/jobs?phase=ABORTED&limit=200") < one / 2
    assert peak_of(client, "/v1/jobs?operation=mix&limit=200") < one / 2


def test_a_page_ends_before_its_records_are_too_many_bytes(
    client: Client, worker: FakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = record(worker, 10, 7)
    size = int(worker.client.hstrlen(key_of(jobs[0].id), "record"))  # type: ignore[arg-type]
    for most, lengths in ((3 * size, [3, 3, 1]), (size - 1, [1] * 7), (8 * size, [7])):
        monkeypatch.setattr(app.routes.jobs, "PAGE_BYTES", most)
        before = whole_records_read(worker.client)
        pages, address = [], "/v1/jobs?phase=QUEUED"
        while address:
            answer = client.get(address).json()
            pages.append([job["id"] for job in answer["jobs"]])
            address = answer["next"]
            assert not address or httpx.URL(address).params["phase"] == "QUEUED"
        assert list(map(len, pages)) == lengths
        assert [job_id for page in pages for job_id in page] == [job.id for job in reversed(jobs)]
        assert whole_records_read(worker.client) == before + 7, "each is read once"


def test_jobs_that_an_earlier_version_recorded_are_found_by_their_operation(client: Client, worker: FakeWorker) -> None:
    jobs = record(worker, 1, 3)
    for job in jobs[:2]:
        worker.client.hdel(key_of(job.id), "operation")

    def found(operation: str) -> list[str]:
        return [job["id"] for job in client.get("/v1/jobs", params={"operation": operation, "limit": 3}).json()["jobs"]]

    assert found("generate") == [job.id for job in reversed(jobs)]
    assert found("mix") == []


def test_lost_jobs_are_sent_again_unread(
    application: FastAPI, client: Client, worker: FakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "SETTLED_SECONDS", 0.0)
    record(worker, 1, 3)
    keeper = Housekeeper(application.state.services)
    before = whole_records_read(worker.client)
    assert [keeper.send_again() for _ in range(2)] == [0, 3]
    assert whole_records_read(worker.client) == before


def test_a_large_job_is_put_into_words_beside_the_event_loop(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its 202 takes some tenths of a second, in which nobody else would be answered."""
    on_loop: dict[str, bool] = {}
    respond = app.routes.operations.accepted_response

    def noting(services: Services, accepted: Accepted, preferred: Preferences) -> Response:
        on_loop[accepted.job.id] = asyncio._get_running_loop() is not None
        return respond(services, accepted, preferred)

    monkeypatch.setattr(app.routes.operations, "accepted_response", noting)
    small, large = (client.post("/v1/generate", json={"latents": [{"z": [0.123456789] * 16}] * n}) for n in (1, 400))
    assert (small.status_code, large.status_code) == (202, 202)
    assert on_loop == {small.json()["id"]: False, large.json()["id"]: False}
