"""A whole deployment of docker-compose.yml for tests: a project, ports, secrets and volumes of its own, removed at the end."""

from __future__ import annotations

import json
import os
import random
import secrets
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[3]
TAG = "e2e"
REDIS = "redis:7-bookworm"
ENDED = ("COMPLETED", "ERROR", "ABORTED")


def engine() -> str:
    """What is wrong with Docker here; nothing where an engine answers and compose is installed."""
    if shutil.which("docker") is None:
        return "the program docker is not here"
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode:
            return f"`{' '.join(command)}` says: {done.stderr.strip()[-200:]}"
    return ""


def free_range(count: int) -> int:
    """First of ``count`` free ports in a row, below those that the kernel gives to clients."""
    for first in random.sample(range(18_000, 30_000), 1000):
        try:
            for port in range(first, first + count):
                with socket.socket() as trial:
                    trial.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise RuntimeError("no free ports between 18000 and 30000")


class Stack:
    """`docker compose` for one project, with ``settings`` in its environment file; APIs are found by their published ports."""

    def __init__(self, folder: Path, settings: dict[str, str] | None = None) -> None:
        self.project = f"galsynth-e2e-{secrets.token_hex(4)}"
        self.password = secrets.token_urlsafe(24)
        webhook = secrets.token_urlsafe(24)
        for name, content in (
            ("redis_password", self.password),
            ("grafana_password", "unused"),
            ("metrics_key", ""),
            ("webhook_secret", webhook),
        ):
            (folder / name).write_text(content)
            (folder / name).chmod(0o444)
        (folder / "env").write_text("".join(f"{name}={value}\n" for name, value in (settings or {}).items()))
        first = free_range(4)
        self.environ = os.environ | {
            "COMPOSE_PROJECT_NAME": self.project,
            "COMPOSE_PROFILES": "cpu",
            "SECRETS_DIR": str(folder),
            "ENV_FILE": str(folder / "env"),
            "TAG": TAG,
            "PORT": f"{first}-{first + 3}",
        }
        # Where the official image cannot be had, one built from a distribution's package stands in, with another number.
        numbers = (self.run("run", "--rm", "--entrypoint", "id", REDIS, option, "redis").strip() for option in ("-u", "-g"))
        self.environ["REDIS_USER"] = ":".join(numbers)

    def run(self, *arguments: str, seconds: float = 300, check: bool = True) -> str:
        """``docker ARGUMENTS``; returns what it printed."""
        done = subprocess.run(
            ["docker", *arguments], cwd=ROOT, env=self.environ, capture_output=True, text=True, check=False, timeout=seconds
        )
        assert done.returncode == 0 or not check, f"docker {' '.join(arguments)}:\n{(done.stdout + done.stderr)[-4000:]}"
        return done.stdout

    def compose(self, *arguments: str, seconds: float = 300, check: bool = True) -> str:
        """``docker compose --env-file /dev/null ARGUMENTS``."""
        return self.run("compose", "--env-file", "/dev/null", *arguments, seconds=seconds, check=check)

    def up(self, workers: int, apis: int) -> float:
        """Start what does not run and wait until all of it is healthy; returns seconds taken."""
        begun = time.monotonic()
        self.compose("up", "--detach", "--wait", "--scale", f"worker={workers}", "--scale", f"api={apis}")
        return time.monotonic() - begun

    def containers(self, service: str) -> list[str]:
        """Ids of the containers of ``service``."""
        return self.compose("ps", "--all", "--quiet", service).split()

    def inspect(self, container: str) -> dict[str, Any]:
        """What the engine knows about ``container``."""
        (found,) = json.loads(self.run("inspect", container))
        return dict(found)

    def health(self, container: str) -> str:
        """``healthy``, ``unhealthy`` or ``starting``."""
        return str(self.inspect(container)["State"]["Health"]["Status"])

    def await_health(self, container: str, wanted: str, seconds: float) -> None:
        """Wait until ``container`` is ``wanted``; fail after ``seconds``."""
        deadline = time.monotonic() + seconds
        while (found := self.health(container)) != wanted:
            assert time.monotonic() < deadline, f"{container} is {found} and not {wanted} after {seconds} s"
            time.sleep(0.5)

    def urls(self) -> list[str]:
        """Base addresses of the API's replicas."""
        ports = [self.run("port", container, "8000").split()[0] for container in self.containers("api")]
        return [f"http://{port}" for port in ports]

    def down(self, *options: str) -> None:
        """Stop everything; ``--volumes`` for good."""
        self.compose("--profile", "*", "down", "--remove-orphans", *options)


def await_end(url: str, job: str, seconds: float = 180) -> dict[str, Any]:
    """The job ``job`` when it has ended, whatever happens to the API meanwhile; fails where it does not or is not known."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            answer = httpx.get(f"{url}/v1/jobs/{job}", params={"wait": 5}, timeout=15)
        except httpx.TransportError:
            answer = None
        if answer is not None and answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            found: dict[str, Any] = answer.raise_for_status().json()
            if found["phase"] in ENDED:
                return found
        assert time.monotonic() < deadline, f"job {job} has not ended after {seconds} s: {answer and answer.text}"
        time.sleep(0.2)
