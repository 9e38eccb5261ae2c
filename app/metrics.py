"""What the API counts, for Prometheus, and what it sees in Redis: the queue and the workers.

Requests and acceptances are this process's own; the queue is everybody's, so take the maximum over replicas, not the sum.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from redis.exceptions import RedisError, ResponseError

from galaxies.jobs import Job
from jobstore.layout import BULK_PLACE, DEAD, LOAD, WAITING
from jobstore.records import QUEUES, JobRecords
from jobstore.server import check_writable, memory
from jobstore.workers import WorkerBeacons

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BOUNDS = ("queue", "memory", "jobs", "budget", "rate", "key", "requests")
DELIVERIES = ("delivered", "failed", "given_up", "refused")
"""``refused``: the address is not one that may be called, which is its caller's mistake."""
SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """Safe to share between threads. One an application, with a registry of its own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter(
            "galsynth_http_requests", "Requests by route and outcome", ["method", "route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "galsynth_http_request_seconds", "Time of an answer, waits included", ["route"], buckets=SECONDS, registry=registry
        )
        self._accepted = Counter("galsynth_jobs_accepted", "Jobs recorded", ["operation", "priority", "phase"], registry=registry)
        self._refused = Counter("galsynth_requests_refused", "Requests over a bound", ["bound"], registry=registry)
        self._deliveries = Counter("galsynth_webhooks", "Tries to deliver a webhook, by outcome", ["outcome"], registry=registry)
        # There from the start: Prometheus sees no rise in a series that begins with its first event.
        for bound in BOUNDS:
            self._refused.labels(bound)
        for outcome in DELIVERIES:
            self._deliveries.labels(outcome)
        self._swept = Counter("galsynth_housekeeping", "What housekeeping found and put right", ["what"], registry=registry)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def accepted(self, job: Job) -> None:
        """A job was recorded."""
        self._accepted.labels(job.operation, job.priority, job.phase.value).inc()

    def refused(self, bound: str) -> None:
        """A request passed one of `BOUNDS`."""
        self._refused.labels(bound).inc()

    def delivery(self, outcome: str) -> None:
        """A webhook was tried, with one of the outcomes `DELIVERIES`."""
        self._deliveries.labels(outcome).inc()

    def swept(self, what: str, number: int) -> None:
        """Housekeeping has put ``number`` things right."""
        if number:
            self._swept.labels(what).inc(number)

    def watch(self, name: str, what: str, value: Callable[[], float]) -> None:
        """A gauge that is asked whenever somebody looks."""
        Gauge(name, what, registry=self.registry).set_function(value)

    def see(self, records: JobRecords, results: Path) -> None:
        """Also show what is in Redis, and how full the disk of results is."""
        self.registry.register(_Seen(records, results))

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self.registry)


class _Seen(Collector):
    """Asks Redis at every scrape, in four round trips."""

    def __init__(self, records: JobRecords, results: Path) -> None:
        self._client: Any = records.client
        self._beacons = WorkerBeacons(records.client)
        self._results = results

    def describe(self) -> list[Any]:
        """Nothing is asked when this is registered."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The present values."""
        up, found = 1.0, list[GaugeMetricFamily]()
        try:
            found = [*self._queue(), *self._workers(), *self._server()]
        except RedisError:
            up = 0.0
        yield GaugeMetricFamily("galsynth_redis_up", "Whether Redis answers", value=up)
        yield from found
        try:
            free = float(shutil.disk_usage(self._results).free)
        except OSError:
            free = 0.0
        yield GaugeMetricFamily("galsynth_results_free_bytes", "Free space where results are kept", value=free)

    def _queue(self) -> Iterator[GaugeMetricFamily]:
        with self._client.pipeline(transaction=False) as pipe:
            pipe.hgetall(LOAD)
            pipe.xlen(DEAD)
            for low, high in (("-inf", f"({BULK_PLACE}"), (BULK_PLACE, "+inf")):
                pipe.zcount(WAITING, low, high)
                pipe.zrangebyscore(WAITING, low, high, start=0, num=1, withscores=True)
            load, dead, *lines = pipe.execute()
        jobs = GaugeMetricFamily("galsynth_queue_jobs", "Jobs that wait", labels=["priority"])
        pixels = GaugeMetricFamily("galsynth_queue_pixels", "Pixels of the jobs that wait", labels=["priority"])
        oldest = GaugeMetricFamily("galsynth_queue_oldest_seconds", "Age of the job that waits longest", labels=["priority"])
        waiting = 0
        for i, priority in enumerate(QUEUES):
            count, first = lines[2 * i : 2 * i + 2]
            waiting += count
            jobs.add_metric([priority], count)
            pixels.add_metric([priority], float(load.get(f"waiting:{priority}", 0)))
            created = first[0][1] - (BULK_PLACE if priority == "bulk" else 0) if first else None
            oldest.add_metric([priority], max(0.0, time.time() - created) if created is not None else 0.0)
        unended = sum(int(number) for name, number in load.items() if name.startswith("jobs:"))
        phases = GaugeMetricFamily("galsynth_jobs", "Jobs that have not ended, by phase", labels=["phase"])
        phases.add_metric(["QUEUED"], waiting)
        phases.add_metric(["EXECUTING"], max(0, unended - waiting))
        yield from (jobs, pixels, oldest, phases)
        yield GaugeMetricFamily("galsynth_running_pixels", "Pixels of the jobs that run", value=float(load.get("running", 0)))
        yield GaugeMetricFamily("galsynth_dead_letters", "Jobs that took every worker with them", value=dead)

    def _server(self) -> Iterator[GaugeMetricFamily]:
        try:
            check_writable(self._client)
            writable = 1.0
        except ResponseError:
            writable = 0.0
        yield GaugeMetricFamily("galsynth_redis_writable", "Whether Redis takes writes", value=writable)
        found = memory(self._client)
        yield GaugeMetricFamily("galsynth_redis_memory_used_bytes", "Memory that Redis uses", value=found.used)
        yield GaugeMetricFamily("galsynth_redis_memory_max_bytes", "Memory that Redis may use; 0: any", value=found.most)

    def _workers(self) -> Iterator[GaugeMetricFamily]:
        alive = self._beacons.alive()
        yield GaugeMetricFamily("galsynth_workers", "Workers that are alive", value=len(alive))
        speed = sum(worker.pixels_per_second for worker in alive)
        yield GaugeMetricFamily("galsynth_pixels_per_second", "Measured speed of all workers while busy", value=speed)
