"""Queue positions and waiting times that come true: the clock of these tests is the pixels that the workers have made."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from httpx import Client

import app.events
from galaxies.jobs import Job
from jobstore.workers import Costs, WorkerBeacons, WorkerInfo
from tests.strategies import style_card
from tests.unit.app.conftest import FakeWorker
from tests.unit.app.test_events import listen, post
from tests.worker_fakes import wait_until

JOBS = 6
GALAXY = style_card().resolution ** 2
"""Pixels of one."""


@pytest.fixture
def paused(worker: FakeWorker) -> FakeWorker:
    """The worker takes nothing by itself."""
    worker.paused = True
    return worker


def announce(
    worker: FakeWorker,
    number: int,
    pixels_per_second: float = 0.0,
    costs: Costs | None = None,
    running: int = 0,
    each: int = 4 * GALAXY,
    rests: dict[str, float] | None = None,
) -> None:
    """Beacons of ``number`` workers: pixels a second, or what jobs take; how many each runs, and of how many pixels; `rests`."""
    for i in range(number):
        info = WorkerInfo(
            worker_id=f"w{i}",
            pid=i,
            device="CPU",
            providers=[],
            warm=[],
            started=datetime.now(UTC),
            pixels_per_second=pixels_per_second,
            costs=costs or Costs(),
            running=running,
            running_pixels=running * each,
            rests=rests or {},
        )
        WorkerBeacons(worker.client).announce(info.worker_id, info, 600)


def now(client: Client, job: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = client.get(job["links"]["self"]).json()
    return document


@pytest.mark.parametrize("workers", [1, 3])
def test_the_waiting_time_told_at_every_step_is_the_one_that_it_takes(client: Client, paused: FakeWorker, workers: int) -> None:
    announce(paused, workers, GALAXY / 2)
    counts = [1 + i % 3 for i in range(JOBS)]
    jobs = [post(client, count, 10 * i) for i, count in enumerate(counts)]
    told = []
    for job in jobs:
        told.append(now(client, jobs[-1]))
        paused.render(job["id"])
    assert [document["queue_position"] for document in told] == list(range(JOBS, 0, -1))
    left = [2 * (sum(counts[done:-1]) / workers + counts[-1]) for done in range(JOBS)]
    assert [document["eta_seconds"] for document in told] == pytest.approx(left, abs=0.06)
    ended = now(client, jobs[-1])
    assert (ended["phase"], ended["queue_position"], ended["eta_seconds"]) == ("COMPLETED", None, None)


def test_jobs_that_run_count_as_far_as_they_share_the_workers(client: Client, paused: FakeWorker) -> None:
    announce(paused, 1, GALAXY)
    film, galaxy = post(client, count=40), post(client, count=1, seed=99)
    assert isinstance(paused.records.begin(film["id"]), Job)
    for place, told in enumerate([now(client, galaxy), post(client, count=1, seed=100)], 1):
        assert (told["queue_position"], told["eta_seconds"]) == (place, 2.0 * place), (
            "a batch is shared: it takes as long again, not the film's 40"
        )


def test_jobs_their_galaxies_and_their_pictures_take_each_their_own(client: Client, paused: FakeWorker) -> None:
    costs = Costs(per_job=0.5, per_network_pixel=2 / GALAXY, per_shown_pixel=0.25 / GALAXY, per_pixel=3 / GALAXY)
    announce(paused, 2, costs=costs)
    small, large = post(client, count=4), post(client, count=4, seed=50, size=4 * style_card().resolution)
    assert now(client, small)["eta_seconds"] == pytest.approx(0.5 + 4 * 2.25, abs=0.06)
    before = (0.5 + 4 * (2 + 16 * 0.25) / 16) / 2
    assert now(client, large)["eta_seconds"] == pytest.approx(before + 0.5 + 4 * (2 + 16 * 0.25), abs=0.06)


def test_a_job_that_runs_has_no_less_before_it_than_such_jobs_take(client: Client, paused: FakeWorker) -> None:
    announce(paused, 1, costs=Costs(per_job=100))
    job = post(client, count=4)
    begun = paused.records.begin(job["id"])
    assert isinstance(begun, Job)
    assert now(client, job)["eta_seconds"] == pytest.approx(100, abs=20)
    paused.records.progress_many({job["id"]: 4})
    assert now(client, job)["eta_seconds"] == pytest.approx(100, abs=20), "all galaxies are made, and the film is not encoded"
    announce(paused, 1, costs=Costs(per_job=1e-9))
    wait_until(lambda: now(client, job)["eta_seconds"] is None)


def test_films_that_wait_behind_films_are_not_told_what_small_galaxies_took(client: Client, paused: FakeWorker) -> None:
    announce(paused, 1, costs=Costs(per_network_pixel=2 / GALAXY, per_pixel=2 / GALAXY))
    size = 4 * style_card().resolution
    for place in range(3):
        told = post(client, count=4, seed=10 * place, size=size)
        assert told["eta_seconds"] == pytest.approx(8 * (place + 1), abs=0.06)


def test_a_job_that_runs_beside_others_takes_as_many_times_as_long(client: Client, paused: FakeWorker) -> None:
    announce(paused, 2, costs=Costs(per_job=100), running=8)
    job = post(client, count=4)
    assert isinstance(paused.records.begin(job["id"]), Job)
    paused.records.progress_many({job["id"]: 4})
    assert now(client, job)["eta_seconds"] == pytest.approx(800, abs=20)


def test_while_a_film_is_encoded_its_worker_says_how_long_that_takes(client: Client, paused: FakeWorker) -> None:
    announce(paused, 1, costs=Costs(per_job=100))
    film = post(client, count=40)
    assert isinstance(paused.records.begin(film["id"]), Job)
    announce(paused, 2, costs=Costs(per_job=100), rests={film["id"]: 7.5})
    wait_until(lambda: now(client, film)["eta_seconds"] == 7.5)


def test_galaxies_beside_a_film_make_it_take_no_longer_and_films_do(client: Client, paused: FakeWorker) -> None:
    film = post(client, count=40)
    assert isinstance(paused.records.begin(film["id"]), Job)
    for each, told in ((GALAXY, 100), (20 * GALAXY, 400), (400 * GALAXY, 800)):
        announce(paused, 2, costs=Costs(per_job=100), running=8, each=each)
        wait_until(lambda told=told: now(client, film)["eta_seconds"] == pytest.approx(told, abs=20))


def test_bulk_jobs_stand_behind_every_interactive_one(client: Client, paused: FakeWorker) -> None:
    first = client.post("/v1/generate", json={"seeds": [1]}, headers={"prefer": "priority=bulk"}).json()
    assert now(client, first)["queue_position"] == 1
    second = post(client, count=1, seed=2)
    assert [now(client, job)["queue_position"] for job in (second, first)] == [1, 2]


def test_the_positions_that_a_stream_tells_only_fall_and_its_last_waiting_time_is_the_jobs_own(
    client: Client, paused: FakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.events, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(app.events, "LEAST_GAP_SECONDS", 0.0)
    announce(paused, 1, 4 * GALAXY)
    jobs = [post(client, count=4, seed=10 * i) for i in range(JOBS)]
    with ThreadPoolExecutor() as pool:
        listening = pool.submit(listen, client, jobs[-1])
        for job in jobs:
            paused.client.blpop("go", 1)  # nobody pushes: a little time between, however long it is
            paused.render(job["id"])
        events = listening.result(60)
    waits = [event["data"] for event in events if event["data"].get("queue_position") is not None]
    positions, times = [w["queue_position"] for w in waits], [w["eta_seconds"] for w in waits]
    assert positions[0] > 1
    assert positions == sorted(positions, reverse=True)
    assert all(0 <= time - position <= 1 for time, position in zip(times, positions, strict=True)), (
        "a second each, and the one that runs"
    )
    assert events[-1]["event"] == "end"
    assert events[-1]["data"]["eta_seconds"] is None
