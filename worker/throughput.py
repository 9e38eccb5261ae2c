"""How fast a worker is while it is busy: what waiting times are reckoned with.

Pixels a second say little of a job of another size: one galaxy takes as long as its message, its record and its file, a thousand
as long as their pixels. So both are fitted to what was measured: seconds ≈ jobs × seconds a job + pixels × seconds a pixel, by
least squares over stretches of `STRETCH_SECONDS` busy seconds. Where jobs were all alike, which says nothing of the two apart, a
pixel is taken to cost what the engine spent on it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

HALF_LIFE_SECONDS = 20.0
"""Busy seconds after which what was measured counts half."""
STRETCH_SECONDS = 1.0
LEAST_SECONDS = 0.02
TRUST_IN_ENGINE = 0.01
"""How much the engine's seconds a pixel count, beside all that was measured."""


class Costs(NamedTuple):
    """What a job takes while the worker is busy: so many seconds itself, and so many for each of its pixels. 0: not measured."""

    seconds_per_job: float = 0.0
    seconds_per_pixel: float = 0.0


class Throughput:
    """Counts jobs and pixels over the time in which at least one job runs. Not safe to share: its owner holds a lock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._now, self._faded = np.zeros(4), np.zeros(4)  # jobs, pixels, busy seconds, the engine's seconds
        self._products = np.zeros((4, 4))
        self._since: float | None = None

    def busy(self, is_busy: bool) -> None:
        """Whether jobs run from now on."""
        self._advance()
        self._since = self._clock() if is_busy else None

    def made(self, pixels: float, engine_seconds: float = 0.0, jobs: int = 0) -> None:
        """So many pixels more were made, for which the engine took so long, and so many jobs ended."""
        self._advance()
        self._now += (jobs, pixels, 0.0, engine_seconds)

    @property
    def pixels_per_second(self) -> float:
        """Of the jobs of the last while, whatever their sizes; 0 while too little was measured."""
        self._advance()
        _, pixels, seconds, _ = self._faded + self._now
        return float(pixels / seconds) if seconds >= LEAST_SECONDS else 0.0

    @property
    def costs(self) -> Costs:
        """What jobs of any size take; nothing while too little was measured."""
        self._advance()
        _, pixels, seconds, engine = self._faded + self._now
        if seconds < LEAST_SECONDS or pixels < 1:
            return Costs()
        (jj, jp, jt, _), (_, pp, pt, _), *_ = self._products + np.outer(self._now, self._now)
        if jj * pp <= 0:
            return Costs(0.0, float(seconds / pixels))
        trust = TRUST_IN_ENGINE * pp
        per_job, per_pixel = np.linalg.solve([[jj, jp], [jp, pp + trust]], [jt, pt + trust * engine / pixels])
        if per_job < 0:
            return Costs(0.0, float(pt / pp))
        return Costs(float(per_job), float(per_pixel)) if per_pixel > 0 else Costs(float(jt / jj), 0.0)

    def _advance(self) -> None:
        if self._since is None:
            return
        now = self._clock()
        passed, self._since = now - self._since, now
        self._now[2] += passed
        if self._now[2] >= STRETCH_SECONDS:
            fade = 0.5 ** (self._now[2] / HALF_LIFE_SECONDS)
            self._faded = self._faded * fade + self._now
            self._products = self._products * fade + np.outer(self._now, self._now)
            self._now = np.zeros(4)
