"""The service on one machine: which programs `galsynth up` runs, with which settings, and how it tells that they work."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import importlib.metadata
import importlib.util
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from galaxies.errors import BadInput, Transient
from galaxies.settings import unknown_settings
from galsynth.children import Program
from galsynth.console import Console
from galsynth.server import EmbeddedServer
from galsynth.settings import LOOPBACK, Settings
from galsynth.supervisor import Plan

MOST_DEFAULT_WORKERS = 4


def python_module(name: str) -> list[str]:
    """The command of one of our programs; ``-P`` so that no file of that name in the working directory is taken for it."""
    return [sys.executable, "-P", "-m", name]


def default_workers() -> int:
    """One worker for each GPU that serves, else one for each core that we may use, at most four.

    Several processes with one ONNX Runtime thread each beat one process with several threads.
    """
    if gpus():
        return gpus()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, MOST_DEFAULT_WORKERS))


def gpus(devices: Path = Path("/dev")) -> int:
    """How many NVIDIA GPUs the installed ONNX Runtime can use."""
    try:
        importlib.metadata.version("onnxruntime-gpu")
    except importlib.metadata.PackageNotFoundError:
        return 0
    return sum(device.name.removeprefix("nvidia").isdecimal() for device in devices.glob("nvidia*"))


@contextlib.contextmanager
def own_data_folder(folder: Path) -> Iterator[None]:
    """Make ``folder`` with its model store where it is missing and keep others from starting a service in it.

    Raises
    ------
    BadInput : it cannot be made or written, or another service runs in it.
    """
    try:
        (folder / "models").mkdir(parents=True, exist_ok=True)
        stream = (folder / "lock").open("w")
    except OSError as error:
        raise BadInput(
            f"the data folder {folder} cannot be used: {error.strerror}; choose another: --data DIR", field="data"
        ) from None
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            other = 'choose another: --data DIR (make run ARGS="--data DIR")'
            message = f"another galsynth runs with the data folder {folder}; stop it, or {other}"
            raise BadInput(message, field="data") from None
        yield


def service_plan(
    settings: Settings, server: EmbeddedServer | None, *, port: int, workers: int, data: Path, console: Console
) -> Plan:
    """The programs of the service on ``port`` with everything that they keep under ``data``."""
    redis_url = server.url if server else settings.redis_url
    assert redis_url is not None
    host = LOOPBACK if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 - compares, binds nothing
    unknown = unknown_settings(settings.environ)
    for line in unknown.values():  # once, here, and not by each program again
        console.say(line)
    environ = {name: value for name, value in settings.environ.items() if name not in unknown} | {
        "REDIS_URL": redis_url,
        "GALSYNTH_REDIS_URL": redis_url,
        "PORT": str(port),
        "GALSYNTH_PORT": str(port),
        "GALSYNTH_RESULTS_DIR": str(settings.results_dir or data / "results"),
        "GALSYNTH_KEYS_FILE": settings.environ.get("GALSYNTH_KEYS_FILE") or str(data / "keys.json"),
        "GALSYNTH_MODELS_DIRS": settings.models_dirs or str(data / "models"),
        "PYTHONUNBUFFERED": "1",
    }
    return Plan(
        server=server.program() if server else None,
        server_answers=server.answers if server else lambda: True,
        api=Program("api", python_module("app"), environ),
        workers=tuple(
            Program(f"worker-{n}", python_module("worker"), environ | _metrics_port(environ, n) | _gpu(environ, n))
            for n in range(1, workers + 1)
        ),
        api_lacks=lambda: api_lacks(host, port),
        announce=lambda seconds: console.block(welcome(host, port, seconds)),
    )


def _gpu(environ: Mapping[str, str], number: int) -> dict[str, str]:
    """A GPU of its own for each worker, in turn, unless the environment names one for all."""
    count = gpus()
    return {"GALSYNTH_GPU": str((number - 1) % count)} if count > 1 and not environ.get("GALSYNTH_GPU") else {}


def _metrics_port(environ: Mapping[str, str], number: int) -> dict[str, str]:
    """A port of its own for the metrics of each worker, counted on from the one that is set."""
    first = environ.get("GALSYNTH_METRICS_PORT", "")
    return {"GALSYNTH_METRICS_PORT": str(int(first) + number - 1)} if first.isdecimal() else {}


def api_lacks(host: str, port: int) -> str | None:
    """What the API's ``/readyz`` says is missing; None when nothing is."""
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        return f"the API does not answer ({error})"
    finally:
        connection.close()
    if response.status == http.client.OK:
        return None
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        return f"/readyz answers {response.status}: {body[:200].decode(errors='replace')}"


def welcome(host: str, port: int, seconds: float) -> list[str]:
    """The lines that a person needs first."""
    base = f"http://{host}:{port}"
    headers = "-H 'Prefer: wait=30' -H 'Content-Type: application/json'"
    return [
        f"galsynth is ready after {seconds:.1f} s: {base}",
        "",
        f"API documentation: {base}/docs",
        "A first galaxy:",
        f"""  curl -o galaxy.png {headers} -d '{{"seeds": [42]}}' {base}/v1/generate""",
        "Ctrl-C stops everything; queued jobs and results are kept.",
    ]


def run_alone(program: str, environ: dict[str, str]) -> None:
    """Become one of our programs; does not return.

    Raises
    ------
    BadInput : what the API needs is not installed; a worker says so itself.
    Transient : Python itself cannot be started.
    """
    if program == "app" and importlib.util.find_spec("uvicorn") is None:
        raise BadInput("uvicorn is not installed: pip install 'galsynth[api]'")
    command = python_module(program)
    try:
        os.execve(command[0], command, environ)
    except OSError as error:
        raise Transient(f"{command[0]} cannot be started: {error.strerror}") from None
