"""How fast a worker is while it is busy, and what its jobs take: what waiting times are reckoned with.

Pixels a second say little of a job of another kind: one galaxy takes as long as its message, its record and its file, a thousand
as long as the network needs for them, a large film as long as its encoding. So the three are told apart, by fitting

    seconds = jobs × seconds a job + network pixels × seconds each + encoded pixels × seconds each

to stretches of at least `STRETCH_SECONDS` busy seconds, by least squares without negative costs. What is made and encoded counts
as it comes: of films side by side the first to end has not taken all. Where jobs were all alike, which says nothing of the three
apart, a network pixel is taken to cost what the engine spent on it, and the rest is the jobs' own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from jobstore.workers import Costs

HALF_LIFE_SECONDS = 20.0
"""Busy seconds after which what was measured counts half."""
STRETCH_SECONDS = 1.0
LEAST_SECONDS = 0.02
TRUST = (0.0, 0.1, 0.001)
"""How much it counts beside all that was measured that a network pixel takes what the engine says, and an encoded one nothing."""

_JOBS, _NETWORK, _ENCODED, _SECONDS, _ENGINE, _SHOWN = range(6)


class Throughput:
    """Counts jobs and pixels over the time in which at least one job runs. Not safe to share: its owner holds a lock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._now, self._faded = np.zeros(6), np.zeros(6)
        self._products = np.zeros((6, 6))
        self._since: float | None = None

    def busy(self, is_busy: bool) -> None:
        """Whether jobs run from now on."""
        self._advance()
        self._since = self._clock() if is_busy else None

    def made(self, network_pixels: float, shown_pixels: float, encoded_pixels: float, engine_seconds: float) -> None:
        """Images were made, or encoded: pixels of the network, pixels as `galaxies.resolve.pixel_count` has them of what was made
        and of what was encoded, the engine's seconds.
        """
        self._advance()
        self._now[[_NETWORK, _SHOWN, _ENCODED, _ENGINE]] += network_pixels, shown_pixels, encoded_pixels, engine_seconds
        self._look_back()

    def ended(self, jobs: int) -> None:
        """So many jobs have ended."""
        self._advance()
        self._now[_JOBS] += jobs
        self._look_back()

    def _look_back(self) -> None:
        """End a stretch that is long enough."""
        if self._now[_SECONDS] >= STRETCH_SECONDS:
            fade = 0.5 ** (self._now[_SECONDS] / HALF_LIFE_SECONDS)
            self._faded = self._faded * fade + self._now
            self._products = self._products * fade + _product(self._now)
            self._now = np.zeros(6)

    @property
    def pixels_per_second(self) -> float:
        """Of the jobs of the last while, whatever their kinds; 0 while too little was measured."""
        self._advance()
        total = self._faded + self._now
        return float(total[_SHOWN] / total[_SECONDS]) if total[_SECONDS] >= LEAST_SECONDS else 0.0

    @property
    def costs(self) -> Costs:
        """What jobs of any kind take; nothing while too little was measured."""
        self._advance()
        total, products = self._faded, self._products
        if total[_SECONDS] == 0:
            total, products = self._now, _product(self._now)
        if total[_SECONDS] < LEAST_SECONDS or total[_ENCODED] < 1:
            return Costs()
        left, right = products[:3, :3], products[:3, _SECONDS]
        trust = TRUST * np.diag(left)
        right = right + trust * np.array([0.0, total[_ENGINE] / max(total[_NETWORK], 1.0), 0.0])
        per_job, network, encoded = _not_negative(left + np.diag(trust), right)
        return Costs(
            per_job=per_job,
            per_network_pixel=network,
            per_shown_pixel=encoded,
            per_pixel=network * float(total[_NETWORK] / max(total[_SHOWN], 1.0)) + encoded,
        )

    def _advance(self) -> None:
        if self._since is None:
            return
        now = self._clock()
        self._now[_SECONDS] += now - self._since
        self._since = now


def _product(stretch: NDArray[np.float64]) -> NDArray[np.float64]:
    """The products of what a stretch counted; it weighs as much as it is long."""
    product: NDArray[np.float64] = np.outer(stretch, stretch) / max(stretch[_SECONDS], LEAST_SECONDS)
    return product


def _not_negative(left: NDArray[np.float64], right: NDArray[np.float64]) -> list[float]:
    """x ≥ 0 with the least x·left·x - 2 x·right: of all choices of which are 0 the best one that has none below 0."""
    best, least = np.zeros(3), 0.0
    scale = np.sqrt(np.maximum(np.diag(left), 1e-300))
    left, right = left / np.outer(scale, scale), right / scale
    for chosen in (list(choice) for size in (1, 2, 3) for choice in combinations(range(3), size)):
        x = np.zeros(3)
        x[chosen] = np.linalg.lstsq(left[np.ix_(chosen, chosen)], right[chosen], rcond=1e-12)[0]
        if (x >= 0).all() and (value := float(x @ left @ x - 2 * x @ right)) < least:
            best, least = x, value
    return [float(cost) for cost in best / scale]
