"""How many pixels of jobs a worker finishes a second while it is busy: what waiting times are reckoned with."""

from __future__ import annotations

import time
from collections.abc import Callable

HALF_LIFE_SECONDS = 20.0
"""Busy seconds after which what was measured counts half."""
LEAST_SECONDS = 0.02


class Throughput:
    """Counts pixels over the time in which at least one job runs. Not safe to share: its owner holds a lock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pixels = self._seconds = 0.0
        self._since: float | None = None

    def busy(self, is_busy: bool) -> None:
        """Whether jobs run from now on."""
        self._advance()
        self._since = self._clock() if is_busy else None

    def made(self, pixels: float) -> None:
        """So many pixels more were made."""
        self._advance()
        self._pixels += pixels

    @property
    def pixels_per_second(self) -> float:
        """0 while too little was measured."""
        self._advance()
        return self._pixels / self._seconds if self._seconds >= LEAST_SECONDS else 0.0

    def _advance(self) -> None:
        if self._since is None:
            return
        now = self._clock()
        passed, self._since = now - self._since, now
        fade = 0.5 ** (passed / HALF_LIFE_SECONDS)
        self._pixels *= fade
        self._seconds = self._seconds * fade + passed
