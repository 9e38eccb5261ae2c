"""The service as separate processes that a test may kill one by one: queue server, APIs, workers, on models of a test."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import redis

from galsynth.server import EmbeddedServer, embedded_server, free_port
from galsynth.settings import Settings
from jobstore.records import JobRecords
from jobstore.results import ResultStore
from tests.worker_fakes import wait_until

ENDED = ("COMPLETED", "ERROR", "ABORTED")
WORKER = (sys.executable, "-m", "worker")
Process = subprocess.Popen[bytes]


@dataclass(frozen=True)
class Death:
    """A SIGKILL: of a ``worker``, an ``api`` or the ``queue``."""

    victim: str
    pid: int
    moment: float


@dataclass
class Cluster:
    """Processes under one folder. Each is started again by the test that killed it."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    queue: Process | None = None
    apis: dict[int, Process] = field(default_factory=dict)
    workers: list[Process] = field(default_factory=list)
    deaths: list[Death] = field(default_factory=list)
    _logs: dict[int, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.server: EmbeddedServer = embedded_server(Settings.read(), self.folder / "queue")
        self.redis: Any = redis.Redis.from_url(self.server.url, decode_responses=True)
        self.records = JobRecords(self.redis)
        self.results = ResultStore(self.folder / "results")

    def __enter__(self) -> Cluster:
        """With its queue server."""
        self.start_queue()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def environ(self, **more: str) -> dict[str, str]:
        own = {
            "GALSYNTH_REDIS_URL": self.server.url,
            "GALSYNTH_RESULTS_DIR": str(self.folder / "results"),
            "GALSYNTH_MODELS_DIRS": str(self.folder / "models"),
            "GALSYNTH_DEFAULT_MODEL": "tiny-style",
            "GALSYNTH_VISIBILITY_TIMEOUT": "4",
            "GALSYNTH_HOUSEKEEPING_SECONDS": "2",
            "GALSYNTH_LOG_JSON": "true",
        }
        return os.environ | own | self.settings | more

    def start_queue(self) -> None:
        """The queue server, on the files that it left. A file beyond `RLIMIT_FSIZE` is an error to it, not its end."""
        program = self.server.program()
        with (self.folder / "queue.log").open("ab") as log:
            self.queue = subprocess.Popen(program.command, stdin=subprocess.PIPE, stdout=log, stderr=log, restore_signals=False)
        assert self.queue.stdin is not None
        assert program.feed is not None
        self.queue.stdin.write(program.feed.encode())
        self.queue.stdin.close()
        wait_until(self.server.answers, 20)

    def start_api(self, port: int | None = None, **more: str) -> int:
        """An API; returns its port."""
        port = port or free_port()
        with (self.folder / "api.log").open("ab") as log:
            command = [sys.executable, "-m", "app"]
            self.apis[port] = subprocess.Popen(command, env=self.environ(GALSYNTH_PORT=str(port), **more), stdout=log, stderr=log)
        wait_until(lambda: self.get(port, "/healthz") == 200, 90)
        return port

    def start_worker(self, command: Sequence[str] = WORKER, **more: str) -> Process:
        """A worker; it is ready when `ready` says so."""
        path = self.folder / f"worker-{len(self._logs)}.log"
        with path.open("ab") as log:
            process = subprocess.Popen(command, env=self.environ(**more), stdout=log, stderr=log)
        self.workers.append(process)
        self._logs[process.pid] = path
        return process

    def ready(self, port: int, seconds: float = 60) -> None:
        """Wait until the service is ready."""
        wait_until(lambda: self.get(port, "/readyz") == 200, seconds)

    def get(self, port: int, path: str) -> int:
        """The status of an answer; 0 where there is none."""
        try:
            return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=10).status_code
        except httpx.TransportError:
            return 0

    def post(self, port: int, operation: str, body: dict[str, Any], key: str) -> dict[str, Any]:
        """A job that has its 202 or 200: sent again under its idempotency key until it has, as a careful client does."""
        headers = {"idempotency-key": key, "accept": "application/json"}
        deadline = time.monotonic() + 60
        while True:
            try:
                answer = httpx.post(f"http://127.0.0.1:{port}/v1/{operation}", json=body, headers=headers, timeout=10)
                if answer.status_code in (200, 202):
                    document: dict[str, Any] = answer.json()
                    return document
                assert answer.status_code == 503, answer.text
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline, "nobody accepts the job"
            time.sleep(0.1)

    def phase(self, port: int, job: dict[str, Any]) -> str:
        """The job's phase; empty where nobody answers."""
        try:
            answer = httpx.get(f"http://127.0.0.1:{port}/v1/jobs/{job['id']}", timeout=10)
        except httpx.TransportError:
            return ""
        return str(answer.json()["phase"]) if answer.status_code == 200 else str(answer.status_code)

    def end(self, port: int, jobs: Sequence[dict[str, Any]], seconds: float = 120) -> list[str]:
        """The phases that jobs end in."""
        wait_until(lambda: all(self.phase(port, job) in ENDED for job in jobs), seconds)
        return [self.phase(port, job) for job in jobs]

    def worker_lines(self) -> list[dict[str, Any]]:
        """What the workers have logged so far, each line with the worker's ``pid``; one worker's after the other's."""
        return [
            json.loads(line) | {"pid": pid}
            for pid, path in self._logs.items()
            for line in path.read_text(errors="replace").splitlines(keepends=True)
            if line.startswith("{") and line.endswith("}\n")
        ]

    def _kill(self, victim: str, process: Process) -> None:
        self.deaths.append(Death(victim, process.pid, time.time()))
        process.kill()
        process.wait()

    def kill_worker(self, number: int = 0) -> None:
        """SIGKILL."""
        self._kill("worker", self.workers.pop(number))

    def kill_api(self, port: int) -> None:
        """SIGKILL."""
        self._kill("api", self.apis.pop(port))

    def kill_queue(self) -> None:
        """SIGKILL."""
        assert self.queue is not None
        self._kill("queue", self.queue)

    def stop(self, process: Process, how: int = signal.SIGTERM) -> int:
        """Send a signal; returns the exit status."""
        process.send_signal(how)
        if process in self.workers:
            self.workers.remove(process)
        return process.wait(70)

    def close(self) -> None:
        """Kill whatever is left."""
        for process in [*self.apis.values(), *self.workers, *([self.queue] if self.queue else [])]:
            process.kill()
            process.wait()
        self.redis.close()
