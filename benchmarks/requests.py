"""Latency and throughput of one-image PNG requests against the bare loop and the peers, and of 64 galaxies in one request."""

from __future__ import annotations

import statistics
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx

from benchmarks.bare import call_seconds, images_per_second
from benchmarks.heavy import publish_heavy
from benchmarks.load import Target, closed_loop
from benchmarks.options import Options
from benchmarks.peers.run import PEERS, running_peer
from benchmarks.service import WAIT, Service, running_service
from models.store import BUNDLED, ModelStore
from models.versions import Version

CLIENTS = (1, 8, 32, 128)
MANY = 64


def latency(options: Options) -> dict[str, Any]:
    """Median time that one ``generate`` adds over the bare session call, one client, distinct seeds."""
    version = ModelStore().get()
    before = statistics.median(call_seconds(version, options.seconds / 2))
    with running_service(options.workers) as service:
        _, seed = closed_loop(service.target, 1, 2.0, 0)
        load, _ = closed_loop(service.target, 1, options.seconds, seed)
    call = (before + statistics.median(call_seconds(version, options.seconds / 2))) / 2
    return {
        "bare_call_ms": call * 1000,
        **load.document(),
        "added_median_ms": (statistics.median(load.times) - call) * 1000,
        "start_seconds": service.start_seconds,
    }


def saturation(options: Options) -> dict[str, Any]:
    """Throughput of distinct one-image requests over the bare loop: ours, and the same load on LitServe and BentoML."""
    return _compared(ModelStore().get(), BUNDLED, options)


def heavy(options: Options) -> dict[str, Any]:
    """`saturation` with images of about 30 ms."""
    with tempfile.TemporaryDirectory() as root, tempfile.TemporaryDirectory() as aside:
        return _compared(publish_heavy(Path(root), Path(aside)), Path(root), options)


def _compared(version: Version, store: Path, options: Options) -> dict[str, Any]:
    """Each server's load over the bare loops before and after it, as the machine's speed changes in the minutes of a run."""
    bare = [images_per_second(version, options.seconds)]
    found: dict[str, Any] = {}
    settings = {} if store == BUNDLED else {"GALSYNTH_MODELS_DIRS": str(store), "GALSYNTH_DEFAULT_MODEL": version.card.name}
    with running_service(options.workers, **settings) as service:
        found["galsynth"], seed = _served(service.target, options, service)
        many = [_at_once(service, seed + i * MANY) for i in range(8)][2:]
    bare.append(images_per_second(version, options.seconds))
    for name in PEERS if options.peers is not None else ():
        assert options.peers is not None
        with running_peer(name, options.peers, store) as target:
            found[name], _ = _served(target, options, None)
        bare.append(images_per_second(version, options.seconds))
    around = [statistics.mean(pair) for pair in pairwise(bare)]
    for loads, peer in zip(found.values(), around, strict=True):
        for load in loads.values():
            load["over_bare"] = load["per_second"] / peer
    return {
        "bare_images_per_second": bare,
        "by_clients": found,
        "over_bare_of_64_in_one_request": MANY / statistics.median(many) / around[0],
    }


def _served(target: Target, options: Options, service: Service | None) -> tuple[dict[int, dict[str, Any]], int]:
    """What `CLIENTS` get from ``target``, and with ``service`` the processor time that a request costs in each process."""
    found: dict[int, dict[str, Any]] = {}
    _, seed = closed_loop(target, 8, 2.0, 0)
    for clients in CLIENTS:
        before = service.cpu_seconds() if service else {}
        load, seed = closed_loop(target, clients, options.seconds, seed)
        found[clients] = load.document()
        if service:
            spent = {role: cpu - before[role] for role, cpu in service.cpu_seconds().items()}
            found[clients]["cpu_ms"] = {role: cpu * 1000 / max(1, len(load.times)) for role, cpu in spent.items()}
    return found, seed


def _at_once(service: Service, first: int) -> float:
    body = {"seeds": list(range(first, first + MANY))}
    begun = time.perf_counter()
    answer = httpx.post(f"{service.url}/v1/generate", json=body, headers=WAIT, timeout=90)
    elapsed = time.perf_counter() - begun
    assert answer.status_code == httpx.codes.OK, answer.text
    return elapsed
