"""Memory of the queue server for a job: while it waits, and when it has ended and its record is kept."""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from app.services import Services
from app.settings import Settings
from app.submission import Envelope, order, submit_many
from benchmarks.options import Options
from galaxies.jobs import Job, Result
from galsynth.children import Child
from galsynth.server import embedded_server
from galsynth.settings import Settings as CommandSettings
from jobstore.records import QUEUES

JOBS, MANY = 5000, 1000


def records(_: Options) -> dict[str, Any]:
    """Bytes a job, each with an idempotency key as our client sends it: of one image, alone in its message and eight to a
    message, and of `MANY` images.
    """
    return {
        "jobs": JOBS,
        "bytes_a_job": {
            "one image": _bytes(JOBS, 1),
            "one image, 8 jobs a message": _bytes(JOBS, 8),
            f"{MANY} images": _bytes(JOBS // 10, 1, MANY),
        },
    }


def _bytes(jobs: int, together: int, images: int = 1) -> dict[str, int]:
    with _services() as services:
        client, found = services.records.client, list[Job]()
        empty = _used(client)
        for start in range(0, jobs, together):
            makers = [partial(_order, services, images * number, images) for number in range(start, start + together)]
            for answer in submit_many(services, makers):
                if isinstance(answer, Exception):
                    raise answer
                found.append(answer.job)
        waiting = _used(client)
        for job in found:
            services.records.begin(job.id)
            services.records.complete(job.id, _result(job), job.total)
        for name in QUEUES.values():
            client.ltrim(name, 1, 0)  # freed at once, where DEL may leave it for later
        ended = _used(client)
    return {"waiting": round((waiting - empty) / jobs), "ended": round((ended - empty) / jobs)}


@contextlib.contextmanager
def _services() -> Iterator[Services]:
    """What an API works with, on a server of its own."""
    with tempfile.TemporaryDirectory() as folder:
        server = embedded_server(CommandSettings.read(), Path(folder) / "queue")
        child = Child(server.program(), lambda _: None, lambda _: None)
        try:
            while not server.answers():
                if child.exit_status is not None:
                    raise SystemExit("\n".join(child.last_lines))
                time.sleep(0.02)
            services = Services.open(Settings(redis_url=server.url, results_dir=Path(folder) / "results"))
            yield services
            services.close()
        finally:
            child.kill()


def _order(services: Services, seed: int, images: int) -> Any:
    body = json.dumps({"seeds": list(range(seed, seed + images))}).encode()
    return order(services, "generate", body, Envelope(key=uuid.uuid4().hex, request_id=uuid.uuid4().hex))


def _result(job: Job) -> Result:
    return Result(
        key=job.result_key,
        format="png",
        media_type="image/png",
        bytes=8000,
        digest=f"sha256:{job.result_key}",
        width=64,
        height=64,
        images=1,
    )


def _used(client: Any) -> int:
    """Bytes that the server's data take."""
    return int(client.info("memory")["used_memory"])
