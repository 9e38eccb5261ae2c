"""How many requests a minute callers make: counted in Redis, for all API processes together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from jobstore.layout import PREFIX

ANSWER_SECONDS = 5
"""How long Redis may take to answer, here and wherever an API asks it."""

# KEYS rate of a caller; ARGV requests a minute. Returns 0, or the whole seconds until the next request is allowed: a bucket that
# holds a minute's requests and fills up evenly, kept as the time at which it is full again.
RATE = """
local now = redis.call('TIME')
now = tonumber(now[1]) + tonumber(now[2]) / 1e6
local full = math.max(now, tonumber(redis.call('GET', KEYS[1]) or '0')) + 60 / tonumber(ARGV[1])
if full - now > 60 + 1e-6 then return math.max(1, math.ceil(full - now - 60)) end
redis.call('SET', KEYS[1], string.format('%.6f', full), 'EX', 61)
return 0
"""


class Rates:
    """Counts requests with ``script``, `RATE` on an asynchronous client. Used on one event loop.

    A server that is silent costs those their wait who are there when it falls silent, and all of them together one. Until it
    answers again no request waits and none is refused: one at a time is counted aside, to find out whether it does. `Breaker`
    would let that one wait, which is every one where they come seldom.
    """

    def __init__(self, script: Callable[..., Awaitable[Any]]) -> None:
        self._script = script
        self._silent = False
        self._waits: set[asyncio.Timeout] = set()
        self._aside: asyncio.Task[None] | None = None

    async def count(self, owner: str, requests_per_minute: int) -> int:
        """Count a request of ``owner``; 0, or the seconds until its next one is allowed.

        Raises
        ------
        RedisError, TimeoutError : nobody knows, as Redis refuses or is silent.
        """
        if not self._silent:
            return await self._asked(owner, requests_per_minute)
        if self._aside is None or self._aside.done():
            self._aside = asyncio.create_task(self._find_out(owner, requests_per_minute))
        raise TimeoutError("Redis has not answered lately")

    def close(self) -> None:
        """Give up what is counted aside."""
        if self._aside is not None:
            self._aside.cancel()

    async def _asked(self, owner: str, requests_per_minute: int) -> int:
        try:
            async with asyncio.timeout(ANSWER_SECONDS) as wait:
                self._waits.add(wait)
                try:
                    seconds = int(await self._script(keys=[f"{PREFIX}rate:{owner}"], args=[requests_per_minute]))
                finally:
                    self._waits.discard(wait)
        except (TimeoutError, RedisTimeoutError):
            self._fall_silent()
            raise
        except RedisError:  # that is an answer too, and one that takes no time
            self._silent = False
            raise
        self._silent = False
        return seconds

    def _fall_silent(self) -> None:
        """From now on nobody waits, nor do those any longer who came after the first."""
        if self._silent:
            return
        self._silent = True
        for wait in self._waits:
            if not wait.expired():
                wait.reschedule(asyncio.get_running_loop().time())

    async def _find_out(self, owner: str, requests_per_minute: int) -> None:
        with contextlib.suppress(RedisError, OSError):
            await self._asked(owner, requests_per_minute)
