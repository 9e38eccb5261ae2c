"""What happened to a job, as server-sent events: told from its record, so that any replica can tell it, and tell it again.

Each event has an id ``<run>.<step>.<done>`` that only grows (run: how many times a worker has begun the job). A client that comes
back with ``Last-Event-ID`` gets what came after it; of several steps of progress it missed, the last.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from anyio.to_thread import run_sync
from fastapi.sse import format_sse_event
from redis.exceptions import RedisError

from app.documents import job_document
from app.reading import answered
from app.services import Services
from galaxies.jobs import Job, Phase
from galaxies.requests import Generate

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


@dataclass(frozen=True)
class News:
    """Events as they go over the wire, the key of the last that was told, the job's place then, and whether that was all."""

    text: bytes
    told: Key | None
    place: int | None = None
    over: bool = False


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


def slim(job: Job) -> Job:
    """``job`` without its latents; of its request it tells the size, on which its waiting time depends."""
    return job.model_copy(update={"request": Generate(seeds=[0], size=job.request.size)})


async def stream(services: Services, job: Job, last: Key | None) -> AsyncIterator[bytes]:
    """The events of a `slim` job after ``last`` as bytes, until it has ended, is forgotten, or the service stops.

    While Redis is away, which `app.waiting` logs, the stream waits for it: a client that came again would be answered 503, and
    after that a browser does not come any more.
    """
    news, spoken = News(b"", last), time.monotonic()
    with services.changes.watch(job.id) as changed:
        while True:
            try:
                seen = await run_sync(_look, services, job, news)
                if seen is None:
                    seen = await answered(services, job.id, partial(_news, services, news))
                news = seen
            except RedisError:
                news = replace(news, text=b"")  # the heart beats on
            if news.text:
                yield news.text
                spoken = time.monotonic()
            if news.over or services.changes.closing:
                return
            if time.monotonic() - spoken >= HEARTBEAT_SECONDS:
                spoken = time.monotonic()
                yield format_sse_event(comment="still here")
            await asyncio.sleep(LEAST_GAP_SECONDS if news.text else 0)
            await changed.next(min(LOOK_SECONDS, max(0.0, spoken + HEARTBEAT_SECONDS - time.monotonic())))


def _look(services: Services, known: Job, before: News) -> News | None:
    """What has happened to a job since ``before``; None where it has ended: only its end tells, and reads, the whole of it."""
    job = services.records.renewed(known)
    return None if job is not None and job.phase.ended else _news(services, before, job)


def _news(services: Services, before: News, job: Job | None) -> News:
    """What ``job``, as it is now, tells beyond ``before``."""
    if job is None:
        end = Event("end", {"phase": None, "detail": "the job was deleted, or has expired"})
        return News(end.encode(), before.told, over=True)
    document = describe(services, job)
    events = [event for event in history(job, document) if before.told is None or (event.key or before.told) > before.told]
    told, place = events[-1].key if events else before.told, document["queue_position"]
    if not events and job.phase is Phase.QUEUED and place != before.place:
        waiting = {name: document[name] for name in ("queue_position", "eta_seconds")}
        events = [Event("progress", {**document["progress"], **waiting})]
    return News(b"".join(event.encode() for event in events), told, place, job.phase.ended)


def describe(services: Services, job: Job) -> dict[str, Any]:
    """``job`` as the contract shows it."""
    place = services.records.place(job.id) if job.phase is Phase.QUEUED else None
    return job_document(job, place, services.speed)
