"""Server-sent events: every change once and in order, told again from any point, and nothing kept for who has left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpx import Client
from redis.exceptions import ConnectionError as RedisAway

import app.events
from app.documents import JobDocument
from app.main import create_app
from app.settings import Settings
from galaxies.jobs import Failure, Job
from galsynth.server import free_port
from tests.unit.app.conftest import FakeWorker, serving
from tests.unit.app.test_operations import problem
from tests.worker_fakes import wait_until


def parsed(text: str) -> list[dict[str, Any]]:
    """The events in ``text``: name, id and data; comments are left out."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "event" in fields:
            found.append({"event": fields["event"], "id": fields.get("id"), "data": json.loads(fields["data"])})
    return found


def listen(client: Client, job: dict[str, Any], last: str | None = None) -> list[dict[str, Any]]:
    answer = client.get(job["links"]["events"], headers={"last-event-id": last} if last else {})
    assert answer.headers["content-type"].startswith("text/event-stream")
    return parsed(answer.text)


def names(events: list[dict[str, Any]]) -> list[str]:
    return [event["data"].get("phase", event["event"]) if event["event"] == "phase" else event["event"] for event in events]


@pytest.fixture
def paused(worker: FakeWorker) -> Iterator[FakeWorker]:
    worker.paused = True
    yield worker
    worker.paused = False


def post(client: Client, count: int = 4, seed: int = 0, **more: Any) -> dict[str, Any]:
    job: dict[str, Any] = client.post("/v1/generate", json={"seeds": list(range(seed, seed + count)), **more}).json()
    return job


def test_a_job_tells_its_whole_life(client: Client, paused: FakeWorker) -> None:
    job = post(client)
    with ThreadPoolExecutor() as pool:
        listening = pool.submit(listen, client, job)
        time.sleep(0.3)
        assert isinstance(paused.records.begin(job["id"]), Job)
        for done in (1, 3):
            paused.records.progress_many({job["id"]: done})
            time.sleep(0.5)
        paused.finish(job["id"])
        events = listening.result(20)
    assert names(events) == ["QUEUED", "EXECUTING", "progress", "progress", "progress", "COMPLETED", "end"]
    assert [event["data"]["done"] for event in events if event["event"] == "progress"] == [1, 3, 4]
    assert events[0]["data"]["queue_position"] == 1
    document = events[-1]["data"]
    JobDocument.model_validate(document)
    assert document == client.get(job["links"]["self"]).json()
    ids = [tuple(map(int, event["id"].split("."))) for event in events]
    assert ids == sorted(set(ids)), "ids only grow"


def test_last_event_id_tells_what_came_after(client: Client, paused: FakeWorker) -> None:
    job = post(client)
    paused.render(job["id"])
    events = listen(client, job)
    assert names(events) == ["QUEUED", "EXECUTING", "progress", "COMPLETED", "end"]
    for i, event in enumerate(events[:-1]):
        assert listen(client, job, event["id"]) == events[i + 1 :]
    assert client.get(job["links"]["events"], headers={"last-event-id": events[-1]["id"]}).status_code == 204
    for nonsense in ("x", "1.2", "1.2.3.4", "-1.0.0", "9" * 30 + ".0.0"):
        assert listen(client, job, nonsense) == events


@pytest.mark.parametrize("how", ["cancel", "fail", "delete"])
def test_every_end_ends_the_stream(client: Client, paused: FakeWorker, how: str) -> None:
    job = post(client)
    with ThreadPoolExecutor() as pool:
        listening = pool.submit(listen, client, job)
        time.sleep(0.3)
        if how == "cancel":
            client.post(job["links"]["cancel"])
        elif how == "delete":
            client.delete(job["links"]["self"])
        else:
            paused.records.fail(job["id"], Failure(kind="internal", message="it broke"))
        events = listening.result(10)
    assert (
        names(events)
        == {
            "cancel": ["QUEUED", "ABORTED", "end"],
            "fail": ["QUEUED", "ERROR", "end"],
            "delete": ["QUEUED", "end"],
        }[how]
    )
    if how == "fail":
        assert events[-1]["data"]["error"]["detail"] == "it broke"


def test_a_job_given_back_waits_again(client: Client, paused: FakeWorker) -> None:
    job = post(client)
    with ThreadPoolExecutor() as pool:
        listening = pool.submit(listen, client, job)
        for act in (paused.records.begin, paused.records.requeue, paused.render):
            time.sleep(0.6)
            act(job["id"])
        events = listening.result(20)
    assert names(events) == ["QUEUED", "EXECUTING", "QUEUED", "EXECUTING", "progress", "COMPLETED", "end"]


def test_the_place_in_the_queue_is_told_as_it_moves(client: Client, paused: FakeWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.events, "LOOK_SECONDS", 0.1)
    first, second = post(client), post(client, seed=50)
    with ThreadPoolExecutor() as pool:
        listening = pool.submit(listen, client, second)
        time.sleep(0.5)
        client.post(first["links"]["cancel"])
        time.sleep(0.5)
        client.post(second["links"]["cancel"])
        events = listening.result(10)
    assert [event["data"]["queue_position"] for event in events if "queue_position" in event["data"]][:2] == [2, 1]


def test_a_quiet_stream_has_a_heart_beat(client: Client, paused: FakeWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.events, "LOOK_SECONDS", 60)
    monkeypatch.setattr(app.events, "HEARTBEAT_SECONDS", 0.3)
    job = post(client)
    threading.Timer(1.5, lambda: client.post(job["links"]["cancel"])).start()
    text = client.get(job["links"]["events"]).text
    assert 2 <= text.count(": still here\n\n") <= 6
    assert app.events.HEARTBEAT_SECONDS < 15


def test_the_heart_beats_every_fifteen_seconds() -> None:
    assert app.events.HEARTBEAT_SECONDS == 15


def test_nothing_is_kept_for_who_has_left(settings: Settings, paused: FakeWorker) -> None:
    application = create_app(settings.model_copy(update={"max_streams": 5}))
    with serving(application) as client:
        job = post(client)
        changes = application.state.services.changes
        for _ in range(3):
            sockets = [httpx.Client(base_url=client.base_url) for _ in range(5)]
            streams = [one.stream("GET", job["links"]["events"]) for one in sockets]
            lines = [opened.__enter__().iter_lines() for opened in streams]
            assert [next(each) for each in lines] == ["event: phase"] * 5
            assert changes.watched == 5
            problem(client.get(job["links"]["events"]), 503)
            for one in sockets:
                one.close()
            wait_until(lambda: changes.watched == 0, 8)
        assert changes._watched == {}


def test_a_stream_outlives_an_outage_of_redis(settings: Settings, paused: FakeWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.events, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(app.events, "HEARTBEAT_SECONDS", 0.3)
    application = create_app(settings)
    with serving(application) as client, ThreadPoolExecutor() as pool:
        job = post(client)
        listening = pool.submit(lambda: client.get(job["links"]["events"]).text)
        changes = application.state.services.changes
        wait_until(lambda: changes.watched == 1)
        time.sleep(0.3)
        for name in ("renewed", "place"):  # either may be the first that finds Redis away
            with monkeypatch.context() as outage:
                outage.setattr(application.state.services.records, name, _away)
                time.sleep(1)
        paused.render(job["id"])
        text = listening.result(10)
    assert names(parsed(text)) == ["QUEUED", "EXECUTING", "progress", "COMPLETED", "end"]
    assert text.count(": still here\n\n") >= 2


def test_a_stop_ends_streams_that_wait_for_redis(settings: Settings, paused: FakeWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    application = create_app(settings)
    with serving(application) as client, ThreadPoolExecutor() as pool:
        services = application.state.services
        job = post(client)
        listening = pool.submit(listen, client, job)
        wait_until(lambda: services.changes.watched == 1)
        time.sleep(0.3)
        monkeypatch.setattr(services.records, "renewed", _away)
        services.release()
        assert names(listening.result(5)) == ["QUEUED"]


def _away(*_: object) -> None:
    raise RedisAway("Redis is away")


def test_head_does_not_stream(client: Client, paused: FakeWorker) -> None:
    answer = client.head(post(client)["links"]["events"])
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")


def test_events_of_no_job_are_404(client: Client) -> None:
    problem(client.get("/v1/jobs/none/events"), 404)


def test_a_stop_lets_everybody_go_at_once(settings: Settings, paused: FakeWorker, tmp_path: Path) -> None:
    """SIGTERM to the program: streams end, and who waits for a job is told how far it is, well before the grace is over."""
    port = free_port()
    environ = os.environ | {
        "GALSYNTH_REDIS_URL": settings.redis_url,
        "GALSYNTH_PORT": str(port),
        "GALSYNTH_RESULTS_DIR": str(settings.results_dir),
        "GALSYNTH_MODELS_DIRS": str(settings.models_dirs[0]),
        "GALSYNTH_DEFAULT_MODEL": "test-style",
    }
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([sys.executable, "-m", "app"], env=environ, stdout=log, stderr=log)
    try:
        with Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client, ThreadPoolExecutor() as pool:
            wait_until(lambda: _answers(client), 30)
            job = post(client)
            events = pool.submit(listen, client, job)
            waiting = pool.submit(client.post, "/v1/generate", json={"seeds": [99]}, headers={"prefer": "wait=60"})
            polling = pool.submit(client.get, job["links"]["self"], params={"wait": 60})
            time.sleep(1)
            begun = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert names(events.result(10)) == ["QUEUED"]
            assert waiting.result(10).json()["phase"] == "QUEUED"
            assert polling.result(10).json()["phase"] == "QUEUED"
            assert process.wait(10) == 0, (tmp_path / "log").read_text()
            assert time.monotonic() - begun < 5
    finally:
        process.kill()


def _answers(client: Client) -> bool:
    try:
        return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False
