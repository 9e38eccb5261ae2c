"""How Celery's messages travel through Redis: what API and workers must agree on, and five changes to kombu's channel.

kombu makes a Redis client for every message that is sent or acknowledged, which was a tenth of a worker's processor time; here a
channel keeps one. And a channel holds at most ``bulk_slots`` bulk messages at a time, so that slots stay free for interactive
jobs however many films wait: what is not taken stays in Redis, where other workers and housekeeping see it. And when a connection
breaks, kombu puts all that was taken back into the queue, although its jobs go on here; now what is `Kept` stays taken. And every
delivery of a message has a tag of its own, where kombu's stays with the message: who has lost its lease and acknowledges late, or
renews, does not touch the lease of whoever has the message now. And who stops listening puts back at once what its last wait for
messages brings; kombu does so when it ends, with its last job. All touch kombu's internals;
``tests/unit/jobstore/test_transport.py`` holds kombu to them.
"""

from __future__ import annotations

import contextlib
import ssl
import uuid
from collections.abc import Callable
from queue import Empty
from typing import Any

from celery import Celery
from kombu.entity import Queue
from kombu.transport import redis

from jobstore.records import QUEUES

FULL_SECONDS = 0.1
"""How long one look for messages lasts while no bulk message may be taken: so soon a slot that comes free is used."""


class Kept:
    """Messages that stay with this process when a channel closes, until their jobs have ended: those whose tag it ``holds``."""

    def __init__(self, holds: Callable[[str], bool] = lambda tag: False) -> None:
        self._holds = holds
        self._messages: dict[str, Any] = {}

    def take_from(self, delivered: dict[str, Any]) -> None:
        """Move what is held out of the messages of a channel."""
        for tag in [tag for tag in delivered if self._holds(tag)]:
            self._messages[tag] = delivered.pop(tag)

    def messages(self) -> list[Any]:
        """Those that are held still."""
        for tag in [tag for tag in self._messages if not self._holds(tag)]:
            del self._messages[tag]
        return list(self._messages.values())


class QoS(redis.QoS):
    """kombu's list of what a channel has taken, with a tag for each delivery; it counts what earlier channels have left."""

    def append(self, message: Any, delivery_tag: str) -> None:
        """Note what was taken. ``delivery_tag`` is the message's from its delivery before, or from its sender."""
        message.delivery_tag = message.properties["delivery_tag"] = uuid.uuid4().hex
        super().append(message, message.delivery_tag)  # type: ignore[no-untyped-call]

    def restore_unacked(self, client: Any = None) -> None:
        """Put back what is not kept."""
        self.channel.kept.take_from(self._delivered)
        super().restore_unacked(client)  # type: ignore[no-untyped-call]

    def can_consume(self) -> bool:
        """Whether one more message may be taken."""
        taken = len(self._delivered) - len(self._dirty) + len(self.channel.kept.messages())
        return not self.prefetch_count or taken < self.prefetch_count


class Channel(redis.Channel):
    """kombu's channel with one client for everything but the wait for messages, and ``bulk_slots`` (None: any number).

    ``kept`` is what stays taken when it closes.
    """

    QoS = QoS
    from_transport_options = (*redis.Channel.from_transport_options, "bulk_slots", "kept")  # type: ignore[assignment]
    bulk_slots: int | None = None
    kept = Kept()
    _shared: Any = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[no-untyped-call]
        if self._shared is None or self._shared.connection_pool is not self.pool:
            self._shared = super()._create_client()  # type: ignore[no-untyped-call]
        return self._shared

    def _basic_cancel(self, consumer_tag: str) -> None:
        super()._basic_cancel(consumer_tag)  # type: ignore[no-untyped-call]
        if self._in_poll and not self.active_queues:
            with contextlib.suppress(Empty):
                self._brpop_read()  # type: ignore[no-untyped-call]

    def _brpop_start(self, timeout: float | None = None) -> None:
        full = self.bulk_slots is not None and self._bulk_held() >= self.bulk_slots
        self._queue_cycle.update([name for name in self.active_queues if not (full and name == QUEUES["bulk"])])
        super()._brpop_start(FULL_SECONDS if full else timeout)  # type: ignore[no-untyped-call]

    def _bulk_held(self) -> int:
        """Bulk messages that were taken and not acknowledged. Only the thread that takes messages adds to them."""
        mine = [message for tag, message in self.qos._delivered.items() if tag not in self.qos._dirty]
        return sum(message.delivery_info["routing_key"] == QUEUES["bulk"] for message in [*mine, *self.kept.messages()])


class Transport(redis.Transport):
    """kombu's transport with our `Channel`."""

    Channel = Channel


def celery_on(name: str, url: str, **options: Any) -> Celery:
    """A Celery application on the Redis server at ``url``, with ``options`` for the transport. Interactive messages go first.

    The certificate of a server at ``rediss://`` is checked; ``?ssl_ca_certs=…`` in the address names another authority.
    """
    app = Celery(name, broker=url, set_as_current=False)
    app.conf.update(
        broker_transport=f"{Transport.__module__}:{Transport.__name__}",
        broker_transport_options={"queue_order_strategy": "priority", "priority_steps": [0], **options},
        broker_use_ssl={"ssl_cert_reqs": ssl.CERT_REQUIRED} if url.startswith("rediss://") else None,
        # The default exchange needs no bindings in Redis, so an emptied Redis takes messages as before.
        task_queues=[Queue(queue) for queue in QUEUES.values()],  # type: ignore[no-untyped-call,unused-ignore]
        task_ignore_result=True,
    )
    return app
