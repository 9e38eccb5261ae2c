"""Resident memory of the workers after thousands of jobs of all operations: whether a thousand more make it grow."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx

from benchmarks.options import Options
from benchmarks.service import Service, running_service
from worker.pulse import TRIM_PERIOD_SECONDS

WARM_JOBS, JOBS, ROUNDS = 100, 1000, 3
CLIENTS = 16
IDLE_SECONDS = TRIM_PERIOD_SECONDS + 5
"""Between load and sample: a worker gives free memory back once every `TRIM_PERIOD_SECONDS`, and until it has, what lies free
cannot be told from what leaks.
"""
MEGABYTE = 2**20


def memory(options: Options) -> dict[str, Any]:
    """Megabytes of each worker after `WARM_JOBS` jobs and after each thousand more, and by how much each thousand made it grow.

    What a worker needs for its work comes with the first thousand; what comes with every thousand after it is a leak.
    """
    with running_service(options.workers) as service:
        return measured(service, [WARM_JOBS, *[JOBS] * ROUNDS], IDLE_SECONDS)


def measured(service: Service, rounds: list[int], idle_seconds: float) -> dict[str, Any]:
    """`memory` of a running ``service``, sampled after each of ``rounds`` and ``idle_seconds``."""
    done, jobs = 0, list[int]()
    samples: list[list[float]] = []
    for count in rounds:
        asyncio.run(_jobs(service.url, range(done, done + count)))
        done += count
        time.sleep(idle_seconds)
        jobs.append(done)
        samples.append([size / MEGABYTE for size in service.worker_memory()])
    growth = [[b - a for a, b in zip(*pair, strict=True)] for pair in zip(samples, samples[1:], strict=False)]
    return {"jobs": jobs, "idle_seconds": idle_seconds, "memory_mb": samples, "growth_mb": growth}


def _body(number: int) -> tuple[str, dict[str, Any]]:
    """Job ``number``: the four operations in turn, in several formats."""
    a, b = {"seed": number}, {"seed": number + 50_000}
    return (
        ("generate", {"seeds": [number, number + 1, number + 2], "format": ("png", "fits", "zip", "npz")[number // 4 % 4]}),
        ("interpolate", {"from": a, "to": b, "frames": 20, "size": 128, "format": ("gif", "webp", "mp4")[number // 4 % 3]}),
        ("mix", {"rows": [a, b], "columns": [b, a], "layers": "coarse"}),
        ("arithmetic", {"terms": [{"latent": a, "weight": 2}, {"latent": b, "weight": -1}], "format": "fits"}),
    )[number % 4]


async def _jobs(url: str, numbers: range) -> None:
    waiting = iter(numbers)

    async def client_loop(client: httpx.AsyncClient) -> None:
        for number in waiting:
            operation, body = _body(number)
            answer = await client.post(f"/v1/{operation}", json=body, headers={"Prefer": "wait=60", "Accept": "*/*"})
            assert answer.status_code == httpx.codes.OK, answer.text

    async with httpx.AsyncClient(base_url=url, timeout=90) as client:
        await asyncio.gather(*(client_loop(client) for _ in range(CLIENTS)))
