"""Orders → accepted jobs: recorded within the bounds of service and caller, and queued; several in one go.

An order that fails after it may have been recorded is answered 503 and its record is taken back, which must never take a job
that somebody was answered 202 with: another API, or a later call of this one, may have handed it out to a retry with the same
idempotency key. Both are single scripts: if the hand-out comes first it marks the job and taking back leaves it, waiting, to
housekeeping, which sends it; if taking back comes first the retry finds no job and makes a new one. A job that a worker has begun
is left too, and one that a stored result completed, and one whose record reaches Redis only after it was taken back: nobody waits
for those, and they end and expire as others do.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from redis.exceptions import RedisError

from app.callers import Caller
from app.errors import Problem
from app.queue import messages
from app.services import Services
from galaxies.errors import Transient
from galaxies.jobs import Job, Phase
from jobstore.layout import Claim, Created, Place, Recorded, Refused, now

JOBS_RETRY_SECONDS = 5
MEMORY_RETRY_SECONDS = 60


@dataclass(frozen=True)
class Accepted:
    """A job that is recorded, its place in the queue (None where it does not wait), and whether the body named the format."""

    job: Job
    place: Place | None = None
    format_named: bool = False


@dataclass(frozen=True)
class Order:
    """A job to be recorded and queued. ``stored_too``: also where its result is stored already and nothing is to be done."""

    job: Job
    caller: Caller
    claim: Claim | None = None
    format_named: bool = False
    stored_too: bool = True


def record_many(services: Services, orders: Sequence[Order]) -> list[Accepted | Exception]:
    """Record jobs and queue those that need rendering, each in a few round trips for all.

    Errors: `Problem` 422 where the idempotency key belongs to another body, 429 over a bound of the caller, 503 where the queue
    or the memory of its server is full; `Transient` or `RedisError` where a job cannot be recorded or queued now: its record is
    taken back. While Redis does not take those back nothing new is recorded, so never more than the jobs of one call are to be
    taken back.
    """
    if not orders:
        return []
    most = services.settings.max_queue_pixels
    try:
        _take_back(services)
    except RedisError as error:
        return [error] * len(orders)
    if services.room.full():
        return [_no_room(services) for _ in orders]
    try:
        created = services.records.create_many([(o.job, o.claim, o.caller.bounds(most)) for o in orders])
    except RedisError as error:
        services.unsent += [Recorded.of(o.job) for o in orders]
        return [error] * len(orders)
    answers = [_recorded(services, each, found) for each, found in zip(orders, created, strict=True)]
    new = [o.job for o, found in zip(orders, created, strict=True) if isinstance(found, Created) and found.job_id == o.job.id]
    revived, failed = _still_stored(services, answers)
    failed |= _send(services, [*(job for job in new if job.phase is Phase.QUEUED), *revived.values()])
    for job in new:
        if job.id not in failed:
            services.metrics.accepted(job)
    return [failed.get(a.job.id, replace(a, job=revived.get(a.job.id, a.job))) if isinstance(a, Accepted) else a for a in answers]


def _recorded(services: Services, asked: Order, created: Created | Refused) -> Accepted | Exception:
    if isinstance(created, Refused):
        services.metrics.refused(created.why)
        return _refusal(services, asked.job, asked.caller, created)
    if created.job_id == asked.job.id:
        return Accepted(asked.job, created.place, asked.format_named)
    try:
        return _claimed(services, asked, created)
    except RedisError as error:  # of this order: the others are recorded and go on
        return error


def _still_stored(services: Services, answers: Sequence[Accepted | Exception]) -> tuple[dict[str, Job], dict[str, Exception]]:
    """Those jobs of ``answers`` that were COMPLETED by a stored result which is gone: they wait for a worker again. And the
    errors of those of whose result nobody can tell now.

    Once a job is recorded nobody deletes its result any more, so one look is enough.
    """
    completed = {a.job.id: a.job for a in answers if isinstance(a, Accepted) and a.job.result and a.job.expires > now()}
    found = services.results.find_many([job.result.key for job in completed.values() if job.result])
    revived: dict[str, Job] = {}
    failed: dict[str, Exception] = {}
    for job, result in zip(completed.values(), found, strict=True):
        try:
            if isinstance(result, Transient):
                failed[job.id] = result
            elif result is None:
                revived[job.id] = services.records.revive(job)
        except RedisError as error:
            services.unsent.append(Recorded.of(job))
            failed[job.id] = error
    return revived, failed


def _send(services: Services, jobs: Sequence[Job]) -> dict[str, Exception]:
    """Queue ``jobs``; returns the errors of those that are not in the queue and whose records are taken back."""
    failed: dict[str, Exception] = {}
    for together in messages(jobs, 1 if services.busy or len(jobs) == 1 else services.speed.workers()):
        try:
            services.queue.send([job.id for job in together], together[0].priority)
        except Transient as error:
            services.unsent += [Recorded.of(job) for job in together]
            failed |= dict.fromkeys((job.id for job in together), error)
    with contextlib.suppress(RedisError):  # the next call does it
        _take_back(services)
    return failed


def _claimed(services: Services, asked: Order, created: Created) -> Accepted | Exception:
    """The answer to an order whose idempotency key another job has."""
    if asked.claim is not None and created.body_digest != asked.claim.body_digest:
        return Problem(422, "this Idempotency-Key was used with another body; take a new key", slug="idempotency-key-reused")
    held = services.records.get(created.job_id)
    if held is None:
        return record_many(services, [asked])[0]
    return Accepted(held, services.records.place(held.id) if held.phase is Phase.QUEUED else None, asked.format_named)


def _refusal(services: Services, job: Job, caller: Caller, refused: Refused) -> Problem:
    """What a bound that is passed is to the caller."""
    if refused.why == "queue":
        seconds = services.speed.seconds_for(refused.excess)
        detail = f"{refused.excess} pixels too many wait for the workers; try again in {seconds} s"
        return Problem(503, detail, slug="queue-full", headers={"retry-after": str(seconds)})
    if refused.why == "jobs":
        detail = f"{caller.unfinished_jobs} unended jobs are as many as this key allows; wait for one or cancel"
        return Problem(429, detail, slug="too-many-jobs", headers={"retry-after": str(JOBS_RETRY_SECONDS)})
    if job.pixels > caller.daily_pixels:
        detail = f"the request makes {job.pixels} pixels; this key allows {caller.daily_pixels} a day: ask for fewer"
        return Problem(422, detail, slug="budget-spent")
    detail, wait = f"{job.pixels} pixels are more than is left of this key's {caller.daily_pixels} a day", str(refused.excess)
    return Problem(429, f"{detail}; try again in {wait} s", slug="budget-spent", headers={"retry-after": wait})


def _no_room(services: Services) -> Problem:
    """The answer to an order for which the queue server has no memory."""
    services.metrics.refused("memory")
    detail = "the queue server's memory is full; it has room again when jobs expire or are deleted"
    return Problem(503, detail, slug="queue-full", headers={"retry-after": str(MEMORY_RETRY_SECONDS)})


def _take_back(services: Services) -> None:
    """Forget the jobs that were recorded, but neither queued nor handed out.

    Raises
    ------
    RedisError : Redis does not take it now; they stay on the list.
    """
    if services.unsent:
        services.records.take_back(services.unsent)
        services.unsent.clear()
