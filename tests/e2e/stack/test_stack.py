"""The containers as they are deployed: built, served from, killed one after the other, restarted; no accepted job is lost.

Needs a Docker engine with compose; `python -m pytest tests/e2e/stack -s` prints sizes and times. The profile `observability` is
not started: the images of Prometheus and Grafana must be had for that, where the others are built from two common ones. Its files
are checked without an engine, its rules are played (`tests/unit/docker`), and what it scrapes is asked for here.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.stack.compose import ROOT, TAG, Stack, await_end, engine

WRONG = engine()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(bool(WRONG), reason=f"no Docker engine answers, so the containers are not tested: {WRONG}"),
]
WORKERS, APIS = 3, 2
TTL = 7200
BODIES: dict[str, dict[str, Any]] = {
    "generate": {"seeds": [42, 43, 44], "format": "zip"},
    "interpolate": {"from": {"seed": 1}, "to": {"seed": 2}, "frames": 40, "format": "gif"},
    "mix": {"rows": [{"seed": 1}, {"seed": 2}], "columns": [{"seed": 3}], "layers": "coarse", "format": "png"},
    "arithmetic": {"terms": [{"latent": {"seed": 1}}, {"latent": {"seed": 2}, "weight": -1}], "format": "png"},
}
MOUNT = ("--volume", f"{ROOT / 'tests' / 'data'}:/images:ro")
STEPS = [
    ["prepare", "/images/galaxies.zip", "--csv", "/images/galaxies.csv", "--class-column", "gz1_class", "--resolution", "16",
     "--out", "/data/runs/set"],
    ["train", "/data/runs/run", "--data", "/data/runs/set", "--set", "kimg=0.032", "--set", "batch=8", "--set",
     "network.channel_base=64", "--set", "network.z_dim=8", "--set", "network.w_dim=8"],
    ["export", "/data/runs/run", "--out", "/data/runs/model", "--name", "small", "--title", "Small galaxies"],
    ["publish", "/data/runs/model", "--store", "/data/models", "--unevaluated"],
]  # fmt: skip
"""From images to a published model, as small as can be."""
OFFICIAL_BASE_MB = 131
"""Size of python:3.11-slim-bookworm as Docker Hub has it; bases of one's own may be larger, and do not count against ours."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Images built, three workers and two APIs up; removed with their volumes at the end."""
    settings = {"GALSYNTH_JOB_TTL_SECONDS": str(TTL), "GALSYNTH_WEBHOOK_SECRET_FILE": "/run/secrets/webhook_secret"}
    stack = Stack(tmp_path_factory.mktemp("secrets"), settings)
    try:
        begun = time.monotonic()
        stack.compose("build", seconds=1500)
        print(f"\nimages built in {time.monotonic() - begun:.0f} s")
        print(f"{WORKERS} workers and {APIS} APIs healthy after {stack.up(WORKERS, APIS):.0f} s")
        yield stack
    finally:
        stack.down("--volumes")


def submit(urls: list[str], count: int, first: int) -> list[str]:
    """Ids of ``count`` accepted jobs, of each operation in turn, sent to the APIs in turn; all different."""
    found = []
    for i in range(count):
        operation = list(BODIES)[i % len(BODIES)]
        body = dict(BODIES[operation])
        if operation == "generate":
            body["seeds"] = [first + i]
        elif operation == "interpolate":
            body |= {"from": {"seed": first + i}, "frames": 60}
        elif operation == "mix":
            body["columns"] = [{"seed": first + i}]
        else:
            body["terms"] = [{"latent": {"seed": first + i}}]
        answer = httpx.post(f"{urls[i % len(urls)]}/v1/{operation}", json=body, timeout=30)
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        found.append(answer.json()["id"])
    return found


def results(url: str, jobs: list[str]) -> dict[str, str]:
    """Digest of the result of each job; every one has completed, and its bytes are what the service says."""
    found = {}
    with ThreadPoolExecutor(8) as pool:
        for job in pool.map(lambda job: await_end(url, job), jobs):
            assert job["phase"] == "COMPLETED", job
            answer = httpx.get(f"{url}{job['result']['href']}", timeout=60).raise_for_status()
            digest = f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
            assert (digest, len(answer.content)) == (job["result"]["digest"], job["result"]["bytes"])
            found[job["id"]] = digest
    return found


def test_images_are_small_and_hold_neither_torch_nor_secrets(stack: Stack) -> None:
    base = int(stack.run("image", "inspect", "-f", "{{.Size}}", "python:3.11-slim-bookworm")) / 1e6
    for name, most, absent in (("api", 250, "onnxruntime torch astropy"), ("worker", 500, "torch")):
        image = f"galsynth-{name}:{TAG}"
        total = int(stack.run("image", "inspect", "-f", "{{.Size}}", image)) / 1e6
        print(f"{image}: {total:.0f} MB, of which the base {base:.0f} MB")
        assert total - base < most - OFFICIAL_BASE_MB, f"{image} adds {total - base:.0f} MB to its base"
        once = ("run", "--rm", "--network", "none", "--entrypoint")
        listed = stack.run(*once, "ls", image, "/opt/venv/lib/python3.11/site-packages")
        assert not set(absent.split()) & set(listed.split())
        text = stack.run("image", "inspect", image) + stack.run("history", "--no-trunc", image)
        assert stack.password not in text
        graphs = stack.run(*once, "find", image, "/opt/venv", "-name", "*.onnx")
        assert bool(graphs) == (name == "worker"), "weights belong to workers"
        script = "find / -xdev -name .env -o -name .git -o -name redis_password -o -name keys.json"
        assert stack.run(*once, "sh", image, "-c", f"{script} 2>/dev/null", check=False) == ""


def test_containers_run_as_nobody_on_a_read_only_root(stack: Stack) -> None:
    for service in ("api", "worker"):
        for container in stack.containers(service):
            assert stack.run("exec", container, "id", "-u").strip() == "10001"
            status = stack.run("exec", container, "cat", "/proc/1/status")
            assert "CapEff:\t0000000000000000" in status
            assert "NoNewPrivs:\t1" in status
            assert (
                stack.run("exec", container, "sh", "-c", "touch /opt/x /data/x 2>/dev/null || echo refused").strip() == "refused"
            )
            assert stack.password not in str(stack.inspect(container))
    (redis,) = stack.containers("redis")
    assert stack.run("port", redis).strip() == ""
    assert "NOAUTH" in stack.run("exec", redis, "redis-cli", "ping")
    assert stack.password not in stack.run("top", redis)
    assert stack.password not in stack.compose("logs")


def test_the_four_operations_by_each_api(stack: Stack) -> None:
    for url in stack.urls():
        for operation, body in BODIES.items():
            answer = httpx.post(f"{url}/v1/{operation}", json=body, headers={"prefer": "wait=60"}, timeout=90)
            assert answer.status_code == httpx.codes.OK, answer.text
            assert len(answer.content) > 500


def test_settings_of_the_environment_file_reach_the_containers(stack: Stack) -> None:
    headers = {"x-callback-url": "https://example.org/"}
    job = httpx.post(f"{stack.urls()[0]}/v1/generate", json={"seeds": [7]}, headers=headers, timeout=30).raise_for_status().json()
    kept = datetime.fromisoformat(job["expires"]) - datetime.fromisoformat(job["created"])
    assert kept.total_seconds() == TTL
    for container in stack.containers("worker"):
        assert stack.run("exec", container, "printenv", "GALSYNTH_JOB_TTL_SECONDS").strip() == str(TTL)
    assert stack.compose("run", "--rm", "keys", "webhook-secret").startswith("whsec_")


def test_every_replica_is_scraped(stack: Stack) -> None:
    """Docker's DNS lists every replica under its service's name, which is what Prometheus' configuration asks for."""
    script = (
        "import socket, urllib.request as u\n"
        "for name, port in (('api', 8000), ('worker', 9100)):\n"
        "    for a in {i[4][0] for i in socket.getaddrinfo(name, port, socket.AF_INET)}:\n"
        "        r = u.Request(f'http://{a}:{port}/metrics', headers={'Authorization': 'Bearer '})\n"
        "        print(name, u.urlopen(r, timeout=5).read().count(b'# HELP galsynth_') > 5)\n"
    )
    lines = stack.run("exec", stack.containers("api")[0], "python", "-c", script).split("\n")
    assert sorted(filter(None, lines)) == ["api True"] * APIS + ["worker True"] * WORKERS


@pytest.mark.parametrize("service", ["worker", "api", "redis"])
def test_killed_containers_lose_no_job(stack: Stack, service: str) -> None:
    first = {"worker": 1000, "api": 2000, "redis": 3000}[service]
    for round_, container in enumerate(stack.containers(service)):
        jobs = submit(stack.urls(), 12, first + 100 * round_)
        if service == "redis":
            time.sleep(1.5)  # appendfsync everysec: the file has what was accepted a second ago
        stack.run("kill", container)
        print(f"{service} killed, all healthy again after {stack.up(WORKERS, APIS):.0f} s")
        begun = time.monotonic()
        results(stack.urls()[0], jobs)
        print(f"its 12 jobs had all completed {time.monotonic() - begun:.0f} s later")


def test_a_worker_that_ends_is_started_again_by_the_engine(stack: Stack) -> None:
    container = stack.containers("worker")[0]
    before = stack.inspect(container)["RestartCount"]
    stack.run("exec", container, "python", "-c", "import os; os.kill(1, 15)")
    deadline = time.monotonic() + 60
    while (stack.inspect(container)["RestartCount"], stack.health(container)) != (before + 1, "healthy"):
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_the_health_check_sees_a_worker_that_does_not_move(stack: Stack) -> None:
    container = stack.containers("worker")[0]
    stack.run("kill", "--signal", "STOP", container)
    stack.await_health(container, "unhealthy", 90)
    stack.run("kill", "--signal", "CONT", container)
    stack.await_health(container, "healthy", 60)


def test_a_stack_that_is_taken_down_and_up_again_finishes_its_jobs_and_keeps_its_results(stack: Stack) -> None:
    kept = results(stack.urls()[0], submit(stack.urls(), 8, 5000))
    jobs = submit(stack.urls(), 24, 6000)
    begun = time.monotonic()
    stack.down()
    print(f"down after {time.monotonic() - begun:.0f} s, up after {stack.up(WORKERS, APIS):.0f} s")
    url = stack.urls()[-1]
    assert results(url, list(kept)) == kept
    results(url, jobs)


def test_the_train_profile_makes_a_model_while_the_service_serves_and_it_is_served(stack: Stack) -> None:
    begun = time.monotonic()
    stack.compose("--profile", "train", "build", "training", seconds=1500)
    print(f"training image built in {time.monotonic() - begun:.0f} s")
    url, served = stack.urls()[0], 0
    with ThreadPoolExecutor(1) as pool:
        made = pool.submit(lambda: [stack.compose("run", "--rm", *MOUNT, "training", *step, seconds=600) for step in STEPS])
        while not made.done():
            body = {"seeds": [9000 + served]}
            answer = httpx.post(f"{url}/v1/generate", json=body, headers={"prefer": "wait=60"}, timeout=90)
            assert answer.status_code == httpx.codes.OK, answer.text
            served += 1
        assert "published small@1" in made.result()[-1]
    print(f"{served} requests answered while it trained")
    assert served > 10
    small = {"model": "small", "seeds": [1]}
    deadline = time.monotonic() + 30
    while (answer := httpx.post(f"{url}/v1/generate", json=small, headers={"prefer": "wait=60"}, timeout=90)).status_code != 200:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.5)
    assert answer.headers["content-type"] == "image/png"


def test_an_upgrade_by_the_documented_steps_refuses_no_request(stack: Stack) -> None:
    stack.up(2, 1)
    for name in ("api", "worker"):
        stack.run("tag", f"galsynth-{name}:{TAG}", f"galsynth-{name}:{TAG}-next")
    urls, done = stack.urls(), threading.Event()
    statuses: list[int] = []
    ready: set[int] = set()

    def ask_as_a_proxy_does() -> None:
        while not done.is_set():
            seed = 20_000 + len(statuses)
            for url in list(urls):
                try:
                    ready.add(httpx.get(f"{url}/readyz", timeout=90).status_code)
                    answer = httpx.post(f"{url}/v1/generate", json={"seeds": [seed]}, headers={"prefer": "wait=60"}, timeout=90)
                except httpx.ConnectError:
                    continue
                statuses.append(answer.status_code)
                break
            else:
                statuses.append(0)

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask_as_a_proxy_does)
        try:
            stack.environ["TAG"] = f"{TAG}-next"
            for service, both in (("worker", 4), ("api", 2)):
                old = stack.containers(service)
                stack.compose("up", "--detach", "--wait", "--no-recreate", "--scale", f"{service}={both}", service)
                if service == "api":
                    urls[:] = [url for url in stack.urls() if url not in urls]
                stack.run("stop", *old)
                stack.run("rm", *old)
        finally:
            done.set()
        asking.result()
    print(f"{len(statuses)} requests answered during an upgrade")
    assert set(statuses) <= {httpx.codes.OK, httpx.codes.ACCEPTED}  # an API that stops lets requests that wait go on
    assert statuses.count(httpx.codes.OK) > 1
    assert ready == {httpx.codes.OK}
    upgraded = {service: stack.containers(service) for service in ("api", "worker")}
    for service, count in (("api", 1), ("worker", 2)):
        images = [stack.inspect(container)["Config"]["Image"] for container in upgraded[service]]
        assert images == [f"galsynth-{service}:{TAG}-next"] * count
    stack.up(2, 1)
    assert {service: stack.containers(service) for service in upgraded} == upgraded, "what runs by .env is left alone"


def test_keys_are_made_in_a_container_and_asked_for(stack: Stack, tmp_path: Path) -> None:
    stack.environ["GALSYNTH_REQUIRE_KEYS"] = "true"
    key = stack.compose("run", "--rm", "keys", "create", "alice").split()[-1]
    stack.up(1, 1)
    (url,) = stack.urls()
    assert httpx.get(f"{url}/v1/jobs").status_code == httpx.codes.UNAUTHORIZED
    assert httpx.get(f"{url}/v1/jobs", headers={"authorization": f"Bearer {key}"}).status_code == httpx.codes.OK
