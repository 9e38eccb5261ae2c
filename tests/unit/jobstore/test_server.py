"""What the queue server can take."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import redis
from redis.exceptions import ResponseError

from jobstore.server import Memory, check_writable, memory

pytestmark = pytest.mark.integration
Setting = Callable[[str, object], None]


@pytest.fixture
def client(empty_valkey: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(empty_valkey, decode_responses=True) as client:
        yield client


def test_a_server_that_takes_writes_takes_one_that_goes_by_itself(client: redis.Redis) -> None:
    check_writable(client)
    (name,) = client.keys()
    assert 0 < client.ttl(name) <= 60


@pytest.mark.parametrize(("setting", "value"), [("min-replicas-to-write", 1), ("maxmemory", 1)])
def test_a_server_that_takes_no_writes_is_found_out(
    client: redis.Redis, server_setting: Setting, setting: str, value: int
) -> None:
    check_writable(client)
    server_setting(setting, value)
    assert client.ping()
    with pytest.raises(ResponseError):
        check_writable(client)


def test_memory_is_what_the_server_says(client: redis.Redis, server_setting: Setting) -> None:
    assert memory(client).most == 0
    server_setting("maxmemory", 10**9)
    found = memory(client)
    assert found.most == 10**9
    assert 10**5 < found.used < 10**9


def test_memory_is_full_before_its_bound_and_without_one_never() -> None:
    assert [Memory(used, 1000).full for used in (0, 940, 950, 2000)] == [False, False, True, True]
    assert not Memory(2000, 0).full
