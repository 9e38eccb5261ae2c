"""Workers that are stuck, and workers that only look it, as separate processes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobstore.layout import DEAD
from jobstore.records import MAX_ATTEMPTS
from models.store import ModelStore
from tests.cluster import Cluster
from tests.tiny_models import ENDLESS, publish_endless, publish_style
from tests.worker_fakes import wait_until
from worker.pulse import BEAT_PERIOD_SECONDS, STUCK_EXIT_CODE

WATCHDOG_SECONDS = 5


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    publish_style(tmp_path / "models")
    publish_style(tmp_path / "models", "slow", cost=300)
    publish_endless(tmp_path / "models")
    with Cluster(tmp_path) as cluster:
        yield cluster


def test_a_worker_whose_engine_is_stuck_ends_itself_and_only_the_job_at_fault_is_given_up(cluster: Cluster) -> None:
    port = cluster.start_api()
    z_dim = ModelStore([cluster.folder / "models"]).get("endless").card.z_dim
    stuck = {"latents": [{"z": [ENDLESS] * z_dim}], "model": "endless"}
    endless = cluster.post(port, "generate", stuck, "endless")
    beside = [cluster.post(port, "generate", {"seeds": [seed], "model": "endless"}, f"beside it {seed}") for seed in range(3)]
    ends: list[int] = []
    deadline = time.monotonic() + 200
    while cluster.phase(port, endless) != "ERROR" and time.monotonic() < deadline:
        if not cluster.workers:
            cluster.start_worker(GALSYNTH_WATCHDOG_SECONDS=str(WATCHDOG_SECONDS))
        status = cluster.workers[0].poll()
        if status is not None:
            ends.append(status)
            cluster.workers.clear()
        time.sleep(0.1)
    assert ends == [STUCK_EXIT_CODE] * MAX_ATTEMPTS
    assert cluster.end(port, [endless, *beside]) == ["ERROR"] + ["COMPLETED"] * len(beside)
    ((_, entry),) = cluster.redis.xrange(DEAD)
    assert entry["job"] == endless["id"]
    said = [line for line in cluster.worker_lines() if "stuck or dead" in line["event"]]
    assert [(line["level"], endless["id"] in line["jobs"]) for line in said] == [("critical", True)] * MAX_ATTEMPTS


def test_a_worker_looks_healthy_while_the_queue_server_is_away(cluster: Cluster) -> None:
    heartbeat = cluster.folder / "heartbeat"
    port = cluster.start_api()
    cluster.start_worker(GALSYNTH_HEARTBEAT_FILE=str(heartbeat))
    cluster.ready(port)
    ends = {"from": {"seed": 1}, "to": {"seed": 2}}
    film = cluster.post(port, "interpolate", ends | {"frames": 1500, "model": "slow", "format": "zip"}, "film")
    wait_until(lambda: cluster.phase(port, film) == "EXECUTING", 60)
    cluster.kill_queue()
    for _ in range(5):  # one beat after another, not the one that was under way
        before = heartbeat.stat().st_mtime_ns
        wait_until(lambda: heartbeat.stat().st_mtime_ns > before, 5 * BEAT_PERIOD_SECONDS)  # noqa: B023 - called at once
    cluster.start_queue()
    assert cluster.end(port, [film]) == ["COMPLETED"]
