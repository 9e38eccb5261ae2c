"""Reads jobs for answers, large ones one after the other.

A job may hold megabytes of latents: read and put into words it takes several times that memory, and tenths of a second in which
nothing else of the process runs for long. As many of them side by side as there are threads would take both from everybody.
Who waits for a turn holds nothing meanwhile, and small jobs wait for no turn.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from anyio.to_thread import run_sync

from app.body import LARGE_BYTES
from app.errors import Problem
from app.services import Services
from galaxies.jobs import Job
from jobstore.layout import LargeRecord

LARGE_PAGE_BYTES = 4 * LARGE_BYTES
"""Records of more together are read as a large one is; 200 ordinary jobs are not so many."""

Answer = TypeVar("Answer")


async def answered(services: Services, job_id: str, answer: Callable[[Job | None], Answer]) -> Answer:
    """What ``answer`` says of the job as it is now (None where there is none), on a thread; in turn where the job is large.

    How large it is costs no question of its own: Redis sends the record of a small job, and no other one.
    """
    with contextlib.suppress(LargeRecord):
        return await run_sync(_answered, services, job_id, answer, LARGE_BYTES)
    return await in_turn(services, partial(_answered, services, job_id, answer, None))


async def answered_of(services: Services, job_id: str, owner: str, answer: Callable[[Job], Answer]) -> Answer:
    """`answered` of a job of ``owner``.

    Raises
    ------
    Problem : 404 where there is none, or it is another caller's.
    """
    return await answered(services, job_id, lambda job: answer(_owned(job, job_id, owner)))


async def in_turn(services: Services, call: Callable[[], Answer]) -> Answer:
    """What ``call`` returns, which reads or writes megabytes: on a thread, and as many of them at a time as there are turns."""
    return await run_sync(call, limiter=services.large_reads)


def current(services: Services, job_id: str, owner: str) -> Job:
    """The job of ``owner`` as it is now, however large.

    Raises
    ------
    Problem : 404 where there is none, or it is another caller's.
    """
    return _owned(services.records.get(job_id), job_id, owner)


def _answered(services: Services, job_id: str, answer: Callable[[Job | None], Answer], most: int | None) -> Answer:
    return answer(services.records.get(job_id, most))


def _owned(job: Job | None, job_id: str, owner: str) -> Job:
    if job is None or job.owner != owner:
        raise Problem(404, f"there is no job {job_id[:64]!r}; it may have expired or been deleted")
    return job
