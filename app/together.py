"""Requests that come while others are being served are served together: one thread, one round trip, one message for all.

A lone request waits for nobody. Under load, what comes while one call runs makes up the next, and where more is to be gained a
call waits a few milliseconds for others: the more there is to do, the less each costs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Together(Generic[Item, Answer]):
    """Calls ``work`` with all the items of one moment, on a thread of its own, one call at a time.

    ``work`` answers each item in its place; an answer that is an exception is raised where the item came from, and what ``work``
    itself raises is raised everywhere. At most ``most`` items go into one call. ``patience`` says how many seconds a call of
    fewer than ``enough`` items waits for more.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Sequence[Answer | Exception]],
        name: str,
        *,
        most: int = 256,
        enough: int = 1,
        patience: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._work, self._most, self._enough, self._patience = work, most, enough, patience
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._waiting: list[tuple[Item, asyncio.Future[Answer]]] = []
        self._working = False
        self._timer: asyncio.TimerHandle | None = None

    async def __call__(self, item: Item) -> Answer:
        """The answer to ``item``."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((item, future))
        if not self._working:
            self._working = True
            loop.call_soon(self._begin)  # not at once: others of this turn of the loop come along
        elif self._timer is not None and len(self._waiting) >= self._enough:
            self._go_on()
        return await future

    def close(self) -> None:
        """End the thread, after the call that runs."""
        self._thread.shutdown(wait=True)

    def _begin(self) -> None:
        """Begin the next call, now or a little later."""
        seconds = self._patience() if 0 < len(self._waiting) < self._enough else 0.0
        if seconds > 0:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._go_on)
        else:
            self._go_on()

    def _go_on(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._waiting = [(item, future) for item, future in self._waiting if not future.done()]
        if not self._waiting:
            self._working = False
            return
        now, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        call = asyncio.get_running_loop().run_in_executor(self._thread, self._work, [item for item, _ in now])
        call.add_done_callback(lambda done: self._answer(now, done))

    def _answer(
        self, asked: list[tuple[Item, asyncio.Future[Answer]]], done: asyncio.Future[Sequence[Answer | Exception]]
    ) -> None:
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        answers = [error] * len(asked) if error is not None else done.result()
        for (_, future), answer in zip(asked, answers, strict=True):
            if future.done():  # its client has left
                continue
            if isinstance(answer, BaseException):
                future.set_exception(answer)
            else:
                future.set_result(answer)
        self._begin()


class Apart:
    """The contrary, for calls that others should not wait for: each is made on a thread of its own, ``most`` at a time."""

    def __init__(self, name: str, *, most: int = 32) -> None:
        self._threads = ThreadPoolExecutor(most, thread_name_prefix=name)

    async def __call__(self, call: Callable[[], Answer]) -> Answer:
        """What ``call`` returns or raises."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def close(self) -> None:
        """End the threads, after the calls that run."""
        self._threads.shutdown(wait=True)


def each(calls: Sequence[Callable[[], Answer]]) -> list[Answer | Exception]:
    """What ``calls`` return or raise, one after the other: `work` for a `Together` that saves nothing but changes of thread."""
    answers: list[Answer | Exception] = []
    for call in calls:
        try:
            answers.append(call())
        except Exception as error:
            answers.append(error)
    return answers
