"""Sends accepted jobs to the workers. The task is known by its name only; the message is the id of a job, or of a few."""

from __future__ import annotations

import math
from collections.abc import Sequence

from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from galaxies.errors import Transient
from galaxies.jobs import Job, Priority
from jobstore.records import QUEUES, TASK
from jobstore.transport import celery_on

MOST_JOBS = 8
"""Jobs of one message. More save little, and one worker would have all of them."""
SMALL_IMAGES = 4
"""A job of more galaxies than these has a message of its own."""


def messages(jobs: Sequence[Job], workers: int) -> list[list[Job]]:
    """Which of ``jobs`` share a message: small ones of one priority, and no more of them than give every worker its part."""
    found = [[job] for job in jobs if job.total > SMALL_IMAGES]
    for priority in QUEUES:
        small = [job for job in jobs if job.total <= SMALL_IMAGES and job.priority == priority]
        size = max(1, min(MOST_JOBS, math.ceil(len(small) / max(1, workers))))
        found += [small[start : start + size] for start in range(0, len(small), size)]
    return found


class RenderQueue:
    """The Celery queue that the workers read. Safe to share between threads."""

    def __init__(self, redis_url: str) -> None:
        self._celery = celery_on("galsynth-api", redis_url, socket_connect_timeout=2, socket_timeout=5)
        self._celery.conf.broker_pool_limit = 40

    def send(self, job_ids: Sequence[str], priority: Priority = "interactive", again: bool = False) -> None:
        """Put jobs into the queue as one message: one worker takes them all. ``again``: they had one before.

        Raises
        ------
        Transient : the queue cannot be reached, or takes nothing; the jobs are not in it.
        """
        try:
            more = {"again": True} if again else {}
            self._celery.send_task(TASK, job_ids, more, queue=QUEUES[priority], ignore_result=True, retry=False)
        except (OperationalError, RedisError, OSError) as error:
            raise Transient(f"the queue takes no jobs ({type(error).__name__}); nothing was accepted: try again") from None

    def close(self) -> None:
        """Close the connections."""
        self._celery.close()
