"""Where and how job records lie in Redis.

``<prefix>job:<id>`` is a hash: ``record`` (what never changes, JSON), ``phase``, ``done``, ``attempts``, ``started``,
``ended``, ``result``, ``failure``, ``cancel``, ``handed`` (a second order was answered with it), ``place`` in the line, ``owner``
where that one is to be called, of the run that holds it: ``run`` (its number) and ``tag`` (its message), and of those whose
worker was thought dead: ``doubted`` (since when the last one is), ``refunds`` (how many did not count) and ``refunded`` (the
last of them). ``<prefix>jobs:<owner>`` orders ids by creation, ``<prefix>waiting`` the QUEUED ones, ``<prefix>users:<result
key>`` the jobs that share one result by expiry; `jobstore.scripts` tells of ``<prefix>open`` and ``<prefix>load``. Every change
of phase is one Lua script, so two workers, or a worker and a cancelling client, never disagree; each is announced on
``<prefix>changes`` as ``<id> <phase>``.
``<prefix>dead`` is a stream of jobs that stopped every worker that began them.
A record may be megabytes, so ``operation`` of the hash repeats what it tells; earlier versions did not write that.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from galaxies.cards import Operation
from galaxies.jobs import Failure, Job, Phase, Priority, Result

PREFIX = "galsynth:"
CHANGES = PREFIX + "changes"
DEAD = PREFIX + "dead"
WAITING = PREFIX + "waiting"
OPEN, LOAD = PREFIX + "open", PREFIX + "load"
BULK_PLACE = 1e11
"""What a bulk job's place in the line has above its creation time, so that it comes after every interactive one."""
RECORD_GRACE = 3600
"""Seconds for which an expired job's record stays, to say that its result is gone."""

Call = tuple[list[str], list[Any]]
"""Keys and arguments of a script."""
MOVING = ("phase", "done", "attempts", "run", "started", "ended")
_MUTABLE = {*MOVING, "result", "failure"}


@dataclass(frozen=True)
class Claim:
    """An idempotency key: it belongs to one body and one job for ``seconds``, or until that job is forgotten."""

    key: str
    body_digest: str
    seconds: int


@dataclass(frozen=True)
class Bounds:
    """What a new job must stay within; 0: no bound. ``queue_pixels`` wait for workers, all callers together; the others are its
    caller's own: jobs that have not ended, and pixels a day (a budget that fills up evenly).
    """

    queue_pixels: int = 0
    unfinished_jobs: int = 0
    daily_pixels: int = 0


@dataclass(frozen=True)
class Place:
    """Where a job waits: ``position`` 1 is next; ``ahead``: pixels before it, ``running``: pixels of the jobs that run."""

    position: int
    ahead: int = 0
    running: int = 0
    running_jobs: int = 0


@dataclass(frozen=True)
class Created:
    """What `JobRecords.create` found: the job that holds the claim (the new one, unless ``job_id`` is another) and its body."""

    job_id: str
    body_digest: str
    place: Place | None = None


@dataclass(frozen=True)
class Refused:
    """A job that was not stored: ``why`` names the bound; ``excess`` the pixels too many (queue) or seconds to wait (budget)."""

    why: Literal["queue", "jobs", "budget"]
    excess: int


class Recorded(NamedTuple):
    """What it takes to forget a job: little, where a `Job` may hold megabytes of latents."""

    job_id: str
    owner: str
    result_key: str

    @classmethod
    def of(cls, job: Job) -> Recorded:
        """Those of ``job``."""
        return cls(job.id, job.owner, job.result_key)


class Glance(NamedTuple):
    """What is known of a job without its record: ``size`` is that of the record in bytes; ``operation`` is None where an
    earlier version wrote it.
    """

    phase: Phase
    priority: Priority
    operation: Operation | None
    size: int


class LargeRecord(Exception):
    """A job's record has more bytes than were to be read."""


def now() -> datetime:
    """The present, in UTC with milliseconds."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def creation(job: Job, claim: Claim | None, bounds: Bounds) -> Call:
    """What `scripts.CREATE` wants."""
    fields = {key: text_of(value) for key in sorted(_MUTABLE) if (value := getattr(job, key)) is not None}
    fields["record"] = job.model_dump_json(by_alias=True, exclude=_MUTABLE)
    fields["operation"] = job.operation
    fields["place"] = repr(place_of(job))
    if job.callback:
        fields["owner"] = job.owner
    keys = [key_of(job.id), index_of(job.owner), WAITING, users_of(job.result_key), OPEN, LOAD, f"{PREFIX}budget:{job.owner}"]
    if claim is not None:
        keys.append(f"{PREFIX}idempotency:{job.owner}:{claim.key}")
    expires = job.expires.timestamp()
    new = {
        "id": job.id,
        "owner": job.owner,
        "phase": job.phase.value,
        "priority": job.priority,
        "pixels": job.pixels,
        "created": repr(job.created.timestamp()),
        "expires": repr(expires),
        "forget": str(int(expires) + RECORD_GRACE),
        "place": fields["place"],
        "prefix": key_of(""),
        "callback": bool(job.callback),
        **vars(bounds),
        "body": claim.body_digest if claim else "",
        "seconds": str(claim.seconds if claim else 0),
    }
    return keys, [CHANGES, json.dumps(new), *(item for pair in fields.items() for item in pair)]


def created(answer: list[Any]) -> Created | Refused:
    """What the answer of `scripts.CREATE` says."""
    if answer[0] == "refused":
        return Refused(answer[1], int(answer[2]))
    waits = len(answer) > 2 and answer[2] is not None
    return Created(answer[1], answer[0], placed(answer[2:]) if waits else None)


def ending(job_id: str, allowed: list[Phase], new: Phase, run: int | None, **fields: Any) -> Call:
    """What `scripts.TRANSITION` wants for a job's end."""
    flat = [item for key, value in {**fields, "ended": now()}.items() for item in (key, text_of(value))]
    return keys_of(job_id), [CHANGES, job_id, run_text(run), " ".join(allowed), new.value, *flat]


def forgetting(job: Recorded) -> Call:
    """What `scripts.DELETE` and `scripts.TAKE_BACK` want."""
    keys = [key_of(job.job_id), index_of(job.owner), WAITING, users_of(job.result_key), OPEN, LOAD]
    return keys, [CHANGES, job.job_id, now().timestamp()]


def glance_of(texts: Sequence[Any], size: int) -> Glance:
    """What the fields ``phase``, ``place`` and ``operation`` of a hash say; ``size``: of its record."""
    phase, place, operation = texts
    return Glance(Phase(phase), "bulk" if float(place) >= BULK_PLACE else "interactive", operation, size)


def key_of(job_id: str) -> str:
    """The hash of a job."""
    return f"{PREFIX}job:{job_id}"


def place_of(job: Job) -> float:
    """A job's place in the line: when it was created, and bulk jobs after all others."""
    return job.created.timestamp() + (BULK_PLACE if job.priority == "bulk" else 0)


def keys_of(job_id: str) -> list[str]:
    """What every change of a job touches."""
    return [key_of(job_id), WAITING, OPEN, LOAD]


def placed(answer: Any) -> Place | None:
    """What the answer of `scripts.PLACE` says."""
    return None if answer is None else Place(int(answer[0]) + 1, *map(int, answer[1:]))


def run_text(run: int | None) -> str:
    """A run as scripts take it."""
    return "" if run is None else str(run)


def index_of(owner: str) -> str:
    """The sorted set of an owner's jobs."""
    return f"{PREFIX}jobs:{owner}"


def users_of(result_key: str) -> str:
    """The sorted set of the jobs that share a result."""
    return f"{PREFIX}users:{result_key}"


def text_of(value: Any) -> str:
    """A value as it lies in a field of the hash."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Result | Failure):
        return value.model_dump_json()
    return str(value)


def job_of(fields: dict[str, str]) -> Job:
    """The job that lies in a hash."""
    record = json.loads(fields["record"])
    record |= {key: fields[key] for key in MOVING if key in fields}
    record |= {key: json.loads(fields[key]) for key in ("result", "failure") if key in fields}
    return Job.model_validate(record)


def renewed(job: Job, texts: Sequence[str | None]) -> Job:
    """``job`` with the fields `MOVING` as they lie in its hash now."""
    lasting = {key: value for key, value in vars(job).items() if key not in _MUTABLE}
    return Job.model_validate(lasting | {key: text for key, text in zip(MOVING, texts, strict=True) if text is not None})
