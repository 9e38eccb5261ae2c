from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from functools import wraps
from typing import Any

import pytest

from app.queue import MOST_JOBS, SMALL_IMAGES, messages
from app.together import Together, each
from tests.strategies import generate_body, style_card
from tests.worker_fakes import make_job


def in_a_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """A test that is a coroutine."""

    @wraps(test)
    def run() -> None:
        asyncio.run(test())

    return run


@in_a_loop
async def test_what_comes_while_a_call_runs_makes_up_the_next() -> None:
    calls: list[list[int]] = []
    go = threading.Event()

    def work(items: Sequence[int]) -> list[int]:
        calls.append(list(items))
        assert go.wait(10)
        return [2 * item for item in items]

    together = Together(work, "test", most=3)
    first = asyncio.create_task(together(0))
    while not calls:
        await asyncio.sleep(0.001)
    others = [asyncio.create_task(together(item)) for item in range(1, 6)]
    await asyncio.sleep(0.01)
    others[1].cancel()
    go.set()
    answers = await asyncio.gather(first, *others, return_exceptions=True)
    together.close()
    assert calls == [[0], [1, 3, 4], [5]]
    assert [a for a in answers if isinstance(a, int)] == [0, 2, 6, 8, 10]


@in_a_loop
async def test_items_of_one_turn_of_the_loop_go_together_and_a_lone_one_at_once() -> None:
    calls: list[int] = []

    def work(items: Sequence[int]) -> Sequence[int]:
        calls.append(len(items))
        return items

    together = Together(work, "test")
    assert await together(1) == 1
    assert await asyncio.gather(*(together(item) for item in range(5))) == list(range(5))
    together.close()
    assert calls == [1, 5]


@in_a_loop
async def test_a_call_waits_for_enough_items_but_not_longer_than_its_patience() -> None:
    calls: list[int] = []

    def work(items: Sequence[int]) -> Sequence[int]:
        calls.append(len(items))
        return items

    patient = Together(work, "test", enough=3, patience=lambda: 60.0)
    first = asyncio.create_task(patient(1))
    await asyncio.sleep(0.02)
    assert calls == []
    assert await asyncio.gather(first, patient(2), patient(3)) == [1, 2, 3]
    patient.close()
    hasty = Together(work, "test", enough=3, patience=lambda: 0.01)
    assert await hasty(4) == 4
    hasty.close()
    assert calls == [3, 1]


@in_a_loop
async def test_an_error_goes_where_it_belongs_and_the_next_call_is_served() -> None:
    def work(items: Sequence[int]) -> list[int | Exception]:
        if 13 in items:
            raise RuntimeError("all of them")
        return [ValueError(item) if item % 2 else item for item in items]

    together = Together(work, "test")
    answers = await asyncio.gather(*(together(item) for item in range(3)), return_exceptions=True)
    assert [str(a) for a in answers] == ["0", "1", "2"]
    assert isinstance(answers[1], ValueError)
    with pytest.raises(RuntimeError, match="all"):
        await together(13)
    assert await together(4) == 4
    together.close()


def test_each_keeps_errors_in_their_places() -> None:
    def fail() -> int:
        raise ValueError("no")

    good, bad = each([lambda: 1, fail])
    assert good == 1
    assert isinstance(bad, ValueError)


def test_messages_share_small_jobs_among_the_workers_and_hold_every_job_once() -> None:
    card = style_card()
    small = [make_job(card, generate_body([seed])) for seed in range(20)]
    bulk = [make_job(card, generate_body([seed]), priority="bulk") for seed in range(3)]
    large = [make_job(card, generate_body(list(range(SMALL_IMAGES + 1))))]
    for workers in (0, 1, 2, 4, 100):
        found = messages([*small, *bulk, *large], workers)
        assert sorted(job.id for message in found for job in message) == sorted(job.id for job in (*small, *bulk, *large))
        assert all(len({job.priority for job in message}) == 1 for message in found)
        assert all(len(message) == 1 for message in found if message[0] in large)
        assert max(map(len, found)) <= MOST_JOBS
        assert len([m for m in found if m[0] in small]) >= min(workers, len(small))
    assert messages([], 2) == []
