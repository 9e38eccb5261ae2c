"""Celery's consumer comes back within seconds of an outage, and says so in two lines."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from celery.bootsteps import CLOSE, RUN
from celery.worker.state import maybe_shutdown
from kombu.asynchronous import Hub
from structlog.testing import capture_logs

from worker import consumer
from worker.pool import TaskPool
from worker.tasks import celery_app

AWAY, BACK = "no messages come: the queue is out of reach, or takes no writes", "messages come again"


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> consumer.Consumer:
    monkeypatch.setattr(consumer, "RETRY_SECONDS", 0)
    app = celery_app("redis://127.0.0.1:1/0", 30)
    assert app.conf.worker_consumer == f"{consumer.__name__}:{consumer.Consumer.__name__}"
    controller = SimpleNamespace(use_eventloop=True)
    return consumer.Consumer(lambda request: None, app=app, hostname="test", pool=TaskPool(1), controller=controller)


class Missing:
    """A connection that comes at the third try."""

    pauses: dict[str, float]

    def ensure_connection(
        self, errback: Callable[[Exception, float], None], callback: Callable[[], None], **pauses: float
    ) -> None:
        """As kombu's."""
        assert callback is maybe_shutdown, "who is told to stop does not wait for a server"
        self.pauses = pauses
        for _ in range(2):
            errback(redis.ConnectionError("gone"), 1.0)


def told(lines: Any) -> list[tuple[str, str]]:
    return [(line["event"], line["log_level"]) for line in lines]


def test_pauses_between_tries_stay_short(listener: consumer.Consumer) -> None:
    connection = Missing()
    with capture_logs() as lines:
        assert listener.ensure_connected(connection) is connection
    assert connection.pauses["interval_max"] == consumer.MOST_RETRY_SECONDS <= 2
    assert told(lines) == [(AWAY, "warning")]


def test_a_server_that_answers_and_refuses_is_one_outage(listener: consumer.Consumer, caplog: pytest.LogCaptureFixture) -> None:
    listener.connection = celery_app("redis://127.0.0.1:1/0", 30).connection_for_read()
    with capture_logs() as lines:
        listener.on_connection_error_after_connected(redis.OutOfMemoryError("OOM"))
        for _ in range(3):
            listener.on_connection_error_before_connected(redis.OutOfMemoryError("OOM"))
        listener.on_ready()
        listener.on_ready()
    assert told(lines) == [(AWAY, "warning"), (BACK, "info")]
    assert caplog.text == "", "Celery's own line says the same"


def test_while_it_stops_messages_are_acknowledged_at_once(listener: consumer.Consumer) -> None:
    done: list[str] = []
    listener.hub = Hub()
    listener.blueprint.state = RUN
    listener.call_soon_ack(done.append, "on the loop's thread")
    assert done == []
    listener.blueprint.state = CLOSE
    listener.call_soon_ack(done.append, "at once")
    assert done == ["at once"]
    listener.stop()
    assert done == ["at once", "on the loop's thread"]
