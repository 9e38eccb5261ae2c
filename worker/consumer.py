"""Celery's consumer, which comes back within seconds of an outage, and says in a line that Redis is away and that it is back.

It acknowledges and gives back at once while it stops, where Celery waits for an event loop that has ended.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
from celery.bootsteps import RUN
from celery.exceptions import CPendingDeprecationWarning
from celery.worker import consumer
from celery.worker.consumer.consumer import CONNECTION_RETRY
from celery.worker.state import maybe_shutdown

from telemetry.outages import Outage
from worker.insist import RETRY_SECONDS

MOST_RETRY_SECONDS = 2.0
"""Celery's own pauses grow to 30: all workers might be asleep while requests come."""

_LOG = structlog.get_logger(__name__)


def _do(acknowledge: Callable[[], Any]) -> Any:
    try:
        return acknowledge()
    except Exception as error:  # the message comes again then, and its job is not rendered again
        _LOG.warning("message not acknowledged", error=str(error))


def _is_news(record: logging.LogRecord) -> bool:
    """False of Celery's own line about an outage."""
    return not (isinstance(record.args, tuple) and record.args[:1] == (CONNECTION_RETRY,))


class Consumer(consumer.Consumer):  # type: ignore[misc,unused-ignore]
    """It pauses before it connects again, also where the server answers and refuses all that it writes."""

    def __init__(self, *args: Any, **options: Any) -> None:
        logging.getLogger("celery.worker.consumer.consumer").addFilter(_is_news)
        self._away = Outage(_LOG, "no messages come: the queue is out of reach, or takes no writes", "messages come again")
        super().__init__(*args, **options)

    def ensure_connected(self, conn: Any) -> Any:
        """``conn`` once the server answers."""
        pauses = {"interval_start": RETRY_SECONDS, "interval_step": RETRY_SECONDS, "interval_max": MOST_RETRY_SECONDS}
        conn.ensure_connection(lambda error, pause: self._away.failed(error), callback=maybe_shutdown, **pauses)
        self.first_connection_attempt = False
        return conn

    def call_soon_ack(self, callback: Any, *args: Any, **options: Any) -> Any:
        """Acknowledge or reject a message: on the event loop's thread as long as there is one."""
        if self.blueprint.state == RUN:
            return super().call_soon_ack(callback, *args, **options)
        return _do(partial(callback, *args, **options))

    def stop(self) -> None:
        """No more messages. What the event loop's thread was still to do, it does now."""
        super().stop()
        for callback in self.hub._pop_ready() if self.hub else ():
            _do(callback)

    def on_connection_error_before_connected(self, error: Exception) -> None:
        """The server went, or refuses, while this consumer was about to listen."""
        self._away.failed(error)
        time.sleep(RETRY_SECONDS)

    def on_connection_error_after_connected(self, error: Exception) -> None:
        """The server went, or refuses, while this consumer was listening."""
        self._away.failed(error)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CPendingDeprecationWarning)
            super().on_connection_error_after_connected(error)
        time.sleep(RETRY_SECONDS)

    def on_ready(self) -> None:
        """It listens."""
        self._away.went_well()
        super().on_ready()
