"""Where the time of one request goes: by hop on the clock, by process in processor time."""

from __future__ import annotations

import json
import statistics
from datetime import datetime
from typing import Any

import httpx

from benchmarks.load import closed_loop
from benchmarks.options import Options
from benchmarks.service import Service, running_service

STEPS = ("load_ms", "map_ms", "images_ms", "encode_ms", "store_ms", "complete_ms")
LOOKED_AT = 200


def way(options: Options) -> dict[str, Any]:
    """Medians in milliseconds with one client and with 32."""
    found: dict[str, Any] = {}
    with running_service(options.workers, GALSYNTH_LOG_JSON="true") as service:
        _, seed = closed_loop(service.target, 8, 2.0, 0)
        for clients in (1, 32):
            skip, before = service.log.stat().st_size, service.cpu_seconds()
            load, seed = closed_loop(service.target, clients, options.seconds, seed)
            spent = {role: cpu - before[role] for role, cpu in service.cpu_seconds().items()}
            found[f"{clients} clients"] = {
                "client_ms": statistics.median(load.times) * 1000,
                "api_ms": _median(_lines(service, skip, "request"), "ms"),
                **_from_records(service),
                "worker": {step: _median(_lines(service, skip, "job completed"), step) for step in STEPS},
                "cpu_ms": {role: cpu * 1000 / max(1, len(load.times)) for role, cpu in spent.items()},
                "generator_cpu_ms": load.generator_cpu_seconds * 1000 / max(1, len(load.times)),
            }
    return found


def _from_records(service: Service) -> dict[str, float]:
    """From the API's acceptance to the worker's beginning, and from there to the end, as the job records have them."""
    jobs = httpx.get(f"{service.url}/v1/jobs", params={"limit": LOOKED_AT, "phase": "COMPLETED"}).json()["jobs"]
    times = [[datetime.fromisoformat(job[name]).timestamp() * 1000 for name in ("created", "started", "ended")] for job in jobs]
    return {
        "in_queue_ms": statistics.median(started - created for created, started, _ in times),
        "in_worker_ms": statistics.median(ended - started for _, started, ended in times),
    }


def _lines(service: Service, skip: int, event: str) -> list[dict[str, Any]]:
    """The log's JSON lines of one kind after byte ``skip``; the supervisor puts the program's name before each."""
    with service.log.open("rb") as stream:
        stream.seek(skip)
        text = stream.read().decode(errors="replace")
    found = []
    for line in text.splitlines():
        start = line.find("{")
        try:
            document = json.loads(line[start:]) if start >= 0 else {}
        except ValueError:
            continue
        if document.get("event") == event:
            found.append(document)
    return found


def _median(lines: list[dict[str, Any]], name: str) -> float | None:
    values = [line[name] for line in lines if name in line]
    return statistics.median(values) if values else None
