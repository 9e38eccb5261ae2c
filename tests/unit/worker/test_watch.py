from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from tests.worker_fakes import FakeRecords
from worker.engine import Engine
from worker.watch import Running, Watch

LEASE = 30


class FakeClient:
    """kombu's index of leases: delivery tag → when it was renewed."""

    def __init__(self, *tags: str) -> None:
        self.leases = dict.fromkeys(tags, 0.0)
        self._answers: list[bool] = []

    def pipeline(self, transaction: bool) -> FakeClient:
        return self

    def __enter__(self) -> FakeClient:
        self._answers = []
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def zadd(self, key: str, lease: dict[str, float], **_: Any) -> None:
        assert key == "unacked_index"
        ((tag, moment),) = lease.items()
        self._answers.append(tag in self.leases)
        self.leases.update({tag: moment} if tag in self.leases else {})

    def execute(self) -> list[bool]:
        return self._answers


def later(watch: Watch, monkeypatch: pytest.MonkeyPatch, seconds: float) -> float:
    """Look after so many seconds; returns when that is."""
    moment = time.time() + seconds
    monkeypatch.setattr("worker.watch.time.time", lambda: moment)
    watch._look()
    monkeypatch.undo()
    return moment


@pytest.fixture
def client() -> FakeClient:
    return FakeClient("a", "b")


@pytest.fixture
def watch(client: FakeClient) -> Watch:
    return Watch(FakeRecords(client), Engine(4), lease_seconds=LEASE)  # type: ignore[arg-type]


def test_the_lease_of_a_message_is_renewed_from_its_coming_until_it_is_done_with(
    watch: Watch, client: FakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch.take("a")
    later(watch, monkeypatch, LEASE / 8)
    assert client.leases == {"a": 0, "b": 0}
    renewed = later(watch, monkeypatch, LEASE / 2)
    assert client.leases == {"a": renewed, "b": 0}
    watch.let_go("a")
    later(watch, monkeypatch, LEASE)
    assert client.leases == {"a": renewed, "b": 0}


def test_a_message_that_has_come_twice_is_held_until_both_are_done_with(
    watch: Watch, client: FakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch.take("a")
    watch.take("a")
    watch.let_go("a")
    assert client.leases["a"] < later(watch, monkeypatch, LEASE) == client.leases["a"]
    assert watch.holds("a")
    watch.let_go("a")
    watch.let_go("unknown")
    assert not watch.holds("a")


def test_how_long_the_encoding_takes_is_told_by_its_own_pace(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 100.0
    monkeypatch.setattr("worker.watch.time.monotonic", lambda: clock)
    film = Running("film", total=50, ticket=SimpleNamespace(done=30), shows=True)  # type: ignore[arg-type]
    watch.add(film)
    for frame in (0, 25, 49):  # a palette is made of some
        film.sees(frame)
    assert watch.rests == {}
    film.ticket.done = 50  # type: ignore[union-attr]
    film.sees(1)
    assert watch.rests == {}, "nothing is known of its pace yet"
    clock += 6
    for frame in range(2, 14):
        film.sees(frame)
    assert watch.rests == {"film": 18.0}, "12 frames in 6 seconds, and 36 to go"
    for frame in range(14, 50):
        film.sees(frame)
    assert watch.rests == {}


def test_what_runs_is_told_in_jobs_and_pixels(watch: Watch) -> None:
    film, galaxy = Running("film", pixels=600, total=600), Running("galaxy", pixels=1)
    watch.add(film, galaxy)
    assert (watch.running, watch.running_pixels) == (2, 601)
    watch.remove(film)
    assert (watch.running, watch.running_pixels) == (1, 1)


def test_a_job_whose_lease_has_gone_stops_and_one_that_waits_does_not_disturb_it(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, lost = Running("kept", "a"), Running("lost", "gone")
    watch.add(kept, lost)
    watch.take("gone too")
    watch._records.jobs = {}  # type: ignore[attr-defined]
    monkeypatch.setattr(FakeRecords, "progress_many", lambda *_: set())
    moment = time.time() + LEASE
    monkeypatch.setattr("worker.watch.time.time", lambda: moment)
    watch._look()
    assert (kept.stop, lost.stop, lost.lost) == (False, True, True)
