from __future__ import annotations

import copy

import pytest
import redis
from redis.exceptions import ConnectionError as Refused
from redis.exceptions import TimeoutError as Silent

from jobstore.haste import Haste
from tests.programs import silent


def test_of_many_calls_to_a_silent_server_one_waits(empty_valkey: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client = redis.Redis.from_url(empty_valkey, socket_timeout=0.3, retry=Haste(3600))
    client.ping()
    sent: list[object] = []
    send = redis.Connection.send_packed_command
    with silent(empty_valkey):
        monkeypatch.setattr(redis.Connection, "send_packed_command", lambda *a, **k: (sent.append(a), send(*a, **k)))
        for _ in range(20):
            with pytest.raises(Silent):
                client.get("key")
            with pytest.raises(Silent):
                client.pipeline(transaction=False).get("key").get("other").execute()
    assert len(sent) == 1
    with pytest.raises(Silent):
        client.ping()  # it rests still


def test_a_server_that_speaks_again_is_asked_again(empty_valkey: str) -> None:
    client = redis.Redis.from_url(empty_valkey, socket_timeout=0.3, retry=Haste(0))
    with silent(empty_valkey):
        for _ in range(2):
            with pytest.raises(Silent):
                client.ping()
    for _ in range(3):
        assert client.ping()


def test_one_that_refuses_is_asked_every_time() -> None:
    haste, calls = Haste(3600), list[int]()

    def refuse() -> None:
        calls.append(1)
        raise Refused("refused")

    for _ in range(3):
        with pytest.raises(Refused):
            haste.call_with_retry(refuse, lambda error: None)
    assert len(calls) == 3


def test_all_connections_share_it() -> None:
    haste = Haste(1)
    assert copy.deepcopy(haste) is haste
