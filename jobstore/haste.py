"""For who answers clients: a server that is silent costs a few callers their wait, and not every caller.

One that refuses costs nobody anything; one that is paused, cut off or stuck with its disk takes the whole timeout of every call,
and calls that are made one after the other wait for each.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from redis.backoff import NoBackoff
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from galaxies.errors import Transient
from jobstore.breaker import Breaker


class Haste(Retry):
    """redis-py's retries, which all connections of a client share: none, and after a call that was not answered in time no call
    for ``seconds``, then one at a time until one is answered. Those that are not made raise the error of the one before.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(NoBackoff(), 0)
        self._breaker = Breaker(seconds)
        self._here = threading.local()

    def __deepcopy__(self, memo: dict[int, Any]) -> Haste:
        """Itself: redis-py copies what it is given for each connection."""
        return self

    def call_with_retry(self, do: Callable[[], Any], fail: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """What ``do`` returns.

        Raises
        ------
        redis.TimeoutError : it was not answered in time, or is not to be made.
        """
        if getattr(self._here, "calls", False):  # a call that has to connect first
            return super().call_with_retry(do, fail, *args, **options)
        try:
            with self._breaker.call(), self._calling():
                return super().call_with_retry(do, fail, *args, **options)
        except Transient as silent:
            raise RedisTimeoutError(silent.message) from None

    @contextmanager
    def _calling(self) -> Iterator[None]:
        self._here.calls = True
        try:
            yield
        except RedisTimeoutError as error:
            raise Transient(str(error)) from None
        finally:
            self._here.calls = False
