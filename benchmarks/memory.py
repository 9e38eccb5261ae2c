"""Resident memory of the workers before and after 1,000 jobs of all operations."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from benchmarks.options import Options
from benchmarks.service import running_service

JOBS = 1000
CLIENTS = 16
MEGABYTE = 2**20


def memory(options: Options) -> dict[str, Any]:
    """Megabytes a worker before (after 100 jobs of warming up) and after ``JOBS`` more."""
    with running_service(options.workers) as service:
        asyncio.run(_jobs(service.url, range(100)))
        before = service.worker_memory()
        asyncio.run(_jobs(service.url, range(100, 100 + JOBS)))
        after = service.worker_memory()
    return {
        "jobs": JOBS,
        "before_mb": [value / MEGABYTE for value in before],
        "after_mb": [value / MEGABYTE for value in after],
        "growth_percent": [100 * (b - a) / a for a, b in zip(before, after, strict=True)],
    }


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
