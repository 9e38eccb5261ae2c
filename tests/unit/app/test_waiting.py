"""Waiting for jobs: wakes at once, misses nothing while Redis is away, and ends when told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from unittest.mock import Mock

import pytest
import redis
import redis.asyncio

from app.waiting import Changes, ended
from jobstore.layout import CHANGES, PREFIX

SLOW_POLL = 30.0
JOB = PREFIX + "job:a"


def waits(url: str, poll: float, act: Callable[[Changes, redis.Redis], Awaitable[float]]) -> float:
    """Run ``act`` with a listener that is connected; returns what it returns."""

    async def run() -> float:
        client = redis.asyncio.Redis.from_url(url, decode_responses=True)
        async with Changes(client, poll) as changes:
            await asyncio.sleep(0.3)
            return await act(changes, redis.Redis.from_url(url))

    return asyncio.run(run())


async def until_ended(changes: Changes) -> float:
    begun = time.monotonic()
    assert await changes.wait("a", ended, 20)
    return time.monotonic() - begun


def test_an_announcement_wakes_without_a_poll(empty_valkey: str) -> None:
    async def act(changes: Changes, client: redis.Redis) -> float:
        asyncio.get_running_loop().call_later(0.2, client.publish, CHANGES, "a COMPLETED")
        return await until_ended(changes)

    assert 0.1 < waits(empty_valkey, SLOW_POLL, act) < 5


@pytest.mark.parametrize("words", ["a DREAMING", "", "a", b"a \xff"])
def test_an_announcement_that_is_not_understood_is_passed_over(empty_valkey: str, words: str | bytes) -> None:
    async def act(changes: Changes, client: redis.Redis) -> float:
        client.publish(CHANGES, words)
        await asyncio.sleep(1)
        asyncio.get_running_loop().call_later(0.2, client.publish, CHANGES, "a COMPLETED")
        return await until_ended(changes)

    assert 0.1 < waits(empty_valkey, SLOW_POLL, act) < 5


def test_a_phase_that_is_not_understood_does_not_end_the_poll(empty_valkey: str) -> None:
    async def act(changes: Changes, client: redis.Redis) -> float:
        client.hset(JOB, "phase", "DREAMING")
        asyncio.get_running_loop().call_later(0.7, client.hset, JOB, "phase", "COMPLETED")
        return await until_ended(changes)

    assert 0.5 < waits(empty_valkey, 0.2, act) < 5


def test_an_end_before_the_wait_is_not_missed(empty_valkey: str) -> None:
    async def act(changes: Changes, client: redis.Redis) -> float:
        client.publish(CHANGES, "a GONE")
        await asyncio.sleep(0.2)
        return await until_ended(changes)

    assert waits(empty_valkey, SLOW_POLL, act) < 0.1


def test_an_unannounced_change_is_found_by_the_poll(empty_valkey: str) -> None:
    async def act(changes: Changes, client: redis.Redis) -> float:
        client.hset(JOB, "phase", "QUEUED")
        asyncio.get_running_loop().call_later(0.2, client.hset, JOB, "phase", "ERROR")
        return await until_ended(changes)

    assert waits(empty_valkey, 0.3, act) < 5


def test_a_change_during_a_lost_connection_is_found_on_the_new_one(empty_valkey: str) -> None:
    async def act(changes: Changes, client: redis.Redis) -> float:
        client.hset(JOB, "phase", "EXECUTING")
        waiting = asyncio.create_task(until_ended(changes))
        await asyncio.sleep(0.1)
        client.client_kill_filter(_type="pubsub")
        client.hset(JOB, "phase", "COMPLETED")
        return await waiting

    assert waits(empty_valkey, SLOW_POLL, act) < 10


def test_a_wait_ends_in_time(empty_valkey: str) -> None:
    async def act(changes: Changes, client: redis.Redis) -> float:
        begun = time.monotonic()
        assert not await changes.wait("a", lambda phase: False, 0.3)
        return time.monotonic() - begun

    assert 0.25 < waits(empty_valkey, 0.1, act) < 3


def test_starting_and_stopping_at_once_does_not_hang(empty_valkey: str) -> None:
    async def run() -> None:
        for i in range(40):
            async with Changes(redis.asyncio.Redis.from_url(empty_valkey, decode_responses=True), 1):
                await asyncio.sleep(i / 4000)

    begun = time.monotonic()
    asyncio.run(run())
    assert time.monotonic() - begun < 15


def test_an_outage_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    log = Mock()
    monkeypatch.setattr("app.waiting.log", log)
    monkeypatch.setattr("app.waiting.RECONNECT_SECONDS", 0.01)

    async def act(changes: Changes, client: redis.Redis) -> float:
        return 0.0

    waits("redis://127.0.0.1:1", SLOW_POLL, act)
    log.warning.assert_called_once()


def test_the_end_of_an_outage_is_told_once(empty_valkey: str, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Mock()
    monkeypatch.setattr("app.waiting.log", log)
    monkeypatch.setattr("app.waiting.RECONNECT_SECONDS", 0.01)

    async def act(changes: Changes, client: redis.Redis) -> float:
        client.client_kill_filter(_type="pubsub")
        await asyncio.sleep(0.5)
        return 0.0

    waits(empty_valkey, SLOW_POLL, act)
    log.warning.assert_called_once()
    log.info.assert_called_once_with("announcements heard again")
