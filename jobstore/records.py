"""Job records in Redis: the truth about every job. The queue carries ids only. `jobstore.layout` says how they lie there."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import redis
from redis.exceptions import NoScriptError

from galaxies.jobs import Failure, Job, Phase, Priority, Result
from jobstore import scripts
from jobstore.layout import (
    CHANGES,
    DEAD,
    LOAD,
    MOVING,
    OPEN,
    WAITING,
    Bounds,
    Call,
    Claim,
    Created,
    Glance,
    LargeRecord,
    Place,
    Recorded,
    Refused,
    created,
    creation,
    ending,
    forgetting,
    glance_of,
    index_of,
    job_of,
    key_of,
    keys_of,
    now,
    place_of,
    placed,
    renewed,
    run_text,
    text_of,
    users_of,
)

TASK = "galaxies.render"
"""Name of the Celery task, which the API and the workers share; its arguments are ids of jobs."""
QUEUES: dict[Priority, str] = {"interactive": "galaxies", "bulk": "galaxies.bulk"}
"""Queues of its messages, the first served first. Each is a list in Redis of the same name."""

MAX_ATTEMPTS = 3
MAX_REFUNDS = 10
"""So many attempts whose lease was lost do not count, as their workers say that they live."""
DOUBT_SECONDS = 5
"""So long at least the worker of the last attempt has to say that it lives."""
UNACKED_INDEX = "unacked_index"
"""kombu's sorted set: delivery tag → when the message was taken, in POSIX seconds. A contract test holds kombu to it."""
LOOKED_AT = 1000


def new_job_id() -> str:
    """A fresh id that nobody can guess."""
    return uuid.uuid4().hex


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
        self._read_small = client.register_script(scripts.READ_SMALL)

    def create(self, job: Job, claim: Claim | None = None, bounds: Bounds | None = None) -> Created | Refused:
        """Store a new job within ``bounds``, unless a job that still exists holds ``claim``; in one step, so nothing can race."""
        return self.create_many([(job, claim, bounds or Bounds())])[0]

    def create_many(self, jobs: Sequence[tuple[Job, Claim | None, Bounds]]) -> list[Created | Refused]:
        """`create` of several jobs, in order, in one round trip."""
        return [created(answer) for answer in self._many(self._create, [creation(*each) for each in jobs])]

    def get(self, job_id: str, most: int | None = None) -> Job | None:
        """The job as it is now, or None.

        Raises
        ------
        LargeRecord : its record is over ``most`` bytes, and stays where it is: no more than its size was sent.
        """
        if most is None:
            fields = self.client.hgetall(key_of(job_id))
        else:
            answer = self._read_small(keys=[key_of(job_id)], args=[most])
            if isinstance(answer, int):
                raise LargeRecord(f"the record of job {job_id} has {answer} bytes; {most} were to be read at most")
            fields = dict(zip(answer[::2], answer[1::2], strict=True))
        return job_of(fields) if fields else None

    def get_many(self, job_ids: list[str]) -> list[Job]:
        """The jobs that still exist among ``job_ids``, in that order."""
        with self.client.pipeline(transaction=False) as pipe:
            for job_id in job_ids:
                pipe.hgetall(key_of(job_id))
            return [job_of(fields) for fields in pipe.execute() if fields]

    def renewed(self, job: Job) -> Job | None:
        """``job`` as it is now but for its result or failure, or None; what never changes, megabytes maybe, is not read again."""
        texts = self.client.hmget(key_of(job.id), MOVING)
        return renewed(job, texts) if texts[0] else None

    def glances(self, job_ids: list[str]) -> dict[str, Glance]:
        """A glance at each job that still exists among ``job_ids``, in that order."""
        with self.client.pipeline(transaction=False) as pipe:
            for job_id in job_ids:
                pipe.hmget(key_of(job_id), "phase", "place", "operation")
                pipe.hstrlen(key_of(job_id), "record")
            answers = pipe.execute()
        seen = zip(job_ids, answers[::2], answers[1::2], strict=True)
        return {job_id: glance_of(texts, size) for job_id, texts, size in seen if texts[0]}

    def list_ids(
        self, owner: str, *, below: tuple[float, str] | None = None, after: float | None = None, limit: int = 1000
    ) -> list[tuple[str, float]]:
        """Ids of ``owner``'s jobs and their creation times (POSIX seconds), newest first, those that come after the time and id
        ``below``, created later than ``after``; equal times are in the order of the ids, greatest first. At most ``limit``, and
        none only where there are no more.
        """
        highest, lowest = "+inf" if below is None else repr(below[0]), "-inf" if after is None else f"({after!r}"
        offset = 0
        while True:
            range_ = {"start": offset, "num": limit, "withscores": True}
            found = [(i, float(t)) for i, t in self.client.zrevrangebyscore(index_of(owner), highest, lowest, **range_)]
            offset += len(found)
            left = [(i, t) for i, t in found if below is None or (t, i) < below]
            if left or not found:
                return left

    def belongs(self, job_id: str, owner: str) -> bool:
        """Whether the job is, or was until it expired, one of ``owner``'s."""
        return self.client.zscore(index_of(owner), job_id) is not None

    def place(self, job_id: str) -> Place | None:
        """Where the job waits; None where it does not."""
        return self.places([job_id])[job_id]

    def places(self, job_ids: list[str]) -> dict[str, Place | None]:
        """`place` of several jobs in one round trip, which costs the server little more than that of one."""
        answers = self._place(keys=[WAITING, OPEN, LOAD], args=[LOOKED_AT, *job_ids]) if job_ids else []
        return {job_id: placed(answer) for job_id, answer in zip(job_ids, answers, strict=True)}

    def begin(self, job_id: str, tag: str | None = None, max_attempts: int = MAX_ATTEMPTS) -> Job | str:
        """Mark a job EXECUTING, count the attempt and return the job; else why not: ``"GONE"`` or the phase that it is in now.

        ``tag`` is the message's: of several messages of one job one is taken. The job's ``run`` tells this attempt from every
        other. A job that was begun ``max_attempts`` times and never ended has taken its workers with it: the next message that
        comes `DOUBT_SECONDS` after the first one ends it in ERROR, and its record goes to the stream ``galsynth:dead``.
        """
        return self.begin_many([job_id], tag, max_attempts)[0]

    def begin_many(self, job_ids: Sequence[str], tag: str | None = None, max_attempts: int = MAX_ATTEMPTS) -> list[Job | str]:
        """`begin` of the jobs of one message in one round trip."""
        reason = f"the job was begun {max_attempts} times and every worker stopped under it"
        rest = [text_of(now()), max_attempts, text_of(Failure(kind="internal", message=reason)), tag or "", DOUBT_SECONDS]
        answers = self._many(self._begin, [([*keys_of(i), DEAD, UNACKED_INDEX], [CHANGES, i, *rest]) for i in job_ids])
        return [a if isinstance(a, str) else job_of(dict(zip(a[::2], a[1::2], strict=True))) for a in answers]

    def progress_many(self, done: Mapping[str, int], runs: Mapping[str, int] | None = None) -> set[str]:
        """Record and announce how much of each job is done, in one round trip; returns the jobs that are to stop.

        A job whose run in ``runs`` is no longer the one that holds it is to stop too.
        """
        if not done:
            return set()
        calls = [([key_of(i)], [CHANGES, i, run_text((runs or {}).get(i)), number]) for i, number in done.items()]
        answers = self._many(self._progress, calls)
        return {job_id for job_id, stop in zip(done, answers, strict=True) if stop}

    def complete(self, job_id: str, result: Result, done: int, run: int | None = None) -> bool:
        """EXECUTING → COMPLETED; False where the job is no longer EXECUTING, or another run than ``run`` holds it."""
        return self.complete_many([(job_id, result, done, run)])[0]

    def complete_many(self, jobs: Sequence[tuple[str, Result, int, int | None]]) -> list[bool]:
        """`complete` of several jobs in one round trip."""
        calls = [ending(i, [Phase.EXECUTING], Phase.COMPLETED, run, result=r, done=n) for i, r, n, run in jobs]
        return [answer == "changed" for answer in self._many(self._transition, calls)]

    def fail(self, job_id: str, failure: Failure, run: int | None = None) -> bool:
        """Any unended phase → ERROR."""
        return self._end(job_id, [Phase.QUEUED, Phase.EXECUTING], Phase.ERROR, run, failure=failure)

    def abort(self, job_id: str, run: int | None = None) -> bool:
        """EXECUTING → ABORTED, when the worker has seen the cancellation."""
        return self._end(job_id, [Phase.EXECUTING], Phase.ABORTED, run)

    def requeue(self, job_id: str, run: int | None = None, *, lost: bool = False) -> bool:
        """EXECUTING → QUEUED, when a worker gives its job back; that attempt does not count, also where another has followed.

        ``lost``: its lease was lost, or the job taken; only `MAX_REFUNDS` of such attempts do not count.
        """
        args: list[Any] = [CHANGES, job_id, run_text(run), MAX_REFUNDS, "lost" if lost else ""]
        return bool(self._requeue(keys=keys_of(job_id), args=args))

    def cancel(self, job_id: str) -> None:
        """Ask for the end of a job: at once where it waits, within one batch where it runs, nothing where it has ended."""
        self._cancel(keys=keys_of(job_id), args=[CHANGES, job_id, text_of(now())])

    def delete(self, job: Job) -> bool:
        """Forget a job; a worker that runs it finds it gone and stops. Returns whether no other job shares its result."""
        keys, args = forgetting(Recorded.of(job))
        return bool(self._delete(keys=keys, args=args) == 0)

    def take_back(self, jobs: Iterable[Recorded]) -> None:
        """Forget those of ``jobs`` that wait and that no second order was answered with, in one round trip."""
        self._many(self._take_back, [forgetting(each) for each in jobs])

    def shared(self, result_key: str) -> bool:
        """Whether a job that has not expired needs this result."""
        return bool(self.client.zcount(users_of(result_key), now().timestamp(), "+inf"))

    def revive(self, job: Job) -> Job:
        """COMPLETED → QUEUED, where the result that ``job`` was recorded with was deleted at the same moment."""
        place = repr(place_of(job))
        self._revive(keys=keys_of(job.id), args=[CHANGES, job.id, job.pixels, job.priority, job.owner, place])
        update = {"phase": Phase.QUEUED, "result": None, "done": 0, "started": None, "ended": None}
        return job.model_copy(update=update)

    def forget_ids(self, owner: str, job_ids: list[str]) -> None:
        """Take ids of expired jobs out of the index."""
        if job_ids:
            self.client.zrem(index_of(owner), *job_ids)

    def _end(self, job_id: str, allowed: list[Phase], new: Phase, run: int | None, **fields: Any) -> bool:
        keys, args = ending(job_id, allowed, new, run, **fields)
        return bool(self._transition(keys=keys, args=args) == "changed")

    def _many(self, script: Any, calls: Sequence[Call]) -> list[Any]:
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
