"""A real service for a benchmark: ``galsynth up`` on a free loopback port with a folder of its own."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from galsynth.server import free_port


@dataclass(frozen=True)
class Service:
    """A running service."""

    url: str
    process: psutil.Process
    start_seconds: float

    def worker_memory(self) -> list[int]:
        """Resident bytes of every worker process."""
        workers = [p for p in self.process.children(recursive=True) if p.cmdline()[-1:] == ["worker"]]
        return [p.memory_info().rss for p in workers]


@contextlib.contextmanager
def running_service(workers: int) -> Iterator[Service]:
    """Start, wait for readiness, and stop at the end."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        options = ["--port", str(port), "--workers", str(workers), "--data", f"{folder}/data"]
        command = [sys.executable, "-m", "galsynth", "up", *options]
        log = Path(folder) / "log"
        with log.open("wb") as stream:
            begun = time.perf_counter()
            child = subprocess.Popen(command, stdout=stream, stderr=stream)
            try:
                url = f"http://127.0.0.1:{port}"
                _await_ready(url, child, log)
                yield Service(url, psutil.Process(child.pid), time.perf_counter() - begun)
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
