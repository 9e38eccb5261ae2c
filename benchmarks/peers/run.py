"""Starts the peers, in an environment of their own: what they need must not disturb what the service needs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx

from benchmarks.load import OK, Target, post
from galsynth.server import free_port

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 120
PNG = b"\x89PNG\r\n\x1a\n"


def environment(folder: Path) -> Path:
    """The bin folder of the virtual environment ``folder`` with this project and the peers; made where missing."""
    programs = folder / "bin"
    if not (programs / "bentoml").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [str(programs / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
        runtime = "gpu" if os.environ.get("GALSYNTH_DEVICE") == "cuda" else "worker"
        subprocess.run([*pip, f"{ROOT}[bench,{runtime}]"], check=True)
    return programs


def _lit(programs: Path, port: int, store: Path) -> tuple[list[str], str]:
    return [str(programs / "python"), "-m", "benchmarks.peers.lit", str(port), str(store)], "/predict"


def _bento(programs: Path, port: int, store: Path) -> tuple[list[str], str]:
    service = ["serve", "benchmarks.peers.bento:Galaxies", "--host", "127.0.0.1", "--port", str(port)]
    return [str(programs / "bentoml"), *service], "/generate"


PEERS: dict[str, Callable[[Path, int, Path], tuple[list[str], str]]] = {"litserve": _lit, "bentoml": _bento}


@contextlib.contextmanager
def running_peer(name: str, folder: Path, store: Path) -> Iterator[Target]:
    """The peer called ``name`` serving the default model of ``store``; stopped at the end with all its processes."""
    port = free_port()
    command, path = PEERS[name](environment(folder), port, store)
    with tempfile.TemporaryDirectory() as home:
        log = Path(home) / "log"
        environ = dict(os.environ) | {"PEER_STORE": str(store), "BENTOML_HOME": home, "BENTOML_DO_NOT_TRACK": "True"}
        with log.open("wb") as stream:
            # A group for signals, but no session of its own: Linux shares the processor between sessions, not processes.
            child = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=stream, stderr=stream, process_group=0)
        try:
            target = Target("127.0.0.1", port, lambda seed: post(path, f'{{"seeds":[{seed}]}}', {}))
            _await(f"http://127.0.0.1:{port}{path}", child, log)
            yield target
        finally:
            _stop(child)


def _await(url: str, child: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and child.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.post(url, json={"seeds": [0]}, timeout=30)
            if answer.status_code == OK:
                if not answer.content.startswith(PNG):
                    raise SystemExit(f"a peer answers with {answer.headers.get('content-type')} and not with a PNG")
                return
        time.sleep(0.2)
    raise SystemExit(f"a peer did not start:\n{log.read_text()}")


def _stop(child: subprocess.Popen[bytes]) -> None:
    """End its process group: these servers start many."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(child.pid, number)
            child.wait(10)
