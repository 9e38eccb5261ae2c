"""Sends accepted jobs to the workers. The task is known by its name only; the message is the job's id."""

from __future__ import annotations

from celery import Celery
from kombu.entity import Queue
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from galaxies.errors import Transient
from galaxies.jobs import Priority
from jobstore.records import PRIORITIES, QUEUE, TASK


class RenderQueue:
    """The Celery queue that the workers read. Safe to share between threads."""

    def __init__(self, redis_url: str) -> None:
        self._celery = Celery("galsynth-api", broker=redis_url, set_as_current=False)
        self._celery.conf.update(
            # The default exchange needs no bindings in Redis, so an emptied Redis takes messages as before.
            task_queues=[Queue(QUEUE)],  # type: ignore[no-untyped-call,unused-ignore]
            task_ignore_result=True,
            broker_transport_options={
                "socket_connect_timeout": 2,
                "socket_timeout": 5,
                "priority_steps": list(PRIORITIES.values()),
            },
            broker_pool_limit=40,
        )

    def send(self, job_id: str, priority: Priority = "interactive") -> None:
        """Put a job into the queue.

        Raises
        ------
        Transient : the queue cannot be reached; the job is not in it.
        """
        try:
            self._celery.send_task(TASK, [job_id], queue=QUEUE, priority=PRIORITIES[priority], ignore_result=True, retry=False)
        except (OperationalError, RedisError, OSError) as error:
            raise Transient(f"the queue cannot be reached ({type(error).__name__}); nothing was accepted: try again") from None

    def close(self) -> None:
        """Close the connections."""
        self._celery.close()
