"""``galsynth up`` with the real server, workers and API."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from galsynth.server import EmbeddedServer, free_port
from tests.programs import Up, assert_gone, start_up

READY_SECONDS = 15

Start = Callable[..., Up]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts ``galsynth up`` in a folder of its own; whatever is left at the end is killed."""
    running: list[Up] = []

    def start_one(*options: str, environ: dict[str, str] | None = None) -> Up:
        running.append(start_up(tmp_path, *options, environ=environ))
        return running[-1]

    yield start_one
    for up in running:
        up.process.kill()
        up.process.wait()


def post(url: str, body: object, **headers: str) -> tuple[int, bytes]:
    content = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, json.dumps(body).encode(), content)
    with urllib.request.urlopen(request, timeout=90) as response:
        return response.status, response.read()


def job_phase(up: Up, job_id: str) -> str:
    with urllib.request.urlopen(f"{up.url}/v1/jobs/{job_id}", timeout=10) as response:
        return str(json.load(response)["phase"])


def await_ended(up: Up, job_id: str, seconds: float = 90) -> str:
    deadline = time.monotonic() + seconds
    while (phase := job_phase(up, job_id)) in ("PENDING", "QUEUED", "EXECUTING"):
        assert time.monotonic() < deadline, f"job {job_id} is {phase} after {seconds} s:\n{up.output()[-3000:]}"
        time.sleep(0.1)
    return phase


def test_starts_renders_and_stops_cleanly(start: Start) -> None:
    up = start("--workers", "2")
    seconds = up.await_ready()
    assert seconds < READY_SECONDS * (2 if os.environ.get("CI") else 1), "ready too late"
    status, picture = post(f"{up.url}/v1/generate", {"seeds": [42]}, Prefer="wait=60")
    assert (status, picture[:8]) == (200, b"\x89PNG\r\n\x1a\n")
    assert len(up.descendants()) >= 4
    assert "galsynth is ready after" in up.await_welcome()
    assert up.stop() == 0
    assert "Traceback" not in up.output()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_every_way_of_stopping_is_clean(start: Start, number: int) -> None:
    up = start("--workers", "1")
    up.await_ready()
    children = up.descendants()
    up.process.send_signal(number)
    assert up.process.wait(60) == 0, up.output()
    assert_gone(children)


def test_no_orphan_after_sigkill(start: Start) -> None:
    up = start("--workers", "2")
    up.await_ready()
    children = up.descendants()
    assert len(children) >= 4
    up.process.kill()
    up.process.wait()
    assert_gone(children)


def test_queued_jobs_and_results_outlive_a_restart(start: Start) -> None:
    first = start("--workers", "1")
    first.await_ready()
    _, answer = post(f"{first.url}/v1/generate", {"seeds": [7]}, Prefer="wait=60", Accept="image/png")
    jobs = [json.loads(post(f"{first.url}/v1/interpolate", film(seed))[1])["id"] for seed in range(3)]
    assert first.stop() == 0, first.output()
    second = start("--workers", "2")
    second.await_ready()
    assert [await_ended(second, job) for job in jobs] == ["COMPLETED"] * 3
    _, again = post(f"{second.url}/v1/generate", {"seeds": [7]}, Prefer="wait=60", Accept="image/png")
    assert again == answer
    assert second.stop() == 0


def film(seed: int) -> dict[str, object]:
    return {"from": {"seed": seed}, "to": {"seed": seed + 100}, "frames": 200, "size": 256, "format": "gif"}


def test_killed_workers_come_back_and_lose_no_job(start: Start) -> None:
    up = start("--workers", "2", environ={"GALSYNTH_VISIBILITY_TIMEOUT": "5"})
    up.await_ready()
    jobs = [json.loads(post(f"{up.url}/v1/interpolate", film(seed))[1])["id"] for seed in range(6)]
    for pid in commands(up, "worker"):
        os.kill(pid, signal.SIGKILL)
    assert [await_ended(up, job) for job in jobs] == ["COMPLETED"] * 6
    assert "has ended (SIGKILL); starting it again" in up.output()
    assert up.stop() == 0


def test_the_end_of_the_api_stops_everything_and_says_why(start: Start) -> None:
    up = start("--workers", "1")
    up.await_ready()
    children = up.descendants()
    (pid,) = commands(up, "app")
    os.kill(pid, signal.SIGKILL)
    assert up.process.wait(60) == 1
    assert_gone(children)
    assert "api has ended (SIGKILL) and the service cannot go on without it" in up.output()


def test_an_outside_server_is_used_and_left_alone(start: Start, empty_valkey: str, valkey_server: EmbeddedServer) -> None:
    up = start("--workers", "1", environ={"REDIS_URL": empty_valkey})
    up.await_ready()
    assert not commands(up, "valkey-server")
    assert post(f"{up.url}/v1/generate", {"seeds": [1]}, Prefer="wait=60")[0] == 200
    assert up.stop() == 0
    assert valkey_server.answers()


def test_the_command_that_is_printed_first_gives_a_picture(up: Up, tmp_path: Path) -> None:
    (command,) = re.findall(r"^ +(curl .*)$", up.await_welcome(), re.MULTILINE)
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True, timeout=60)
    assert (tmp_path / "galaxy.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_a_second_service_in_one_data_folder_is_refused(up: Up) -> None:
    again = [sys.executable, "-m", "galsynth", "up", "--port", str(free_port()), "--data", str(up.data)]
    done = subprocess.run(again, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "another galsynth runs" in done.stderr


def test_the_queue_server_asks_for_a_password(valkey_server: EmbeddedServer) -> None:
    import redis

    with redis.Redis(port=valkey_server.port) as client, pytest.raises(redis.AuthenticationError):
        client.ping()


def test_the_command_line_lists_what_the_service_has(service: str) -> None:
    listings = [
        subprocess.run(
            [sys.executable, "-m", "galsynth", "models", *arguments], capture_output=True, text=True, check=True
        ).stdout
        for arguments in (["list", "--json"], ["list", "--json", "--url", service])
    ]
    local, remote = map(json.loads, listings)
    assert local["default"] == remote["default"]
    assert [(m["name"], m["version"]) for m in local["models"]] == [(m["name"], m["version"]) for m in remote["models"]]


def commands(up: Up, name: str) -> list[int]:
    """Processes below ``up`` that run our program, or the binary, ``name``."""
    found = []
    for pid in up.descendants():
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if [b"-m", name.encode()] == arguments[2:4] or arguments[0].endswith(f"/{name}".encode()):
            found.append(pid)
    return found
