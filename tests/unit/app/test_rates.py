"""Callers' requests are counted where Redis answers; where it is silent they are not, and they do not wait for it one by one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import pytest
from redis.exceptions import ConnectionError as Refused
from redis.exceptions import TimeoutError as Silent

from app.rates import Rates

NET_SECONDS = 60
"""For a test that would wait for ever; none that passes comes near it."""


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for Redis waits for ever, so tests end by what the server does alone."""
    monkeypatch.setattr("app.rates.ANSWER_SECONDS", 1e6)


def in_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test that is a coroutine."""

    @wraps(test)
    def run(**fixtures: Any) -> None:
        asyncio.run(asyncio.wait_for(test(**fixtures), NET_SECONDS))

    return run


class Server:
    """The script, run by a server that counts, or raises ``error``, or says nothing: from `hush` to `speak`."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.error: Exception | None = None
        self._speaks = asyncio.Event()
        self.speak()

    def speak(self) -> None:
        self._speaks.set()

    def hush(self) -> None:
        self._speaks.clear()

    async def __call__(self, keys: list[str], args: list[int]) -> int:
        self.asked += keys
        if self.error is not None:
            raise self.error
        await self._speaks.wait()
        return max(0, len(self.asked) - args[0])


async def soon(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0)


async def uncounted(rates: Rates, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises((TimeoutError, Silent)):
            await rates.count("alice", 10)


async def counted(rates: Rates) -> int:
    """What the first request hears that is counted."""
    while True:
        with contextlib.suppress(TimeoutError):
            return await rates.count("alice", 2)
        await asyncio.sleep(0)


@in_a_loop
async def test_requests_are_counted_for_each_caller() -> None:
    rates = Rates(server := Server())
    assert [await rates.count(owner, 1) for owner in ("alice", "bob")] == [0, 1]
    assert server.asked == ["galsynth:rate:alice", "galsynth:rate:bob"]


@in_a_loop
async def test_of_several_requests_one_waits_for_a_silent_server(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = Rates(server := Server())
    server.hush()
    with monkeypatch.context() as once:
        once.setattr("app.rates.ANSWER_SECONDS", 0.01)
        await uncounted(rates)
    await uncounted(rates, 20)
    await soon(lambda: len(server.asked) == 2)
    await uncounted(rates, 20)
    assert len(server.asked) == 2, "the first, and one aside"
    rates.close()


@in_a_loop
async def test_who_waits_with_the_first_waits_no_longer_than_it() -> None:
    rates = Rates(server := Server())
    server.hush()
    others = [asyncio.create_task(uncounted(rates)) for _ in range(5)]
    await soon(lambda: len(server.asked) == 5)
    server.error = Silent("Timeout connecting to server")
    await uncounted(rates)
    await asyncio.gather(*others)


@in_a_loop
async def test_once_the_server_answers_requests_are_counted_again() -> None:
    rates = Rates(server := Server())
    server.error = Silent("Timeout connecting to server")
    await uncounted(rates)
    server.error = None
    server.hush()
    await uncounted(rates, 3)
    await soon(lambda: len(server.asked) == 2)
    server.speak()
    assert await counted(rates) == len(server.asked) - 2


@in_a_loop
async def test_a_server_that_refuses_is_asked_every_time() -> None:
    rates = Rates(server := Server())
    server.error = Refused("refused")
    for _ in range(3):
        with pytest.raises(Refused):
            await rates.count("alice", 10)
    assert len(server.asked) == 3


@in_a_loop
async def test_one_that_refuses_after_a_silence_is_silent_no_more() -> None:
    rates = Rates(server := Server())
    server.error = Silent("Timeout connecting to server")
    await uncounted(rates)
    server.error = Refused("refused")
    await uncounted(rates)
    with pytest.raises(Refused):
        await counted(rates)


@in_a_loop
async def test_what_is_counted_aside_ends_with_the_service() -> None:
    rates, before = Rates(server := Server()), asyncio.all_tasks()
    server.error = Silent("Timeout connecting to server")
    await uncounted(rates)
    server.error = None
    server.hush()
    await uncounted(rates)
    await soon(lambda: len(server.asked) == 2)
    rates.close()
    (aside,) = asyncio.all_tasks() - before
    await asyncio.wait({aside})
    assert aside.cancelled()
