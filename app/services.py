"""What the routes work with, made once for an application."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import redis
import redis.asyncio
from anyio import CapacityLimiter
from starlette.requests import Request

from app.body import Places
from app.catalogue import Catalogue
from app.keys.store import KeyFile
from app.metrics import Metrics
from app.queue import RenderQueue
from app.rates import ANSWER_SECONDS, RATE, Rates
from app.readiness import ReadinessLog
from app.room import Room
from app.settings import Settings
from app.signing import read_secret
from app.speed import Speed
from app.waiting import Changes
from jobstore.haste import Haste
from jobstore.layout import Recorded
from jobstore.records import JobRecords
from jobstore.stores import Results, results_at
from jobstore.workers import WorkerBeacons
from models.store import BUNDLED, ModelStore
from telemetry.traces import Traces, traces_to

CONNECT_SECONDS, REST_SECONDS = 2, 1
BUSY_WAITERS = 16
"""With so many requests waiting for their jobs the workers have enough to do while the next ones gather."""

LARGE_READS = 1
"""Large jobs that are read at a time: two took as long for all of them, and others waited several times longer beside them."""


@dataclass
class Services:
    """Models, job records, results, queue, announcements, API keys, their rates and the workers' speed.

    ``large``: places of requests with large bodies; ``large_reads``: turns of `app.reading`. ``unsent``: records to take back, as
    soon as Redis answers again; see `app.recording`.
    """

    settings: Settings
    catalogue: Catalogue
    records: JobRecords
    results: Results
    queue: RenderQueue
    changes: Changes
    keys: KeyFile
    speed: Speed
    room: Room
    large: Places
    large_reads: CapacityLimiter
    metrics: Metrics
    traces: Traces
    webhook_secret: bytes | None
    rates: Rates
    loop: asyncio.AbstractEventLoop | None = None
    unsent: list[Recorded] = field(default_factory=list)
    readiness: ReadinessLog = field(default_factory=ReadinessLog)

    @classmethod
    def open(cls, settings: Settings) -> Services:
        """Services as ``settings`` say; nothing is connected yet, so Redis may come up later."""
        options: dict[str, Any] = {"decode_responses": True, "socket_connect_timeout": CONNECT_SECONDS}
        client = redis.Redis.from_url(settings.queue_address, socket_timeout=ANSWER_SECONDS, retry=Haste(REST_SECONDS), **options)
        listener = redis.asyncio.Redis.from_url(settings.queue_address, health_check_interval=30, **options)
        records, metrics, changes = JobRecords(client), Metrics(), Changes(listener, settings.poll_seconds)
        metrics.see(records, settings.results_dir)
        metrics.watch("galsynth_event_streams", "Event streams that are open", lambda: changes.watched)
        store = ModelStore([BUNDLED, *settings.models_dirs], settings.default_model)
        speed = Speed(WorkerBeacons(client), lambda reference: catalogue.get(reference).card.resolution)
        catalogue = Catalogue(store, settings.models_refresh_seconds, lambda: {worker.default for worker in speed.alive()})
        return cls(
            settings=settings,
            catalogue=catalogue,
            records=records,
            results=results_at(settings.results_url, settings.results_dir, in_haste=True),
            queue=RenderQueue(settings.queue_address),
            changes=changes,
            keys=KeyFile(settings.keys_file),
            speed=speed,
            room=Room(client),
            large=Places(settings.max_large_requests, lambda: metrics.refused("requests")),
            large_reads=CapacityLimiter(LARGE_READS),
            metrics=metrics,
            webhook_secret=read_secret(settings.webhook_secret_file),
            traces=traces_to(settings.otlp_endpoint, "galsynth-api"),
            rates=Rates(listener.register_script(RATE)),
        )

    def release(self) -> None:
        """Let whoever waits go on, as the service stops. May be called from a signal handler."""
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self.changes.release)

    @property
    def busy(self) -> bool:
        """Whether so many requests wait for their jobs that no worker is idle."""
        return self.changes.waiting >= BUSY_WAITERS

    def patience(self) -> float:
        """Seconds for which a new job may wait for others to share its message: none unless many wait for their jobs already."""
        return self.settings.gather_ms / 1000 if self.busy else 0.0

    def close(self) -> None:
        """Close the connections."""
        self.traces.close()
        self.rates.close()
        self.queue.close()
        self.records.client.close()


def services_of(request: Request) -> Services:
    """The services of the application that serves ``request``."""
    services: Services = request.app.state.services
    return services
