"""Wakes requests that wait for jobs: one subscription to the announced changes, however many wait.

Announcements carry the phase, so a waiter costs no read of its own. The latest are remembered, because a job may end between its
creation and the wait for it. A slow poll, one round trip for all, makes up for what was missed while Redis was out of reach.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from galaxies.jobs import Phase
from jobstore.layout import CHANGES, PREFIX
from telemetry.outages import Outage

RECONNECT_SECONDS = 0.5
CANCEL_SECONDS = 0.1
REMEMBERED = 10_000
GONE = "GONE"
_PHASES = frozenset(Phase)
Ended = Callable[[Phase | None], bool]
log = structlog.get_logger("app.waiting")


class Watched:
    """A job that a stream follows."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def wake(self) -> None:
        """Something has happened."""
        self._changed.set()

    async def next(self, seconds: float) -> None:
        """Return at the next change, or after ``seconds``."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        self._changed.clear()


class Changes:
    """Lets coroutines wait for jobs. ``async with`` runs its two tasks. ``watched`` counts what `watch` follows, ``closing`` says
    that the service stops.
    """

    def __init__(self, client: Redis, poll_seconds: float) -> None:
        self._client: Any = client
        self._poll_seconds = poll_seconds
        self._waiters: dict[str, list[tuple[Ended, asyncio.Future[None]]]] = {}
        self._latest: OrderedDict[str, Phase | None] = OrderedDict()
        self._watched: dict[str, set[Watched]] = {}
        self.watched = 0
        self.closing = False
        self._listening = False
        self._look_now = asyncio.Event()

    async def __aenter__(self) -> Changes:
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._poll())]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.closing = True
        left = set(self._tasks)
        while left:  # redis-py loses a cancellation that comes while it connects (measured): say it again
            for task in left:
                task.cancel()
            left = (await asyncio.wait(left, timeout=CANCEL_SECONDS))[1]
        await self._client.aclose()

    @property
    def waiting(self) -> int:
        """For how many jobs somebody waits."""
        return len(self._waiters)

    def latest(self, job_id: str) -> Phase | None:
        """The phase that was announced last, if that was lately."""
        return self._latest.get(job_id)

    async def wait(self, job_id: str, until: Ended, seconds: float) -> bool:
        """Wait until ``until(phase)`` holds (phase None: the job is gone), at most ``seconds``; returns whether it does."""
        if job_id in self._latest and until(self._latest[job_id]):
            return True
        if self.closing:
            return False
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (until, future)
        self._waiters.setdefault(job_id, []).append(entry)
        if not self._listening:
            self._look_now.set()
        try:
            async with asyncio.timeout(seconds):
                await future
        except TimeoutError:
            return False
        finally:
            with contextlib.suppress(KeyError, ValueError):
                self._waiters[job_id].remove(entry)
                if not self._waiters[job_id]:
                    del self._waiters[job_id]
        return True

    @contextlib.contextmanager
    def watch(self, job_id: str) -> Iterator[Watched]:
        """Hear of every announced change of a job, for as long as the context lasts."""
        watched = Watched()
        self._watched.setdefault(job_id, set()).add(watched)
        self.watched += 1
        try:
            yield watched
        finally:
            self.watched -= 1
            self._watched[job_id].discard(watched)
            if not self._watched[job_id]:
                del self._watched[job_id]

    def release(self) -> None:
        """Let everything that waits go on, as the service stops: whoever waited for a job is told how far it is."""
        self.closing = True
        for entries in self._waiters.values():
            for _, future in entries:
                if not future.done():
                    future.set_result(None)
        for group in self._watched.values():
            for watched in group:
                watched.wake()

    async def _listen(self) -> None:
        lost = Outage(log, "announcements lost", "announcements heard again")
        while not self.closing:
            try:
                async with self._client.pubsub(ignore_subscribe_messages=True) as subscription:
                    await subscription.subscribe(CHANGES)
                    self._listening = True
                    lost.went_well()
                    self._look_now.set()
                    async for message in subscription.listen():
                        self._hear(message["data"])
            except (RedisError, OSError, UnicodeDecodeError) as error:
                lost.failed(error)
            finally:
                self._listening = False
                self._latest.clear()
            await asyncio.sleep(RECONNECT_SECONDS)

    def _hear(self, announcement: str) -> None:
        job_id, _, name = announcement.partition(" ")
        try:
            phase = None if name == GONE else Phase(name)
        except ValueError:
            log.warning("announcement not understood", announcement=announcement[:100])
            return
        self._latest[job_id] = phase
        self._latest.move_to_end(job_id)
        if len(self._latest) > REMEMBERED:
            self._latest.popitem(last=False)
        self._wake(job_id, phase)

    async def _poll(self) -> None:
        while not self.closing:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll_seconds):
                    await self._look_now.wait()
            self._look_now.clear()
            job_ids = list(self._waiters)
            if not job_ids:
                continue
            try:
                phases = await self._phases(job_ids)
            except (RedisError, OSError):
                await asyncio.sleep(RECONNECT_SECONDS)
                continue
            for job_id, phase in phases.items():
                self._wake(job_id, phase)

    async def _phases(self, job_ids: list[str]) -> dict[str, Phase | None]:
        """Phases of those jobs whose phase we know the name of; None for those that are gone."""
        async with self._client.pipeline(transaction=False) as pipe:
            for job_id in job_ids:
                pipe.hget(f"{PREFIX}job:{job_id}", "phase")
            names = dict(zip(job_ids, await pipe.execute(), strict=True))
        return {job_id: name and Phase(name) for job_id, name in names.items() if name is None or name in _PHASES}

    def _wake(self, job_id: str, phase: Phase | None) -> None:
        for watched in self._watched.get(job_id, ()):
            watched.wake()
        for until, future in self._waiters.get(job_id, []):
            if not future.done() and until(phase):
                future.set_result(None)


def ended(phase: Phase | None) -> bool:
    """Whether nothing more will happen to a job."""
    return phase is None or phase.ended
