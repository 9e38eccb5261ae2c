"""What happened to a job, as server-sent events: told from its record, so that any replica can tell it, and tell it again.

Each event has an id ``<run>.<step>.<done>`` that only grows (run: how many times a worker has begun the job). A client that comes
back with ``Last-Event-ID`` gets what came after it; of several steps of progress it missed, the last.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from anyio.to_thread import run_sync
from fastapi.sse import format_sse_event
from redis.exceptions import RedisError

from app.documents import job_document
from app.services import Services
from galaxies.jobs import Job, Phase

HEARTBEAT_SECONDS = 15.0
LOOK_SECONDS = 2.0
"""How often a stream looks at its job although nothing was announced: its place in the queue moves without a word."""
LEAST_GAP_SECONDS = 0.2
"""Progress comes at most so often."""

Key = tuple[int, int, int]
BEGUN, QUEUED, ENDED, END = 1, 2, 3, 4


@dataclass(frozen=True)
class Event:
    """One event; without a ``key`` it only tells of waiting, and is not told again."""

    name: str
    data: dict[str, Any]
    key: Key | None = None

    def encode(self) -> bytes:
        """As it goes over the wire."""
        event_id = None if self.key is None else ".".join(map(str, self.key))
        return format_sse_event(data_str=json.dumps(self.data, separators=(",", ":")), event=self.name, id=event_id)


def parse_key(text: str | None) -> Key | None:
    """The id of an event; None where ``text`` is none of ours, and everything is told."""
    parts = (text or "").split(".")
    if len(parts) != 3 or not all(part.isascii() and part.isdecimal() and len(part) < 10 for part in parts):
        return None
    return int(parts[0]), int(parts[1]), int(parts[2])


def history(job: Job, document: dict[str, Any]) -> list[Event]:
    """Every event of ``job`` so far, oldest first; ``document`` is the job as the contract shows it."""
    waiting = {name: document[name] for name in ("queue_position", "eta_seconds")}
    events = [Event("phase", {"phase": "QUEUED", "at": document["created"], **waiting}, (0, QUEUED, 0))]
    if job.run > 0:
        events.append(
            Event("phase", {"phase": "EXECUTING", "at": document["started"], "attempt": job.attempts}, (job.run, BEGUN, 0))
        )
        if job.done > 0:
            progress = {**document["progress"], "eta_seconds": document["eta_seconds"]}
            events.append(Event("progress", progress, (job.run, BEGUN, job.done)))
        if job.phase is Phase.QUEUED:
            events.append(Event("phase", {"phase": "QUEUED", "at": None, **waiting}, (job.run, QUEUED, 0)))
    if job.phase.ended:
        events.append(Event("phase", {"phase": job.phase.value, "at": document["ended"]}, (job.run, ENDED, 0)))
        events.append(Event("end", document, (job.run, END, 0)))
    return events


async def stream(services: Services, job_id: str, last: Key | None) -> AsyncIterator[bytes]:
    """The events of a job after ``last`` as bytes, until it has ended, is forgotten, or the service stops.

    While Redis is away, which `app.waiting` logs, the stream waits for it: a client that came again would be answered 503, and
    after that a browser does not come any more.
    """
    told, place, spoken = last, None, time.monotonic()
    with services.changes.watch(job_id) as changed:
        while True:
            events, over = list[Event](), False
            try:
                seen = await run_sync(_look, services, job_id)
            except RedisError:
                pass  # the heart beats on
            else:
                if seen is None:
                    yield Event("end", {"phase": None, "detail": "the job was deleted, or has expired"}).encode()
                    return
                job, document = seen
                events = [event for event in history(job, document) if told is None or (event.key or told) > told]
                if not events and job.phase is Phase.QUEUED and document["queue_position"] != place:
                    waiting = {name: document[name] for name in ("queue_position", "eta_seconds")}
                    events = [Event("progress", {**document["progress"], **waiting})]
                place, over = document["queue_position"], job.phase.ended
            for event in events:
                yield event.encode()
                told, spoken = event.key or told, time.monotonic()
            if over or services.changes.closing:
                return
            if time.monotonic() - spoken >= HEARTBEAT_SECONDS:
                spoken = time.monotonic()
                yield format_sse_event(comment="still here")
            await asyncio.sleep(LEAST_GAP_SECONDS if events else 0)
            await changed.next(LOOK_SECONDS)


def _look(services: Services, job_id: str) -> tuple[Job, dict[str, Any]] | None:
    """The job as it is now, and as the contract shows it; None where it is forgotten."""
    job = services.records.get(job_id)
    return None if job is None else (job, describe(services, job))


def describe(services: Services, job: Job) -> dict[str, Any]:
    """``job`` as the contract shows it."""
    place = services.records.place(job.id) if job.phase is Phase.QUEUED else None
    return job_document(job, place, services.speed)
