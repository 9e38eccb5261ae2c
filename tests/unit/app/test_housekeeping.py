"""What goes wrong slowly is put right: lost messages, jobs that nobody took, results that nobody needs, deletions that race."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from httpx import Client
from redis.exceptions import ConnectionError as RedisAway

import jobstore.upkeep
from app.housekeeping import Housekeeper
from app.main import create_app
from app.services import Services
from app.settings import Settings
from galaxies.jobs import Phase
from jobstore.layout import LOAD, OPEN, PREFIX
from jobstore.results import FRESH_SECONDS
from jobstore.upkeep import UNACKED, Upkeep
from tests.unit.app.conftest import LISTS, FakeWorker, serving
from tests.unit.app.test_operations import WAIT, problem
from tests.worker_fakes import wait_until


class House:
    """An application whose own housekeeping never comes, and a housekeeper that does when told."""

    def __init__(self, client: Client, services: Services, worker: FakeWorker) -> None:
        self.client, self.services, self.worker = client, services, worker
        self.keeper = Housekeeper(services)

    def post(self, seed: int = 0, **headers: str) -> dict[str, Any]:
        document: dict[str, Any] = self.client.post("/v1/generate", json={"seeds": [seed]}, headers=headers).json()
        return document

    def phase(self, job: dict[str, Any]) -> str:
        return str(self.client.get(job["links"]["self"]).json()["phase"])

    def lose_messages(self) -> None:
        self.worker.client.delete(*LISTS, UNACKED)

    def age(self, job_id: str, seconds: float) -> None:
        """Make a job's record older, as if it had been created and would expire ``seconds`` earlier."""
        record = self.worker.records.get(job_id)
        assert record is not None
        self.worker.records.delete(record)
        by = timedelta(seconds=seconds)
        self.worker.records.create(record.model_copy(update={"created": record.created - by, "expires": record.expires - by}))


@pytest.fixture
def house(settings: Settings, worker: FakeWorker, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(jobstore.upkeep, "SETTLED_SECONDS", 0.0)
    worker.paused = True
    application = create_app(settings.model_copy(update={"housekeeping_seconds": 1000}))
    with serving(application) as client:
        yield House(client, application.state.services, worker)


@pytest.mark.parametrize("priority", ["interactive", "bulk"])
def test_a_job_without_a_message_is_sent_again_when_it_was_missed_twice(house: House, priority: str) -> None:
    """As when an API is killed between record and message, or Celery loses one between two lists."""
    job = house.post(0, prefer=f"priority={priority}")
    house.lose_messages()
    assert house.keeper.send_again() == 0, "it may be on its way"
    assert house.keeper.send_again() == 1
    assert [house.worker.client.llen(name) for name in LISTS] == ([1, 0] if priority == "interactive" else [0, 1])
    (text,) = (house.worker.client.lindex(name, 0) for name in LISTS if house.worker.client.llen(name))
    arguments, more, _ = json.loads(base64.b64decode(json.loads(text)["body"]))
    assert (arguments, more) == ([job["id"]], {"again": True})
    assert [house.keeper.send_again() for _ in range(3)] == [0, 0, 0]
    house.worker.paused = False
    wait_until(lambda: house.phase(job) == "COMPLETED")


def test_jobs_that_have_a_message_are_left_alone(house: House) -> None:
    for seed in range(20):
        house.post(seed)
    assert [house.keeper.send_again() for _ in range(3)] == [0, 0, 0]
    assert house.worker.client.llen(LISTS[0]) == 20


def test_a_running_job_whose_message_vanished_is_sent_again(house: House) -> None:
    job = house.post()
    house.worker.records.begin(job["id"], "tag-of-a-dead-worker")
    house.lose_messages()
    assert [house.keeper.send_again() for _ in range(2)] == [0, 1]
    house.worker.paused = False
    wait_until(lambda: house.phase(job) == "COMPLETED")


def test_young_jobs_are_left_alone(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobstore.upkeep, "SETTLED_SECONDS", 15.0)
    house.post()
    house.lose_messages()
    assert [house.keeper.send_again() for _ in range(3)] == [0, 0, 0]


def test_a_job_that_nobody_took_ends_when_it_expires(house: House) -> None:
    job, young = house.post(1), house.post(2)
    house.age(job["id"], house.services.settings.job_ttl_seconds + 1)
    assert house.keeper.expire() == 1
    ended = house.client.get(job["links"]["self"]).json()
    assert (ended["phase"], ended["error"]["status"]) == ("ERROR", 503)
    assert house.phase(young) == "QUEUED"


def test_a_job_that_waits_keeps_the_time_that_it_was_accepted_with(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    job = house.post(1)
    house.age(job["id"], 7200)
    hour = house.services.settings.model_copy(update={"job_ttl_seconds": 3600})
    monkeypatch.setattr(house.services, "settings", hour)
    young = house.post(2)
    assert Housekeeper(house.services).expire() == 0
    house.age(young["id"], 3601)
    assert Housekeeper(house.services).expire() == 1
    assert (house.phase(job), house.phase(young)) == ("QUEUED", "ERROR")


def test_counts_of_vanished_records_are_dropped(house: House) -> None:
    job, other = house.post(1), house.post(2)
    house.worker.client.delete(f"{PREFIX}job:{job['id']}")
    assert house.services.records.client.hget(LOAD, "jobs:") == "2"
    assert Upkeep(house.worker.client).drop_ended() == 1
    assert house.worker.client.hgetall(LOAD) | {"running": "0"} == {
        "waiting:interactive": str(64 * 64),
        "jobs:": "1",
        "running": "0",
    }
    assert house.worker.client.hkeys(OPEN) == [other["id"]]
    assert Upkeep(house.worker.client).drop_ended() == 0


def test_results_go_when_their_last_job_expires(house: House) -> None:
    house.worker.paused = False
    for seed in (1, 1, 2):
        assert house.client.post("/v1/generate", json={"seeds": [seed]}, headers=WAIT).status_code == 200
    jobs = {job["id"]: job["request"]["seeds"][0] for job in house.client.get("/v1/jobs").json()["jobs"]}
    first, second = (job_id for job_id, seed in jobs.items() if seed == 1)
    assert house.keeper.sweep() == 0
    house.age(first, house.services.settings.job_ttl_seconds + 1)
    assert house.keeper.sweep() == 0, "the second job still needs it"
    house.age(second, house.services.settings.job_ttl_seconds + 1)
    assert house.keeper.sweep() == 1
    problem(house.client.get(f"/v1/jobs/{second}/result"), 410)
    assert len(list(house.services.results.entries())) == 1


def test_results_without_a_job_go_at_the_age_of_a_job(house: House) -> None:
    house.worker.paused = False
    house.client.post("/v1/generate", json={"seeds": [1]}, headers=WAIT)
    house.worker.client.flushdb()
    assert house.keeper.sweep() == 0
    ((key, _),) = house.services.results.entries()
    old = time.time() - house.services.settings.job_ttl_seconds - 1
    os.utime(house.services.results.path(key), (old, old))
    assert house.keeper.sweep() == 1


def test_left_overs_of_a_killed_deletion_go(house: House) -> None:
    left = house.services.results.root / "scratch" / f"{'ab' * 32}.0.gone"
    left.write_bytes(b"galaxy")
    assert house.services.results.clear_scratch() == 0
    old = time.time() - FRESH_SECONDS - 1
    os.utime(left, (old, old))
    house.services.results.clear_scratch()
    assert not left.exists()


def test_one_process_keeps_house(house: House) -> None:
    upkeep = Upkeep(house.worker.client)
    assert upkeep.elected("a", 0.3)
    assert upkeep.elected("a", 0.3)
    assert not upkeep.elected("b", 0.3)
    time.sleep(0.35)
    assert upkeep.elected("b", 0.3)
    assert not upkeep.elected("a", 0.3)


def test_a_result_deleted_while_an_equal_request_comes_is_made_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request finds the result, the last job that had it is deleted, the request is recorded: it must not answer 410."""
    house.worker.paused = False
    assert house.client.post("/v1/generate", json={"seeds": [5]}, headers=WAIT).status_code == 200
    (old,) = house.client.get("/v1/jobs").json()["jobs"]
    create = house.services.records.create_many

    def delete_first(jobs: Any) -> Any:
        monkeypatch.setattr(house.services.records, "create_many", create)
        assert house.client.delete(old["links"]["self"]).status_code == 204
        return create(jobs)

    monkeypatch.setattr(house.services.records, "create_many", delete_first)
    again = house.client.post("/v1/generate", json={"seeds": [5]}, headers=WAIT)
    assert again.status_code == 200, again.text
    assert len(house.worker.rendered) == 2
    wait_until(lambda: not any(int(value) for value in house.worker.client.hvals(LOAD)))


def test_a_result_needed_at_the_last_moment_comes_back(house: House) -> None:
    house.worker.paused = False
    house.client.post("/v1/generate", json={"seeds": [5]}, headers=WAIT)
    ((key, _),) = house.services.results.entries()
    before = house.services.results.read(key)
    assert not house.services.results.delete(key, unless=lambda: house.services.results.find(key) is None)
    assert house.services.results.read(key) == before
    assert list((house.services.results.root / "scratch").glob("*.gone")) == []


def test_an_idempotent_retry_makes_a_lost_result_again(house: House) -> None:
    house.worker.paused = False
    key = {"idempotency-key": "k"}
    assert house.client.post("/v1/generate", json={"seeds": [5]}, headers=WAIT | key).status_code == 200
    for result, _ in list(house.services.results.entries()):
        house.services.results.delete(result)
    assert house.client.post("/v1/generate", json={"seeds": [5]}, headers=WAIT | key).status_code == 200
    assert len(house.client.get("/v1/jobs").json()["jobs"]) == 1


def test_housekeeping_runs_by_itself(settings: Settings, worker: FakeWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobstore.upkeep, "SETTLED_SECONDS", 0.0)
    worker.paused = True
    with serving(create_app(settings.model_copy(update={"housekeeping_seconds": 0.1}))) as client:
        job = client.post("/v1/generate", json={"seeds": [1]}).json()
        worker.client.delete(*LISTS)
        wait_until(lambda: worker.client.llen(LISTS[0]) == 1)
        worker.paused = False
        wait_until(lambda: client.get(job["links"]["self"]).json()["phase"] == Phase.COMPLETED)
        wait_until(lambda: 'galsynth_housekeeping_total{what="jobs sent again"} 1.0' in client.get("/metrics").text)


def test_free_memory_is_given_back_every_time_also_where_it_is_anothers_turn_or_redis_is_away(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr("app.housekeeping.trim", lambda: done.append("trim"))
    keeper = house.keeper
    assert Upkeep(house.services.records.client).elected("another", 60)
    look, away = keeper.look, iter([False, True, False])

    def noting() -> None:
        done.append("look")
        if next(away, False):
            raise RedisAway("away")
        look()

    monkeypatch.setattr(keeper, "look", noting)
    monkeypatch.setattr(keeper, "_settings", keeper._settings.model_copy(update={"housekeeping_seconds": 0.01}))
    keeper.start()
    wait_until(lambda: done.count("trim") > 3)
    keeper.stop()
    assert done == ["look", "trim"] * (len(done) // 2)


def test_an_outage_is_told_once_and_its_end_too(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    log, look = Mock(), Mock(side_effect=[None, *[RedisAway(f"away {i}") for i in range(5)], *[None] * 5])
    monkeypatch.setattr("app.housekeeping.log", log)
    keeper = house.keeper
    monkeypatch.setattr(keeper, "look", look)
    monkeypatch.setattr(keeper, "_settings", keeper._settings.model_copy(update={"housekeeping_seconds": 0.01}))
    keeper.start()
    wait_until(lambda: look.call_count > 8)
    keeper.stop()
    log.warning.assert_called_once_with("housekeeping put off", reason="away 0")
    log.info.assert_called_once_with("housekeeping goes on")
