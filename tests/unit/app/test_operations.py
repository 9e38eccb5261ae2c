"""A POST becomes a job or a clear refusal; with `Prefer: wait` its result."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis
from httpx import Client, Response
from redis.exceptions import ConnectionError as RedisAway

from app.documents import JobDocument, ProblemDocument
from app.main import create_app
from app.settings import Settings
from galaxies.jobs import Failure
from jobstore.records import QUEUES, JobRecords
from jobstore.workers import WorkerInfo
from tests.unit.app.conftest import serving

WAIT = {"prefer": "wait=20"}
BODIES: dict[str, dict[str, Any]] = {
    "generate": {"seeds": [42]},
    "interpolate": {"from": {"seed": 1}, "to": {"seed": 2}, "frames": 5},
    "mix": {"rows": [{"seed": 1}], "columns": [{"seed": 2}], "layers": "coarse"},
    "arithmetic": {"terms": [{"latent": {"seed": 1}, "weight": 1}]},
}


def problem(response: Response, status: int) -> dict[str, Any]:
    """The answer's problem document; fails where it is none or has another status."""
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json"), response.text
    document: dict[str, Any] = response.json()
    ProblemDocument.model_validate(document)
    assert (document["status"], document["instance"]) == (status, response.url.path)
    return document


@pytest.fixture
def paused(worker: Any) -> Iterator[Any]:
    worker.paused = True
    yield worker
    worker.paused = False


@pytest.mark.parametrize("operation", list(BODIES))
def test_a_post_answers_202_with_the_job(client: Client, paused: Any, operation: str) -> None:
    answer = client.post(f"/v1/{operation}", json=BODIES[operation])
    assert answer.status_code == 202
    job = answer.json()
    JobDocument.model_validate(job)
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}" == job["links"]["self"]
    assert int(answer.headers["retry-after"]) >= 1
    assert (job["phase"], job["operation"], job["queue_position"]) == ("QUEUED", operation, 1)
    assert job["created"].endswith("Z")


@pytest.mark.parametrize("operation", list(BODIES))
def test_the_echoed_request_sent_again_is_the_same_job_done_already(client: Client, operation: str) -> None:
    first = client.post(f"/v1/{operation}", json=BODIES[operation], headers=WAIT)
    assert first.status_code == 200
    echoed = client.get(first.headers["content-location"].removesuffix("/result")).json()["request"]
    again = client.post(f"/v1/{operation}", json=echoed)
    assert again.json()["phase"] == "COMPLETED"
    assert again.json()["request"] == echoed
    assert client.get(again.json()["links"]["result"]).content == first.content


def test_drawn_seeds_and_classes_are_echoed(client: Client, paused: Any) -> None:
    request = client.post("/v1/generate", json={"count": 3}).json()["request"]
    assert len(request["seeds"]) == 3
    assert "count" not in request
    assert {request["class"]} if isinstance(request["class"], str) else set(request["class"]) <= {"spiral", "merger"}
    assert (request["model"], request["size"], request["format"]) == ("test-style@1.0", 64, "png")


def test_waiting_gives_the_result_itself(client: Client) -> None:
    answer = client.post("/v1/generate", json={"seeds": [42]}, headers=WAIT)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert answer.headers["preference-applied"] == "wait=20"
    assert 'filename="galaxy-test-style-seed42.png"' in answer.headers["content-disposition"]
    kept = client.get(answer.headers["content-location"])
    assert (kept.content, kept.headers["etag"]) == (answer.content, answer.headers["etag"])


def test_waiting_in_vain_gives_the_job(client: Client, paused: Any) -> None:
    answer = client.post("/v1/generate", json={"seeds": [1]}, headers={"prefer": "wait=1"})
    assert (answer.status_code, answer.json()["phase"]) == (202, "QUEUED")


def test_a_wait_that_redis_does_not_outlast_gives_the_job_as_recorded(
    settings: Settings, paused: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    application = create_app(settings)
    with serving(application) as client:
        records = application.state.services.records
        for name in ("get", "place"):  # either may be the first that finds Redis away
            with monkeypatch.context() as outage:
                outage.setattr(records, name, _away)
                answer = client.post("/v1/generate", json={"seeds": [42]}, headers={"prefer": "wait=1"})
            assert answer.status_code == 202, answer.text
            job = answer.json()
            assert answer.headers["location"] == job["links"]["self"]
            assert answer.headers["preference-applied"] == "wait=1"
            assert job == client.get(job["links"]["self"]).json()


def test_the_event_loop_waits_for_nobody_while_a_job_is_told(
    settings: Settings, paused: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    application = create_app(settings)
    on_loop: list[bool] = []

    def alive() -> list[WorkerInfo]:
        on_loop.append(asyncio._get_running_loop() is not None)
        return []

    with serving(application) as client:
        monkeypatch.setattr(application.state.services.speed, "alive", alive)
        assert client.post("/v1/generate", json={"seeds": [1]}).status_code == 202
        assert client.post("/v1/generate", json={"seeds": [2]}, headers={"prefer": "wait=0.1"}).status_code == 202
    assert on_loop
    assert not any(on_loop)


def _away(*_: object) -> None:
    raise RedisAway("Redis is away")


def test_accept_chooses_the_format_and_the_body_goes_before_it(client: Client, paused: Any) -> None:
    def format_of(headers: dict[str, str], **body: Any) -> Any:
        return client.post("/v1/generate", json={"seeds": [1], **body}, headers=headers).json()["request"]["format"]

    assert format_of({"accept": "application/fits"}) == "fits"
    assert format_of({"accept": "application/fits"}, format="zip") == "zip"
    assert format_of({"accept": "application/json"}) == "png"
    problem(client.post("/v1/generate", json={"seeds": [1]}, headers={"accept": "video/mp4"}), 406)


def test_a_client_of_json_only_that_waits_gets_the_job(client: Client) -> None:
    answer = client.post("/v1/generate", json={"seeds": [5]}, headers={"accept": "application/json", **WAIT})
    assert (answer.status_code, answer.json()["phase"]) == (200, "COMPLETED")


@pytest.mark.parametrize("key", [{}, {"idempotency-key": "named"}])
def test_a_format_named_in_the_body_is_what_a_waiting_client_gets(client: Client, key: dict[str, str]) -> None:
    """As ``curl --json`` asks, which accepts only JSON; a second time too, when the job is there already."""
    for _ in range(2):
        headers = {"accept": "application/json", **WAIT, **key}
        answer = client.post("/v1/generate", json={"seeds": [6], "format": "fits"}, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/fits")
        assert answer.headers["content-location"].endswith("/result")


@pytest.mark.parametrize(("kind", "status"), [("input", 422), ("model", 503), ("transient", 503), ("internal", 500)])
def test_a_failure_while_waiting_is_told_by_its_kind(client: Client, worker: Any, kind: Any, status: int) -> None:
    worker.failure = Failure(kind=kind, message="it went wrong")
    answer = client.post("/v1/generate", json={"seeds": [7]}, headers=WAIT)
    document = problem(answer, status)
    assert document["detail"] == "it went wrong"
    assert client.get(document["job"]).json()["error"]["detail"] == "it went wrong"
    assert ("retry-after" in answer.headers) == (status == 503)


def test_a_cancelled_job_ends_the_wait(client: Client, paused: Any) -> None:
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(client.post, "/v1/generate", json={"seeds": [8]}, headers=WAIT)
        jobs: list[Any] = []
        while not jobs:
            jobs = client.get("/v1/jobs").json()["jobs"]
        client.post(jobs[0]["links"]["cancel"])
        problem(waiting.result(10), 409)


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("generate", {"seeds": [1], "model": "unknown"}, "/model"),
    ("generate", {"seeds": [1], "model": "../../etc/passwd"}, "/model"),
    ("generate", {"seeds": [1], "model": "test-style@9"}, "/model"),
    ("generate", {"seeds": [1], "class": "comet"}, "/class"),
    ("generate", {"latents": [{"z": [1.0]}]}, "/latents/0/z"),
    ("generate", {"latents": [{"w": [[1.0]]}]}, "/latents/0/w"),
    ("generate", {"count": 10_000, "size": 2048}, "/size"),
    ("generate", {"count": 10_000, "size": 100}, "/size"),
    ("generate", {"seeds": [1], "truncation": 3}, "/truncation"),
    ("mix", {**BODIES["mix"], "layers": [17]}, "/layers/0"),
    ("mix", {**BODIES["mix"], "model": "test-z"}, "/model"),
    ("interpolate", {**BODIES["interpolate"], "frames": 2001}, "/frames"),
    ("arithmetic", {**BODIES["arithmetic"], "space": "w", "model": "test-z"}, "/space"),
]


@pytest.mark.parametrize(("operation", "body", "pointer"), BAD)
def test_bad_input_is_422_before_anything_is_queued(
    client: Client, paused: Any, operation: str, body: dict[str, Any], pointer: str
) -> None:
    document = problem(client.post(f"/v1/{operation}", json=body), 422)
    assert [error["pointer"] for error in document["errors"]] == [pointer]
    assert paused.client.llen(QUEUES["interactive"]) == 0
    assert client.get("/v1/jobs").json()["jobs"] == []


def test_a_body_over_the_limit_is_413_declared_or_streamed(client: Client) -> None:
    def stream() -> Iterator[bytes]:
        for _ in range(20):
            yield b" " * 10_000

    headers = {"content-type": "application/json"}
    problem(client.post("/v1/generate", content=b" " * 100_001, headers=headers), 413)
    problem(client.post("/v1/generate", content=stream(), headers=headers), 413)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_that_is_not_declared_as_json_is_415(client: Client, kind: str) -> None:
    problem(client.post("/v1/generate", content=b'{"seeds": [1]}', headers={"content-type": kind}), 415)


@pytest.mark.parametrize(("encoding", "status"), [("gzip", 415), ("identity, BR", 415), ("", 202), ("Identity", 202)])
def test_an_encoded_body_is_415_and_told_to_come_plain(client: Client, paused: Any, encoding: str, status: int) -> None:
    answer = client.post("/v1/generate", json={"seeds": [1]}, headers={"content-encoding": encoding})
    assert answer.status_code == status
    if status == 415:
        assert f"encoded as {encoding.lower()}; send it plain" in problem(answer, 415)["detail"]
        assert answer.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/v1/nothing", 404), ("GET", "/v1/generate", 405), ("PATCH", "/v1/jobs/a", 405)]
)
def test_404_and_405_are_problems_too(client: Client, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    problem(answer, status)
    if status == 405:
        assert answer.headers["allow"] == ("POST" if "generate" in path else "DELETE, GET, HEAD")


def test_an_idempotency_key_holds_one_job(client: Client, paused: Any) -> None:
    def post(key: str, **body: Any) -> Response:
        return client.post("/v1/generate", json=body, headers={"idempotency-key": key})

    first = post("a", count=2)
    again = post("a", count=2)
    assert first.json()["id"] == again.json()["id"]
    assert first.json()["request"]["seeds"] == again.json()["request"]["seeds"]
    problem(post("a", count=3), 422)
    assert post("b", count=2).json()["id"] != first.json()["id"]
    problem(post("k" * 256, count=2), 422)
    assert post("k" * 255, count=2).status_code == 202
    client.delete(first.json()["links"]["self"])
    assert post("a", count=2).json()["id"] != first.json()["id"]


def test_equal_requests_at_once_with_one_key_are_one_job(client: Client, paused: Any) -> None:
    def post(_: int) -> str:
        answer = client.post("/v1/generate", json={"count": 1}, headers={"idempotency-key": "race"})
        return str(answer.json()["id"])

    with ThreadPoolExecutor(20) as pool:
        assert len(set(pool.map(post, range(60)))) == 1
    assert paused.client.llen(QUEUES["interactive"]) == 1


def test_a_job_that_cannot_be_queued_is_503_and_leaves_nothing(
    settings: Settings, client: Client, paused: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused.client.set(QUEUES["interactive"], "not a list")
    answer = client.post("/v1/generate", json={"seeds": [1]})
    problem(answer, 503)
    assert int(answer.headers["retry-after"]) >= 1
    assert client.get("/v1/jobs").json()["jobs"] == []
    assert JobRecords(redis.Redis.from_url(settings.redis_url, decode_responses=True)).place("any") is None


def test_many_clients_wait_at_once(client: Client) -> None:
    barrier = threading.Barrier(30)

    def post(seed: int) -> int:
        barrier.wait()
        return client.post("/v1/generate", json={"seeds": [seed]}, headers=WAIT).status_code

    with ThreadPoolExecutor(30) as pool:
        assert set(pool.map(post, range(30))) == {200}


def test_request_ids_are_echoed_or_made(client: Client) -> None:
    assert client.get("/healthz", headers={"x-request-id": "mine-1"}).headers["x-request-id"] == "mine-1"
    made = {client.get("/healthz").headers["x-request-id"] for _ in range(3)}
    assert len(made) == 3
    assert client.get("/healthz", headers={"x-request-id": 'a"b'}).headers["x-request-id"] != 'a"b'


def test_results_are_one_file_for_equal_jobs(client: Client, settings: Settings, worker: Any) -> None:
    for _ in range(3):
        assert client.post("/v1/generate", json={"seeds": [9]}, headers=WAIT).status_code == 200
    assert len(worker.rendered) == 1
    assert len([path for path in Path(settings.results_dir).glob("??/*") if path.suffix == ""]) == 1
