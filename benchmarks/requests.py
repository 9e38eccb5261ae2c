"""Latency and throughput of one-image PNG requests, and of 64 galaxies in one request."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from typing import Any

import httpx

from benchmarks.bare import BareLoop, images_per_second
from benchmarks.service import running_service

WAIT = {"Prefer": "wait=60", "Accept": "image/png"}
_SEEDS = itertools.count(1_000_000)


def latency(workers: int, requests: int = 300) -> dict[str, Any]:
    """Median time that one ``generate`` adds over the bare session call, one client, distinct seeds."""
    bare = BareLoop(threads=1)
    before = statistics.median(bare.seconds_per_image(3.0))
    with running_service(workers) as service, httpx.Client(base_url=service.url, timeout=90) as client:
        times = [_one(client) for _ in range(requests)][requests // 10 :]
    after = statistics.median(bare.seconds_per_image(3.0))
    call = (before + after) / 2
    median = statistics.median(times)
    return {
        "bare_call_ms": call * 1000,
        "request_median_ms": median * 1000,
        "request_p95_ms": statistics.quantiles(times, n=20)[-1] * 1000,
        "added_median_ms": (median - call) * 1000,
        "start_seconds": service.start_seconds,
    }


def saturation(workers: int, seconds: float = 8.0) -> dict[str, Any]:
    """Throughput of distinct one-image requests at 1, 8, 32 and 128 clients over the bare loop before and after."""
    bare = [max(images_per_second(4.0, threads) for threads in (1, 2))]
    found = {}
    with running_service(workers) as service:
        asyncio.run(_load(service.url, 8, 2.0))
        for clients in (1, 8, 32, 128):
            found[clients] = asyncio.run(_load(service.url, clients, seconds))
        many = [_sixty_four(service.url) for _ in range(8)][2:]
    bare.append(max(images_per_second(4.0, threads) for threads in (1, 2)))
    peer = statistics.mean(bare)
    return {
        "bare_images_per_second": bare,
        "ratio_by_clients": {clients: load["per_second"] / peer for clients, load in found.items()},
        "p50_ms_by_clients": {clients: load["p50_ms"] for clients, load in found.items()},
        "p99_ms_by_clients": {clients: load["p99_ms"] for clients, load in found.items()},
        "errors": sum(load["errors"] for load in found.values()),
        "ratio_of_64_in_one_request": 64 / statistics.median(many) / peer,
    }


def _one(client: httpx.Client) -> float:
    begun = time.perf_counter()
    answer = client.post("/v1/generate", json={"seeds": [next(_SEEDS)]}, headers=WAIT)
    elapsed = time.perf_counter() - begun
    answer.raise_for_status()
    assert answer.status_code == httpx.codes.OK, answer.text
    return elapsed


def _sixty_four(url: str) -> float:
    seeds = [next(_SEEDS) for _ in range(64)]
    begun = time.perf_counter()
    answer = httpx.post(f"{url}/v1/generate", json={"seeds": seeds}, headers=WAIT, timeout=90)
    elapsed = time.perf_counter() - begun
    assert answer.status_code == httpx.codes.OK, answer.text
    return elapsed


async def _load(url: str, clients: int, seconds: float) -> dict[str, Any]:
    times: list[float] = []
    errors = 0
    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)
    until = time.perf_counter() + seconds

    async def client_loop(client: httpx.AsyncClient) -> None:
        nonlocal errors
        while time.perf_counter() < until:
            begun = time.perf_counter()
            answer = await client.post("/v1/generate", json={"seeds": [next(_SEEDS)]}, headers=WAIT)
            if answer.status_code == httpx.codes.OK:
                times.append(time.perf_counter() - begun)
            else:
                errors += 1

    begun = time.perf_counter()
    async with httpx.AsyncClient(base_url=url, timeout=90, limits=limits) as client:
        await asyncio.gather(*(client_loop(client) for _ in range(clients)))
    elapsed = time.perf_counter() - begun
    ordered = sorted(times)
    return {
        "per_second": len(times) / elapsed,
        "p50_ms": statistics.median(ordered) * 1000,
        "p99_ms": ordered[int(len(ordered) * 0.99)] * 1000,
        "errors": errors,
    }
