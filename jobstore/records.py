"""Job records in Redis: the truth about every job. The queue carries ids only.

``<prefix>job:<id>`` is a hash: ``record`` (what never changes, JSON), ``phase``, ``done``, ``attempts``, ``started``, ``ended``,
``result``, ``failure``, ``cancel``, ``handed`` (a second order was answered with it), ``place`` in the line, and of the run that
holds it: ``run`` (its number) and ``tag`` (its message). ``<prefix>jobs:<owner>`` orders ids by creation, ``<prefix>waiting`` the
QUEUED ones, ``<prefix>users:<result key>`` the jobs that share one result by expiry; `jobstore.scripts` tells of ``<prefix>open``
and ``<prefix>load``. Every change of phase is one Lua script, so two workers, or a worker and a cancelling client, never
disagree; each is announced on ``<prefix>changes`` as ``<id> <phase>``. ``<prefix>dead`` is a stream of jobs that stopped every
worker that began them.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import redis
from redis.exceptions import NoScriptError

from galaxies.jobs import Failure, Job, Phase, Priority, Result
from jobstore import scripts

TASK = "galaxies.render"
"""Name of the Celery task, which the API and the workers share; its arguments are ids of jobs."""
QUEUES: dict[Priority, str] = {"interactive": "galaxies", "bulk": "galaxies.bulk"}
"""Queues of its messages, the first served first. Each is a list in Redis of the same name."""

PREFIX = "galsynth:"
CHANGES = PREFIX + "changes"
DEAD = PREFIX + "dead"
MAX_ATTEMPTS = 3
WAITING = PREFIX + "waiting"
OPEN, LOAD = PREFIX + "open", PREFIX + "load"
UNACKED_INDEX = "unacked_index"
"""kombu's sorted set: delivery tag → when the message was taken, in POSIX seconds. A contract test holds kombu to it."""
BULK_PLACE = 1e11
"""What a bulk job's place in the line has above its creation time, so that it comes after every interactive one."""
LOOKED_AT = 1000
RECORD_GRACE = 3600
"""Seconds for which an expired job's record stays, to say that its result is gone."""

_Call = tuple[list[str], list[Any]]
"""Keys and arguments of a script."""
_MUTABLE = {"phase", "done", "attempts", "run", "started", "ended", "result", "failure"}


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


def new_job_id() -> str:
    """A fresh id that nobody can guess."""
    return uuid.uuid4().hex


def now() -> datetime:
    """The present, in UTC with milliseconds."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


class JobRecords:
    """Reads and writes job records through one Redis client (``decode_responses=True``). Safe to share between threads."""

    def __init__(self, client: redis.Redis) -> None:
        self.client: Any = client
        self._transition = client.register_script(scripts.TRANSITION)
        self._begin = client.register_script(scripts.BEGIN)
        self._progress = client.register_script(scripts.PROGRESS)
        self._requeue = client.register_script(scripts.REQUEUE)
        self._cancel = client.register_script(scripts.CANCEL)
        self._create = client.register_script(scripts.CREATE)
        self._delete = client.register_script(scripts.DELETE)
        self._take_back = client.register_script(scripts.TAKE_BACK)
        self._revive = client.register_script(scripts.REVIVE)
        self._place = client.register_script(scripts.PLACE)

    def create(self, job: Job, claim: Claim | None = None, bounds: Bounds | None = None) -> Created | Refused:
        """Store a new job within ``bounds``, unless a job that still exists holds ``claim``; in one step, so nothing can race."""
        return self.create_many([(job, claim, bounds or Bounds())])[0]

    def create_many(self, jobs: Sequence[tuple[Job, Claim | None, Bounds]]) -> list[Created | Refused]:
        """`create` of several jobs, in order, in one round trip."""
        return [_created(answer) for answer in self._many(self._create, [_creation(*each) for each in jobs])]

    def get(self, job_id: str) -> Job | None:
        """The job as it is now, or None."""
        fields = self.client.hgetall(_key(job_id))
        return _job(fields) if fields else None

    def get_many(self, job_ids: list[str]) -> list[Job]:
        """The jobs that still exist among ``job_ids``, in that order."""
        with self.client.pipeline(transaction=False) as pipe:
            for job_id in job_ids:
                pipe.hgetall(_key(job_id))
            return [_job(fields) for fields in pipe.execute() if fields]

    def list_ids(
        self, owner: str, *, top: float | None = None, after: float | None = None, offset: int = 0, limit: int = 1000
    ) -> list[tuple[str, float]]:
        """Ids of ``owner``'s jobs and their creation times (POSIX seconds), newest first, created at ``top`` or before it and
        later than ``after``; equal times are in the order of the ids, greatest first.
        """
        highest, lowest = "+inf" if top is None else repr(top), "-inf" if after is None else f"({after!r}"
        found: list[tuple[str, float]] = [
            (job_id, float(created))
            for job_id, created in self.client.zrevrangebyscore(
                _index(owner), highest, lowest, start=offset, num=limit, withscores=True
            )
        ]
        return found

    def place(self, job_id: str) -> Place | None:
        """Where the job waits; None where it does not."""
        return _placed(self._place(keys=[WAITING, OPEN, LOAD], args=[job_id, LOOKED_AT]))

    def places(self, job_ids: list[str]) -> dict[str, Place | None]:
        """`place` of several jobs in one round trip."""
        answers = self._many(self._place, [([WAITING, OPEN, LOAD], [job_id, LOOKED_AT]) for job_id in job_ids])
        return {job_id: _placed(answer) for job_id, answer in zip(job_ids, answers, strict=True)}

    def begin(self, job_id: str, tag: str | None = None, max_attempts: int = MAX_ATTEMPTS) -> Job | str:
        """Mark a job EXECUTING, count the attempt and return the job; else why not: ``"GONE"`` or the phase that it is in now.

        ``tag`` is the message's: of several messages of one job one is taken. The job's ``run`` tells this attempt from every
        other. A job that was begun ``max_attempts`` times and never ended has taken its workers with it: it ends in ERROR, and
        its record goes to the stream ``galsynth:dead``.
        """
        return self.begin_many([job_id], tag, max_attempts)[0]

    def begin_many(self, job_ids: Sequence[str], tag: str | None = None, max_attempts: int = MAX_ATTEMPTS) -> list[Job | str]:
        """`begin` of the jobs of one message in one round trip."""
        reason = f"the job was begun {max_attempts} times and every worker stopped under it"
        rest = [_text(now()), max_attempts, _text(Failure(kind="internal", message=reason)), tag or ""]
        answers = self._many(self._begin, [([*_keys(i), DEAD, UNACKED_INDEX], [CHANGES, i, *rest]) for i in job_ids])
        return [a if isinstance(a, str) else _job(dict(zip(a[::2], a[1::2], strict=True))) for a in answers]

    def progress_many(self, done: Mapping[str, int], runs: Mapping[str, int] | None = None) -> set[str]:
        """Record and announce how much of each job is done, in one round trip; returns the jobs that are to stop.

        A job whose run in ``runs`` is no longer the one that holds it is to stop too.
        """
        if not done:
            return set()
        calls = [([_key(i)], [CHANGES, i, _run((runs or {}).get(i)), number]) for i, number in done.items()]
        answers = self._many(self._progress, calls)
        return {job_id for job_id, stop in zip(done, answers, strict=True) if stop}

    def complete(self, job_id: str, result: Result, done: int, run: int | None = None) -> bool:
        """EXECUTING → COMPLETED; False where the job is no longer EXECUTING, or another run than ``run`` holds it."""
        return self.complete_many([(job_id, result, done, run)])[0]

    def complete_many(self, jobs: Sequence[tuple[str, Result, int, int | None]]) -> list[bool]:
        """`complete` of several jobs in one round trip."""
        calls = [_ending(i, [Phase.EXECUTING], Phase.COMPLETED, run, result=r, done=n) for i, r, n, run in jobs]
        return [answer == "changed" for answer in self._many(self._transition, calls)]

    def fail(self, job_id: str, failure: Failure, run: int | None = None) -> bool:
        """Any unended phase → ERROR."""
        return self._end(job_id, [Phase.QUEUED, Phase.EXECUTING], Phase.ERROR, run, failure=failure)

    def abort(self, job_id: str, run: int | None = None) -> bool:
        """EXECUTING → ABORTED, when the worker has seen the cancellation."""
        return self._end(job_id, [Phase.EXECUTING], Phase.ABORTED, run)

    def requeue(self, job_id: str, run: int | None = None) -> bool:
        """EXECUTING → QUEUED, when a worker gives its job back; that attempt does not count."""
        return bool(self._requeue(keys=_keys(job_id), args=[CHANGES, job_id, _run(run)]))

    def cancel(self, job_id: str) -> None:
        """Ask for the end of a job: at once where it waits, within one batch where it runs, nothing where it has ended."""
        self._cancel(keys=_keys(job_id), args=[CHANGES, job_id, _text(now())])

    def delete(self, job: Job) -> bool:
        """Forget a job; a worker that runs it finds it gone and stops. Returns whether no other job shares its result."""
        keys, args = _forgetting(Recorded.of(job))
        return bool(self._delete(keys=keys, args=args) == 0)

    def take_back(self, jobs: Iterable[Recorded]) -> None:
        """Forget those of ``jobs`` that wait and that no second order was answered with, in one round trip."""
        self._many(self._take_back, [_forgetting(each) for each in jobs])

    def shared(self, result_key: str) -> bool:
        """Whether a job that has not expired needs this result."""
        return bool(self.client.zcount(_users(result_key), now().timestamp(), "+inf"))

    def revive(self, job: Job) -> Job:
        """COMPLETED → QUEUED, where the result that ``job`` was recorded with was deleted at the same moment."""
        place = repr(_place_of(job))
        self._revive(keys=_keys(job.id), args=[CHANGES, job.id, job.pixels, job.priority, job.owner, place])
        update = {"phase": Phase.QUEUED, "result": None, "done": 0, "started": None, "ended": None}
        return job.model_copy(update=update)

    def forget_ids(self, owner: str, job_ids: list[str]) -> None:
        """Take ids of expired jobs out of the index."""
        if job_ids:
            self.client.zrem(_index(owner), *job_ids)

    def _end(self, job_id: str, allowed: list[Phase], new: Phase, run: int | None, **fields: Any) -> bool:
        keys, args = _ending(job_id, allowed, new, run, **fields)
        return bool(self._transition(keys=keys, args=args) == "changed")

    def _many(self, script: Any, calls: Sequence[_Call]) -> list[Any]:
        """The answers of one script for many jobs, in one round trip.

        redis-py's own way to call a script in a pipeline asks the server first whether it knows the script: a second round trip.
        Calls that met a server without it have done nothing, so they are made again.
        """
        if len(calls) < 2:
            return [script(keys=keys, args=args) for keys, args in calls]
        with self.client.pipeline(transaction=False) as pipe:
            for keys, args in calls:
                pipe.evalsha(script.sha, len(keys), *keys, *args)
            answers: list[Any] = pipe.execute(raise_on_error=False)
        for place, answer in enumerate(answers):
            if isinstance(answer, NoScriptError):
                answers[place] = script(keys=calls[place][0], args=calls[place][1])
            elif isinstance(answer, Exception):
                raise answer
        return answers


def _creation(job: Job, claim: Claim | None, bounds: Bounds) -> _Call:
    """What `scripts.CREATE` wants."""
    fields = {key: _text(value) for key in sorted(_MUTABLE) if (value := getattr(job, key)) is not None}
    fields["record"] = job.model_dump_json(by_alias=True, exclude=_MUTABLE)
    fields["place"] = repr(_place_of(job))
    keys = [_key(job.id), _index(job.owner), WAITING, _users(job.result_key), OPEN, LOAD, f"{PREFIX}budget:{job.owner}"]
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
        "prefix": _key(""),
        "callback": bool(job.callback),
        **vars(bounds),
        "body": claim.body_digest if claim else "",
        "seconds": str(claim.seconds if claim else 0),
    }
    return keys, [CHANGES, json.dumps(new), *(item for pair in fields.items() for item in pair)]


def _created(answer: list[Any]) -> Created | Refused:
    if answer[0] == "refused":
        return Refused(answer[1], int(answer[2]))
    rank = answer[2] if len(answer) > 2 else None
    return Created(answer[1], answer[0], None if rank is None else Place(int(rank) + 1, int(answer[3])))


def _ending(job_id: str, allowed: list[Phase], new: Phase, run: int | None, **fields: Any) -> _Call:
    flat = [item for key, value in {**fields, "ended": now()}.items() for item in (key, _text(value))]
    return _keys(job_id), [CHANGES, job_id, _run(run), " ".join(allowed), new.value, *flat]


def _forgetting(job: Recorded) -> _Call:
    keys = [_key(job.job_id), _index(job.owner), WAITING, _users(job.result_key), OPEN, LOAD]
    return keys, [CHANGES, job.job_id, now().timestamp()]


def _key(job_id: str) -> str:
    return f"{PREFIX}job:{job_id}"


def _place_of(job: Job) -> float:
    return job.created.timestamp() + (BULK_PLACE if job.priority == "bulk" else 0)


def _keys(job_id: str) -> list[str]:
    return [_key(job_id), WAITING, OPEN, LOAD]


def _placed(answer: Any) -> Place | None:
    return None if answer is None else Place(int(answer[0]) + 1, *map(int, answer[1:]))


def _run(run: int | None) -> str:
    return "" if run is None else str(run)


def _index(owner: str) -> str:
    return f"{PREFIX}jobs:{owner}"


def _users(result_key: str) -> str:
    return f"{PREFIX}users:{result_key}"


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Result | Failure):
        return value.model_dump_json()
    return str(value)


def _job(fields: dict[str, str]) -> Job:
    record = json.loads(fields["record"])
    record |= {key: fields[key] for key in ("phase", "done", "attempts", "run", "started", "ended") if key in fields}
    record |= {key: json.loads(fields[key]) for key in ("result", "failure") if key in fields}
    return Job.model_validate(record)
