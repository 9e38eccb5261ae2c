"""What the routes work with, made once for an application."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import redis
import redis.asyncio
from starlette.requests import Request

from app.catalogue import Catalogue
from app.keys.store import KeyFile
from app.queue import RenderQueue
from app.settings import Settings
from app.speed import Speed
from app.waiting import Changes
from galaxies.jobs import Job
from jobstore.records import PREFIX, JobRecords
from jobstore.results import ResultStore
from jobstore.scripts import RATE
from jobstore.workers import WorkerBeacons
from models.store import BUNDLED, ModelStore

CONNECT_SECONDS, ANSWER_SECONDS = 2, 5


@dataclass
class Services:
    """Models, job records, results, queue, announcements, API keys and the workers' speed.

    ``unsent``: records to take back once Redis answers again.
    """

    settings: Settings
    catalogue: Catalogue
    records: JobRecords
    results: ResultStore
    queue: RenderQueue
    changes: Changes
    keys: KeyFile
    speed: Speed
    _rate: Any
    loop: asyncio.AbstractEventLoop | None = None
    unsent: deque[Job] = field(default_factory=deque)

    @classmethod
    def open(cls, settings: Settings) -> Services:
        """Services as ``settings`` say; nothing is connected yet, so Redis may come up later."""
        options: dict[str, Any] = {"decode_responses": True, "socket_connect_timeout": CONNECT_SECONDS}
        client = redis.Redis.from_url(settings.redis_url, socket_timeout=ANSWER_SECONDS, **options)
        listener = redis.asyncio.Redis.from_url(settings.redis_url, health_check_interval=30, **options)
        store = ModelStore([BUNDLED, *settings.models_dirs], settings.default_model)
        return cls(
            settings=settings,
            catalogue=Catalogue(store, settings.models_refresh_seconds),
            records=JobRecords(client),
            results=ResultStore(settings.results_dir),
            queue=RenderQueue(settings.redis_url),
            changes=Changes(listener, settings.poll_seconds),
            keys=KeyFile(settings.keys_file),
            speed=Speed(WorkerBeacons(client)),
            _rate=listener.register_script(RATE),
        )

    async def rate(self, owner: str, requests_per_minute: int) -> int:
        """Count a request of ``owner``; 0, or the seconds until its next one is allowed."""
        return int(await self._rate(keys=[f"{PREFIX}rate:{owner}"], args=[requests_per_minute]))

    def release(self) -> None:
        """Let whoever waits go on, as the service stops. May be called from a signal handler."""
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self.changes.release)

    def close(self) -> None:
        """Close the connections."""
        self.queue.close()
        self.records.client.close()


def services_of(request: Request) -> Services:
    """The services of the application that serves ``request``."""
    services: Services = request.app.state.services
    return services
