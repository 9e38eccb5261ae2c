"""The Celery application and its one task. The message is one job id or a few; the job records are the truth."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import redis
import structlog
from celery import Celery
from celery.exceptions import Reject

from jobstore.records import TASK
from jobstore.transport import Kept, celery_on
from worker.insist import RETRY_SECONDS
from worker.room import Occupied
from worker.tickets import Stopped

SPARE_CONNECTIONS = 8
TALKATIVE = ("kombu.asynchronous.timer", "kombu.asynchronous.hub", "celery.worker.request")
"""Loggers that tell with a traceback, again and again, that Redis is away or takes no writes; the line says it."""

_LOG = structlog.get_logger(__name__)
_SETTINGS = {
    "accept_content": ["json"],
    "task_serializer": "json",
    "result_serializer": "json",
    "task_acks_late": True,
    "worker_prefetch_multiplier": 1,
    "worker_consumer": "worker.consumer:Consumer",
    # A server that takes no writes, as its disk is full, is waited for like one that is away.
    "broker_channel_error_retry": True,
    # After a broken connection it would count what is kept once more.
    "worker_enable_prefetch_count_reduction": False,
    # Every one of these costs messages, and nothing here listens to them.
    "worker_send_task_events": False,
    "worker_enable_remote_control": False,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "enable_utc": True,
}


class GivenBack(Reject):  # type: ignore[misc,unused-ignore]
    """A message that goes back to the queue, as our own log has said."""


def _not_given_back(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], GivenBack))


def _without_traceback(record: logging.LogRecord) -> bool:
    if record.exc_info and isinstance(record.exc_info[1], redis.RedisError):
        record.exc_info = None
    return True


def celery_app(
    redis_url: str,
    visibility_timeout: int,
    concurrency: int = 1,
    bulk_slots: int | None = None,
    holds: Callable[[str], bool] = lambda tag: False,
) -> Celery:
    """The Celery application of workers, which hold up to ``concurrency`` messages, of them ``bulk_slots`` bulk ones.

    Where a connection breaks, the messages whose tag it ``holds`` stay with it. A message is acknowledged when its job has ended.
    A worker that dies keeps its leases for ``visibility_timeout`` seconds; then any other worker, which looks every few seconds,
    puts its messages back into the queue.
    """
    transport = {
        "visibility_timeout": visibility_timeout,
        "bulk_slots": bulk_slots,
        "kept": Kept(holds),
        # Every running job may acknowledge at the same moment.
        "max_connections": concurrency + SPARE_CONNECTIONS,
        "unacked_restore_interval": max(1, min(5, visibility_timeout // 4)),
        "unacked_restore_throttle": 1,
        "unacked_mutex_expire": 30,
        "socket_keepalive": True,
    }
    app = celery_on("galsynth", redis_url, **transport)
    # The shortest timeout that Celery finds anywhere wins, so it stands in the transport's options and in both of these.
    app.conf.update(_SETTINGS, result_backend_transport_options=transport, visibility_timeout=visibility_timeout)
    return app


def add_render_task(
    app: Celery,
    render: Callable[[Sequence[str], str | None, bool], None],
    done: Callable[[str], None] = lambda tag: None,
    stops: Callable[[], bool] = lambda: False,
) -> Any:
    """Register ``galaxies.render`` with job ids as its args; ``render`` gets them, the delivery tag, and whether they come again:
    the same message, or another one that housekeeping has sent. ``done`` hears of the tag in the end. While the worker ``stops``
    nothing new is begun.

    Jobs of a message that comes again run one after the other: if one of them kills its worker, the others do not go with it.
    Celery warns with a traceback of every message that it gives back; here one line of ours says it. Of what fails for Redis'
    sake the line is enough.
    """
    logging.getLogger("celery.app.trace").addFilter(_not_given_back)
    for name in TALKATIVE:
        logging.getLogger(name).addFilter(_without_traceback)

    @app.task(name=TASK, bind=True, acks_late=True, ignore_result=True)  # type: ignore[untyped-decorator,unused-ignore]
    def galaxies_render(self: Any, *job_ids: str, again: bool = False) -> None:
        tag = (self.request.properties or {}).get("delivery_tag")
        again = again or bool((self.request.delivery_info or {}).get("redelivered"))
        try:
            if stops():
                raise Stopped("the worker stops")
            for group in [[job_id] for job_id in job_ids] if again else [job_ids]:
                render(group, tag, again)
        except redis.RedisError as error:
            _LOG.warning("jobs go back to the queue", jobs=job_ids, error=str(error))
            time.sleep(RETRY_SECONDS)
            raise GivenBack(str(error), requeue=True) from None
        except (Stopped, Occupied) as error:
            _LOG.info("jobs go back to the queue", jobs=job_ids, error=str(error))
            raise GivenBack(str(error), requeue=True) from None
        finally:
            if tag is not None:
                done(tag)

    return galaxies_render
