"""Leaves alone who has just failed to answer, so that an outage costs a few callers their wait and not every caller."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from galaxies.errors import Transient


class Breaker:
    """Lets calls through until one fails; then none for ``seconds``, then one at a time until one is answered. Safe to share
    between threads.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._lock = threading.Lock()
        self._failure: Transient | None = None
        self._until = 0.0
        self._trying = False

    @contextmanager
    def call(self) -> Iterator[None]:
        """Around a call. `Transient` says that it was not answered; any other error is an answer.

        Raises
        ------
        Transient : the call is not to be made; the words are those of the failure before.
        """
        self._begin()
        try:
            yield
        except Transient as error:
            self._end(error)
            raise
        except BaseException:
            self._end(None)
            raise
        self._end(None)

    def _begin(self) -> None:
        with self._lock:
            if self._failure is None:
                return
            if self._trying or self._clock() < self._until:
                raise Transient(self._failure.message)
            self._trying = True

    def _end(self, failure: Transient | None) -> None:
        with self._lock:
            self._failure, self._trying = failure, False
            self._until = self._clock() + self._seconds
