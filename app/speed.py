"""How fast the workers are, as they measure it themselves, and what that says about a job that waits."""

from __future__ import annotations

import time

from redis.exceptions import RedisError

from jobstore.layout import Place
from jobstore.workers import WorkerBeacons, WorkerInfo

FRESH_SECONDS = 1.0


class Speed:
    """How many workers are alive, and their pixels a second, looked up at most once a second."""

    def __init__(self, beacons: WorkerBeacons) -> None:
        self._beacons = beacons
        self._checked = float("-inf")
        self._alive: list[WorkerInfo] = []

    def workers(self) -> int:
        """How many are alive; 0 where nobody knows."""
        return len(self.alive())

    def pixels_per_second(self) -> float:
        """Of all together; 0 where no worker has measured itself yet."""
        return sum(worker.pixels_per_second for worker in self.alive())

    def alive(self) -> list[WorkerInfo]:
        """What they say about themselves; nothing where Redis is out of reach."""
        if time.monotonic() - self._checked > FRESH_SECONDS:
            self._checked = time.monotonic()
            try:
                self._alive = self._beacons.alive()
            except RedisError:
                self._alive = []
        return self._alive

    def eta(self, place: Place | None, pixels: int) -> float | None:
        """Seconds until a job of ``pixels`` that waits at ``place`` has its result; None where nobody knows.

        What stands before it is made first; of the jobs that run, which share the workers fairly, each makes as much as this one
        or what is left of it.
        """
        if place is None:
            return None
        shared = min(place.running, place.running_jobs * (place.ahead + pixels))
        jobs, work = place.position + place.running_jobs, place.ahead + pixels + shared
        each = [seconds for worker in self.alive() if (seconds := _seconds(worker, jobs, work)) > 0]
        return round(1 / sum(1 / seconds for seconds in each), 1) if each else None

    def seconds_for(self, pixels: int, otherwise: int = 10, most: int = 600) -> int:
        """Whole seconds that the workers need for ``pixels``, at least 1; ``otherwise`` where nobody knows."""
        speed = self.pixels_per_second()
        return max(1, min(most, round(pixels / speed))) if speed > 0 else otherwise


def _seconds(worker: WorkerInfo, jobs: int, pixels: int) -> float:
    """What so many jobs with so many pixels would take ``worker`` alone; 0 where it has not measured itself yet."""
    if worker.seconds_per_pixel + worker.seconds_per_job > 0:
        return jobs * worker.seconds_per_job + pixels * worker.seconds_per_pixel
    return pixels / worker.pixels_per_second if worker.pixels_per_second > 0 else 0.0
