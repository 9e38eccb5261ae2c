from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import redis

from jobstore.workers import WorkerBeacons, WorkerInfo
from tests.worker_fakes import wait_until

pytestmark = pytest.mark.integration


@pytest.fixture
def client(empty_valkey: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(empty_valkey, decode_responses=True) as client:
        yield client


def info(worker_id: str) -> WorkerInfo:
    return WorkerInfo(
        worker_id=worker_id,
        pid=1,
        device="CPU",
        providers=["CPUExecutionProvider"],
        warm=["sdss-gz1-64@2"],
        started=datetime(2026, 1, 1, tzinfo=UTC),
    )


def test_announced_workers_are_alive_until_they_withdraw(client: redis.Redis) -> None:
    beacons = WorkerBeacons(client)
    assert beacons.alive() == []
    for name in ("b", "a"):
        beacons.announce(name, info(name))
    assert beacons.alive() == [info("a"), info("b")]
    beacons.withdraw("a")
    assert beacons.alive() == [info("b")]


def test_a_server_that_takes_no_writes_tells_who_is_alive(
    client: redis.Redis, server_setting: Callable[[str, object], None]
) -> None:
    beacons = WorkerBeacons(client)
    beacons.announce("a", info("a"))
    beacons.announce("gone", info("gone"), 1)
    wait_until(lambda: client.exists("galsynth:worker:gone") == 0)
    server_setting("min-replicas-to-write", 1)
    assert beacons.alive() == [info("a")]


def test_a_worker_that_falls_silent_is_gone(client: redis.Redis) -> None:
    beacons = WorkerBeacons(client)
    beacons.announce("a", info("a"), ttl_seconds=1)
    assert beacons.alive() == [info("a")]
    time.sleep(1.1)
    assert beacons.alive() == []
    assert client.keys("*worker*") == []


def test_a_beacon_of_another_version_is_passed_over(client: redis.Redis) -> None:
    beacons = WorkerBeacons(client)
    beacons.announce("a", info("a"))
    beacons.announce("b", info("b"))
    client.set("galsynth:worker:a", "{}")
    assert beacons.alive() == [info("b")]
