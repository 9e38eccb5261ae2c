"""A real service for a benchmark: ``galsynth up`` on a free loopback port with a folder of its own."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil

from benchmarks.load import Target, post
from galsynth.server import free_port

WAIT = {"prefer": "wait=60", "accept": "image/png"}
ROLES = {"app": "api", "worker": "worker"}


@dataclass(frozen=True)
class Service:
    """A running service."""

    url: str
    process: psutil.Process
    start_seconds: float
    log: Path

    @property
    def target(self) -> Target:
        """One PNG of one new galaxy a request, answered with the result itself."""
        address = urlsplit(self.url)
        assert address.hostname is not None
        assert address.port is not None
        return Target(address.hostname, address.port, lambda seed: post("/v1/generate", f'{{"seeds":[{seed}]}}', WAIT))

    def worker_memory(self) -> list[int]:
        """Resident bytes of every worker process."""
        return [p.memory_info().rss for role, p in self.processes() if role == "worker"]

    def processes(self) -> list[tuple[str, psutil.Process]]:
        """Every process and what it is: ``api``, ``worker``, ``queue`` (the server) or ``up`` (the supervisor)."""
        children = self.process.children(recursive=True)
        return [("up", self.process), *((ROLES.get(p.cmdline()[-1], "queue"), p) for p in children)]

    def cpu_seconds(self) -> dict[str, float]:
        """Processor time so far by role. On a machine that others use too it says more than the clock does."""
        spent: dict[str, float] = {}
        for role, process in self.processes():
            times = process.cpu_times()
            spent[role] = spent.get(role, 0.0) + times.user + times.system
        return spent


@contextlib.contextmanager
def running_service(workers: int, **environ: str) -> Iterator[Service]:
    """Start with ``environ`` as further settings, wait for readiness, and stop at the end.

    Its folder goes when this process ends: for minutes after thousands of files were removed, ext4 without a journal makes new
    ones slowly, and the next service would pay for the one before.
    """
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="galsynth-benchmark-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    options = ["--port", str(port), "--workers", str(workers), "--data", str(folder / "data")]
    command = [sys.executable, "-m", "galsynth", "up", *options]
    log = folder / "log"
    with log.open("wb") as stream:
        begun = time.perf_counter()
        child = subprocess.Popen(command, env=dict(os.environ) | environ, stdout=stream, stderr=stream)
        try:
            url = f"http://127.0.0.1:{port}"
            _await_ready(url, child, log)
            yield Service(url, psutil.Process(child.pid), time.perf_counter() - begun, log)
        finally:
            child.terminate()
            child.wait(60)


def _await_ready(url: str, child: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(1200):
        if child.poll() is not None:
            raise SystemExit(f"the service ended while starting:\n{log.read_text()}")
        try:
            if httpx.get(f"{url}/readyz").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise SystemExit(f"the service was not ready after 60 s:\n{log.read_text()}")
