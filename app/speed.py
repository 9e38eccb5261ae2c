"""How fast the workers are, as they measure it themselves, and what that says about jobs that wait or run."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import fmean

from redis.exceptions import RedisError

from galaxies.errors import GalaxyError
from galaxies.jobs import Job
from jobstore.layout import Place
from jobstore.workers import Costs, WorkerBeacons, WorkerInfo

FRESH_SECONDS = 1.0


class Speed:
    """How many workers are alive, and what jobs take there, looked up at most once a second.

    ``resolution``: of the model with that reference, in pixels; may raise `GalaxyError`.
    """

    def __init__(self, beacons: WorkerBeacons, resolution: Callable[[str], int]) -> None:
        self._beacons, self._resolution = beacons, resolution
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

    def eta(self, job: Job, place: Place | None) -> float | None:
        """Seconds until ``job``, which waits at ``place``, has its result; None where nobody knows.

        What stands before it is made first, by all workers together; the job itself by one. Of the jobs that run, which share the
        workers fairly, each makes as much as this one or what is left of it. What stands before it is of its own kind, or of
        those that were done last, whichever take less for a pixel: small galaxies that were done say nothing of films that wait.
        """
        costs = self._costs()
        if place is None or not costs:
            return None
        work = place.ahead + job.pixels
        shared = min(place.running, place.running_jobs * work) / work if work else 0.0
        jobs, before = place.position - 1 + place.running_jobs, (1 + shared) * place.ahead
        pixel = [min(cost.per_pixel, self._making(job, cost) / job.pixels) for cost in costs]
        alone = [jobs * cost.per_job + before * each for cost, each in zip(costs, pixel, strict=True)]
        pace = sum(1 / seconds for seconds in alone if seconds > 0)
        return round((1 / pace if pace else 0.0) + (1 + shared / len(costs)) * self._alone(job, costs), 1)

    def rest(self, job: Job, elapsed: float) -> float | None:
        """Seconds until ``job``, which has run for ``elapsed``, has its result; None where nobody knows, as near its end.

        Its images as fast as those so far, but no less than what the workers say such a job takes beside those that run: as many
        times as long as there are jobs of its size, so that galaxies beside a film count next to nothing. Once all are made its
        worker says by itself how long their encoding takes.
        """
        for worker in self.alive():
            if job.id in worker.rests:
                return worker.rests[job.id]
        costs = self._costs()
        images = elapsed / job.done * (job.total - job.done) if job.done else 0.0
        return round(max(images, self._beside(job) * self._alone(job, costs) - elapsed if costs else 0.0), 1) or None

    def seconds_for(self, pixels: int, otherwise: int = 10, most: int = 600) -> int:
        """Whole seconds that the workers need for ``pixels`` of the jobs that they do now, at least 1; ``otherwise`` where nobody
        knows.
        """
        speed = self.pixels_per_second()
        return max(1, min(most, round(pixels / speed))) if speed > 0 else otherwise

    def _costs(self) -> list[Costs]:
        """Of the workers that have measured themselves."""
        return [costs for worker in self.alive() if (costs := _costs_of(worker)) is not None]

    def _beside(self, job: Job) -> float:
        """How many jobs of this one's size share a worker, itself among them."""
        workers = self.alive()
        alike = fmean(worker.running_pixels for worker in workers) / max(1, job.pixels)
        return max(1.0, min(alike, fmean(worker.running for worker in workers)))

    def _alone(self, job: Job, costs: list[Costs]) -> float:
        return fmean(cost.per_job + self._making(job, cost) for cost in costs)

    def _making(self, job: Job, cost: Costs) -> float:
        """Seconds that the pixels of ``job`` take."""
        return self._network_pixels(job) * cost.per_network_pixel + job.pixels * cost.per_shown_pixel

    def _network_pixels(self, job: Job) -> int:
        """Pixels that the network makes for ``job``; fewer than are shown where a larger ``size`` is asked for."""
        if job.request.size is None:
            return job.pixels
        try:
            return min(job.pixels, job.total * self._resolution(job.model.reference) ** 2)
        except GalaxyError:
            return job.pixels


def _costs_of(worker: WorkerInfo) -> Costs | None:
    """None where it has not measured itself yet. A worker of an earlier version tells its pixels a second only."""
    if worker.costs != Costs():
        return worker.costs
    if worker.pixels_per_second <= 0:
        return None
    each = 1 / worker.pixels_per_second
    return Costs(per_shown_pixel=each, per_pixel=each)
