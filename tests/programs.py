"""Real programs for tests: ``galsynth up`` as a person starts it, and what happens where one is missing."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from galaxies.errors import BadInput
from galsynth.server import find_binary, free_port
from galsynth.settings import Settings

START_SECONDS = 240
STOP_SECONDS = 60


def missing(what: str) -> NoReturn:
    """Skip the test; in CI (``CI`` is set) fail it, so that CI cannot be green by not testing."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing, and CI tests everything")
    pytest.skip(f"{what} is missing")


@dataclass
class Up:
    """One running ``galsynth up``."""

    process: subprocess.Popen[bytes]
    port: int
    data: Path
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def await_ready(self, seconds: float = START_SECONDS) -> float:
        """Wait for /readyz; returns seconds waited."""
        begun = time.monotonic()
        while time.monotonic() - begun < seconds:
            assert self.process.poll() is None, f"galsynth up has ended:\n{self.output()}"
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=5):
                    return time.monotonic() - begun
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise AssertionError(f"not ready after {seconds} s:\n{self.output()}")

    def await_welcome(self) -> str:
        """All output, once what ``galsynth up`` says of a ready service is in it: just after /readyz answers."""
        deadline = time.monotonic() + STOP_SECONDS
        while "Ctrl-C stops" not in (said := self.output()):
            assert time.monotonic() < deadline, f"nobody is welcomed:\n{said}"
            time.sleep(0.05)
        return said

    def descendants(self) -> set[int]:
        """Process ids below ``galsynth up``."""
        parents = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
        found: set[int] = set()
        level = {self.process.pid}
        while level := {pid for pid, parent in parents.items() if parent in level}:
            found |= level
        return found

    def stop(self) -> int:
        """SIGTERM; returns the exit status. Fails where a process is left."""
        children = self.descendants()
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(STOP_SECONDS)
        assert_gone(children)
        return status


def start_up(folder: Path, *options: str, environ: dict[str, str] | None = None) -> Up:
    """Start ``galsynth up`` with its data and log in ``folder``."""
    try:
        find_binary(Settings.read())
    except BadInput as error:
        missing(error.message)
    port, log = free_port(), folder / "up.log"
    command = [sys.executable, "-m", "galsynth", "up", "--port", str(port), "--data", str(folder / "data"), *options]
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream, env=os.environ | (environ or {}))
    return Up(process, port, folder / "data", log)


@contextlib.contextmanager
def serving(folder: Path, *options: str, environ: dict[str, str] | None = None) -> Iterator[Up]:
    """``galsynth up``, ready; it must stop cleanly and leave no process behind."""
    up = start_up(folder, *options, environ=environ)
    try:
        up.await_ready()
        yield up
        status = up.stop()
        assert status == 0, f"galsynth up ended with {status}:\n{up.output()[-4000:]}"
    finally:
        up.process.kill()
        up.process.wait()


def assert_gone(pids: set[int], seconds: float = 5) -> None:
    """Fail where one of these processes still lives."""
    deadline = time.monotonic() + seconds
    while left := {pid for pid in pids if _lives(pid)}:
        assert time.monotonic() < deadline, f"left behind: {[_command(pid) for pid in left]}"
        time.sleep(0.05)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return str(pid)


@contextlib.contextmanager
def silent(redis_url: str) -> Iterator[None]:
    """The Redis server at ``redis_url`` neither answers nor refuses."""
    import redis

    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        process_id = int(client.info("server")["process_id"])  # type: ignore[index,unused-ignore]
    os.kill(process_id, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process_id, signal.SIGCONT)
