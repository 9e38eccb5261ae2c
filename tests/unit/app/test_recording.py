"""A job that somebody was answered 202 with is never taken back; one that nobody was answered with is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from httpx import Client
from redis.exceptions import ConnectionError, TimeoutError

import jobstore.upkeep
from app.callers import ANYBODY
from app.housekeeping import Housekeeper
from app.main import create_app
from app.recording import Accepted, Order, record_many
from app.services import Services
from app.settings import Settings
from galaxies.errors import Transient
from jobstore.layout import LOAD, Claim
from tests.strategies import generate_body, style_card
from tests.unit.app.conftest import LISTS, FakeWorker, serving
from tests.unit.app.test_operations import problem
from tests.worker_fakes import make_job, wait_until

KEY = {"idempotency-key": "the client's own"}


@dataclass
class Api:
    """One of several APIs on the same Redis."""

    client: Client
    services: Services

    def post(self, seed: int = 1, headers: dict[str, str] | None = None) -> Any:
        return self.client.post("/v1/generate", json={"seeds": [seed]}, headers=headers)

    def jobs(self) -> list[str]:
        return [job["id"] for job in self.client.get("/v1/jobs").json()["jobs"]]

    def fail_once(self, part: Any, name: str, error: Exception, before: Callable[[], object] | None = None) -> None:
        """The next call of ``part.name`` does its work (or ``before`` in its place), and no answer comes back."""
        real = getattr(part, name)

        def lost(*args: Any) -> Any:
            setattr(part, name, real)
            (before or (lambda: real(*args)))()
            raise error

        setattr(part, name, lost)


@pytest.fixture
def apis(settings: Settings, worker: FakeWorker) -> Iterator[tuple[Api, Api]]:
    worker.paused = True
    one, other = (create_app(settings.model_copy(update={"housekeeping_seconds": 1000})) for _ in range(2))
    with serving(one) as first, serving(other) as second:
        yield Api(first, one.state.services), Api(second, other.state.services)


def unanswered(api: Api, headers: dict[str, str] | None = None) -> None:
    """An order whose job is recorded, although the API never hears so."""
    api.fail_once(api.services.records, "create_many", TimeoutError("no answer"))
    problem(api.post(headers=headers), 503)


@pytest.mark.parametrize("retried_at", [0, 1])
def test_a_job_handed_out_to_a_retry_is_never_taken_back(
    apis: tuple[Api, Api], worker: FakeWorker, retried_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The retry comes before the record is taken back: at another API, or at the same one, where taking back found no Redis."""
    monkeypatch.setattr(jobstore.upkeep, "SETTLED_SECONDS", 0.0)
    first, retried = apis[0], apis[retried_at]
    unanswered(first, headers=KEY)
    (left,) = first.jobs()
    if retried is first:
        kept = list(first.services.unsent)
        first.services.unsent.clear()
    job = retried.post(headers=KEY).json()
    assert (job["id"], job["phase"]) == (left, "QUEUED")
    if retried is first:
        first.services.unsent += kept
    assert first.post(2).status_code == 202
    assert first.services.unsent == []
    assert first.client.get(job["links"]["self"]).json()["phase"] == "QUEUED"
    housekeeper = Housekeeper(first.services)
    assert [housekeeper.send_again() for _ in range(2)] == [0, 1]
    worker.paused = False
    wait_until(lambda: first.client.get(job["links"]["self"]).json()["phase"] == "COMPLETED")


def test_a_job_handed_out_between_its_record_and_its_message_is_not_taken_back(apis: tuple[Api, Api]) -> None:
    first, other = apis
    answers: list[Any] = []
    error = Transient("the queue cannot be reached")
    first.fail_once(first.services.queue, "send", error, before=lambda: answers.append(other.post(headers=KEY)))
    problem(first.post(headers=KEY), 503)
    (answer,) = answers
    assert answer.status_code == 202
    assert first.post(2).status_code == 202
    assert first.client.get(answer.json()["links"]["self"]).json()["phase"] == "QUEUED"
    assert first.post(headers=KEY).json()["id"] == answer.json()["id"]


def test_a_job_that_a_worker_has_begun_is_not_taken_back(apis: tuple[Api, Api], worker: FakeWorker) -> None:
    first, _ = apis
    unanswered(first, headers=KEY)
    (left,) = first.jobs()
    worker.render(left)
    assert first.post(2).status_code == 202
    assert first.client.get(f"/v1/jobs/{left}").json()["phase"] == "COMPLETED"
    assert first.post(headers=KEY).json()["id"] == left


def test_a_job_that_nobody_was_answered_with_leaves_nothing(apis: tuple[Api, Api], worker: FakeWorker) -> None:
    first, _ = apis
    unanswered(first, headers=KEY)
    (left,) = first.jobs()
    retry = first.post(headers=KEY)
    assert retry.status_code == 202
    assert retry.json()["id"] != left
    assert first.jobs() == [retry.json()["id"]]
    assert worker.client.hget(LOAD, "jobs:") == "1"
    assert [worker.client.llen(name) for name in LISTS] == [1, 0]


def test_a_key_that_is_used_with_another_body_does_not_keep_the_job(apis: tuple[Api, Api]) -> None:
    first, other = apis
    unanswered(first, headers=KEY)
    problem(other.post(2, headers=KEY), 422)
    assert first.post(3).status_code == 202
    assert len(first.jobs()) == 1


def test_an_order_that_fails_leaves_the_others_of_its_call_as_they_are(apis: tuple[Api, Api], worker: FakeWorker) -> None:
    first, other = apis
    other.post(headers=KEY)
    claim = first.services.records.client.keys("galsynth:idempotency:*")[0]
    digest = first.services.records.client.hget(claim, "body")
    retry = Order(make_job(style_card(), generate_body([1])), ANYBODY, Claim(KEY["idempotency-key"], digest, 60))
    new = Order(make_job(style_card(), generate_body([2])), ANYBODY)
    first.fail_once(first.services.records, "get", ConnectionError("gone"))
    failed, accepted = record_many(first.services, [retry, new])
    assert isinstance(failed, ConnectionError)
    assert isinstance(accepted, Accepted)
    assert worker.client.llen(LISTS[0]) == 2


def test_an_outage_adds_nothing_to_what_is_to_be_taken_back(apis: tuple[Api, Api]) -> None:
    """While Redis does not take back what one call has left, nothing is recorded; then all goes together."""
    first, _ = apis
    services, records = first.services, first.services.records
    recorded: list[int] = []
    taken: list[int] = []

    def create_many(jobs: Any) -> None:
        recorded.append(len(jobs))
        type(records).create_many(records, jobs)
        raise TimeoutError("no answer")

    def take_back(jobs: Any) -> None:
        taken.append(len(jobs))
        raise ConnectionError("refused")

    vars(records).update(create_many=create_many, take_back=take_back)
    for _ in range(20):
        orders = [Order(make_job(style_card(), generate_body([seed])), ANYBODY) for seed in range(5)]
        assert {type(answer) for answer in record_many(services, orders)} <= {TimeoutError, ConnectionError}
    assert (recorded, taken) == ([5], [5] * 19)
    assert {len(each) for each in services.unsent} == {3}, "names and no jobs: latents may be megabytes"
    assert len(first.jobs()) == 5
    for name in ("create_many", "take_back"):
        del vars(records)[name]
    assert first.post().status_code == 202
    assert (services.unsent, len(first.jobs())) == ([], 1)
