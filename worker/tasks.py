"""The Celery application and its one task. The message is one job id or a few; the job records are the truth."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import redis
import structlog
from celery import Celery
from celery.exceptions import Reject
from kombu.entity import Queue

from jobstore.records import PRIORITIES, QUEUE, TASK
from worker.engine import Stopped

RETRY_SECONDS = 1.0

_LOG = structlog.get_logger(__name__)


def celery_app(redis_url: str, visibility_timeout: int) -> Celery:
    """The Celery application of workers.

    A message is acknowledged when its job has ended. A worker that dies keeps its leases for ``visibility_timeout`` seconds; then
    any other worker, which looks every few seconds, puts its messages back into the queue.
    """
    app = Celery("galsynth", broker=redis_url, set_as_current=False)
    transport = {
        "visibility_timeout": visibility_timeout,
        "priority_steps": list(PRIORITIES.values()),
        "unacked_restore_interval": max(1, min(5, visibility_timeout // 4)),
        "unacked_restore_throttle": 1,
        "unacked_mutex_expire": 30,
        "socket_keepalive": True,
    }
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        result_serializer="json",
        # The default exchange needs no bindings in Redis, so an emptied Redis takes messages as before.
        task_queues=[Queue(QUEUE)],  # type: ignore[no-untyped-call]
        task_default_queue=QUEUE,
        task_ignore_result=True,
        task_acks_late=True,
        worker_prefetch_multiplier=1,
        broker_transport_options=transport,
        # The shortest timeout that Celery finds anywhere wins, so it stands in all three places.
        result_backend_transport_options=transport,
        visibility_timeout=visibility_timeout,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # Every one of these costs messages, and nothing here listens to them.
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        enable_utc=True,
    )
    return app


def add_render_task(app: Celery, render: Callable[[Sequence[str], str | None, bool], None]) -> Any:
    """Register ``galaxies.render`` with job ids as its args; ``render`` gets them, the delivery tag, and whether they come again.

    Jobs of a message that comes again run one after the other: if one of them kills its worker, the others do not go with it.
    """

    @app.task(name=TASK, bind=True, acks_late=True, ignore_result=True)  # type: ignore[untyped-decorator,unused-ignore]
    def galaxies_render(self: Any, *job_ids: str) -> None:
        tag = (self.request.properties or {}).get("delivery_tag")
        again = bool((self.request.delivery_info or {}).get("redelivered"))
        try:
            for group in [[job_id] for job_id in job_ids] if again else [job_ids]:
                render(group, tag, again)
        except redis.RedisError as error:
            _LOG.warning("jobs go back to the queue", jobs=job_ids, error=str(error))
            time.sleep(RETRY_SECONDS)
            raise Reject(str(error), requeue=True) from None
        except Stopped as error:
            _LOG.info("jobs go back to the queue", jobs=job_ids, error=str(error))
            raise Reject(str(error), requeue=True) from None

    return galaxies_render
