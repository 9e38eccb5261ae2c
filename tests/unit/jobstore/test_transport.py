"""The contract with kombu: the internals that `jobstore.transport` touches do what it counts on, on a real server."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from celery import Celery
from kombu import Consumer

from jobstore.records import QUEUES, TASK
from jobstore.transport import Channel, Kept, celery_on

BULK, INTERACTIVE = QUEUES["bulk"], QUEUES["interactive"]
SLOTS = 2


class Taker:
    """Takes messages as a worker does, and keeps them until told otherwise."""

    def __init__(self, app: Celery) -> None:
        self.connection: Any = app.connection_for_read()
        self.channel: Any = self.connection.channel()
        self.channel.basic_qos(0, 100, False)
        self.messages: list[Any] = []
        queues = [app.amqp.queues[name] for name in QUEUES.values()]
        Consumer(self.channel, queues, accept=["json"], on_message=self.messages.append).consume()

    def take(self) -> list[str]:
        """The queues of all messages that are held, when no more can be taken."""
        for _ in range(20):
            try:
                self.connection.drain_events(timeout=0.3)
            except TimeoutError:
                break
        return [message.delivery_info["routing_key"] for message in self.messages]


@pytest.fixture
def app(empty_valkey: str) -> Iterator[Celery]:
    with celery_on("test", empty_valkey, bulk_slots=SLOTS, visibility_timeout=60) as app:
        yield app


@pytest.fixture
def taker(app: Celery) -> Iterator[Taker]:
    taker = Taker(app)
    yield taker
    taker.connection.release()


def send(app: Celery, queue: str, number: int) -> None:
    for i in range(number):
        app.send_task(TASK, [f"{queue} {i}"], queue=queue)


def test_bulk_messages_fill_their_slots_and_no_more(app: Celery, taker: Taker, empty_valkey: str) -> None:
    send(app, BULK, 5)
    assert taker.take() == [BULK] * SLOTS
    send(app, INTERACTIVE, 3)
    assert taker.take() == [BULK] * SLOTS + [INTERACTIVE] * 3
    with redis.Redis.from_url(empty_valkey) as client:
        assert client.llen(BULK) == 3


def test_an_acknowledged_bulk_message_makes_room_for_one(app: Celery, taker: Taker) -> None:
    send(app, BULK, 5)
    taker.take()
    taker.messages[0].ack()
    assert taker.take() == [BULK] * (SLOTS + 1)
    assert taker.take() == [BULK] * (SLOTS + 1)


def test_a_bulk_message_that_goes_back_is_taken_again_with_its_fellows(app: Celery, taker: Taker) -> None:
    send(app, BULK, 1)
    taker.take()
    taker.messages[0].requeue()
    assert taker.take() == [BULK, BULK]
    assert taker.messages[1].headers["redelivered"] is True


def test_interactive_messages_come_first(app: Celery, taker: Taker) -> None:
    send(app, BULK, 2)
    send(app, INTERACTIVE, 2)
    assert taker.take() == [INTERACTIVE] * 2 + [BULK] * 2


def test_a_channel_acknowledges_with_one_client(
    app: Celery, taker: Taker, empty_valkey: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    create = redis.Redis.__init__
    monkeypatch.setattr(redis.Redis, "__init__", lambda self, *a, **k: (made.append(self), create(self, *a, **k))[1])
    send(app, INTERACTIVE, 5)
    taker.take()
    made.clear()
    for message in taker.messages:
        message.ack()
    assert made == []
    monkeypatch.undo()
    with redis.Redis.from_url(empty_valkey) as client:
        assert client.zcard("unacked_index") == client.hlen("unacked") == 0


def test_a_channel_whose_pool_was_renewed_has_a_new_client(taker: Taker) -> None:
    channel = taker.channel
    assert isinstance(channel, Channel)
    first = channel._create_client()
    assert channel._create_client() is first
    channel._disconnect_pools()
    second = channel._create_client()
    assert second is not first
    assert second.ping()


def test_what_a_worker_keeps_stays_taken_when_its_channel_closes_and_the_rest_goes_back(empty_valkey: str) -> None:
    held: set[str] = set()
    with celery_on("test", empty_valkey, kept=Kept(held.__contains__)) as app, redis.Redis.from_url(empty_valkey) as client:
        taker = Taker(app)
        send(app, INTERACTIVE, 3)
        taker.take()
        first = taker.messages[0]
        held.add(first.delivery_tag)
        taker.connection.collect()
        assert client.llen(INTERACTIVE) == 2
        assert client.zrange("unacked_index", 0, -1) == client.hkeys("unacked") == [first.delivery_tag.encode()]
        first.ack()
        assert client.zcard("unacked_index") == client.hlen("unacked") == 0


def test_what_is_kept_takes_its_places_on_the_next_channel_until_it_is_done_with(empty_valkey: str) -> None:
    held: set[str] = set()
    with celery_on("test", empty_valkey, kept=Kept(held.__contains__), bulk_slots=SLOTS) as app:
        before, after = Taker(app), Taker(app)
        send(app, BULK, 5)
        before.take()
        held.update(message.delivery_tag for message in before.messages)
        before.connection.collect()
        send(app, INTERACTIVE, 5)
        after.channel.basic_qos(0, SLOTS + 2, False)
        assert after.take() == [INTERACTIVE] * 2
        held.clear()
        assert sorted(after.take()) == [INTERACTIVE] * 4
        after.connection.release()


@pytest.mark.parametrize("late", ["ack", "requeue"])
def test_who_has_lost_a_message_does_not_touch_the_lease_of_its_next_delivery(
    app: Celery, taker: Taker, empty_valkey: str, late: str
) -> None:
    before = Taker(app)
    send(app, INTERACTIVE, 1)
    before.take()
    (old,) = before.messages
    before.connection.collect()  # puts the message back
    assert taker.take() == [INTERACTIVE]
    (new,) = taker.messages
    assert new.delivery_tag == new.properties["delivery_tag"] != old.delivery_tag
    with redis.Redis.from_url(empty_valkey) as client:
        getattr(old, late)()
        assert client.zrange("unacked_index", 0, -1) == client.hkeys("unacked") == [new.delivery_tag.encode()]
        assert client.llen(INTERACTIVE) == 0
        new.ack()
        assert client.zcard("unacked_index") == client.hlen("unacked") == 0


def test_who_stops_listening_puts_back_what_its_last_wait_brings(app: Celery, taker: Taker, empty_valkey: str) -> None:
    taker.take()
    assert taker.channel._in_poll, "it waits for a message"
    send(app, INTERACTIVE, 1)
    for tag in list(taker.channel._consumers):
        taker.channel.basic_cancel(tag)
    with redis.Redis.from_url(empty_valkey) as client:
        assert client.llen(INTERACTIVE) == 1
        assert client.zcard("unacked_index") == 0
    assert taker.messages == []


def test_encrypted_addresses_are_checked_and_plain_ones_are_not_encrypted() -> None:
    def ssl_of(url: str) -> Any:
        return celery_on("test", url).connection_for_write().ssl

    assert ssl_of("rediss://redis.example:6380/0")["ssl_cert_reqs"] == ssl.CERT_REQUIRED
    assert ssl_of("rediss://redis.example:6380/0?ssl_ca_certs=/ca.pem")["ssl_ca_certs"] == "/ca.pem"
    assert not ssl_of("redis://redis.example:6380/0")
