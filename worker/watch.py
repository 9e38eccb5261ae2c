"""One thread that looks after what runs: progress, cancellation, leases, the beacon.

Running jobs never speak to Redis themselves: ten times a second their progress goes out, and orders to stop come in, in one round
trip for all. A job shorter than that costs none. What must go on where Redis does not answer is in `worker.pulse`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import redis
import structlog

from jobstore.records import UNACKED_INDEX, JobRecords
from jobstore.workers import Costs, WorkerBeacons, WorkerInfo
from telemetry.outages import Outage
from worker.engine import Engine
from worker.metrics import Metrics
from worker.throughput import Throughput
from worker.tickets import Ticket

PERIOD_SECONDS = 0.1
BEACON_PERIOD_SECONDS = 1.0

_LOG = structlog.get_logger(__name__)


@dataclass(eq=False)
class Running:
    """A job that a task thread works on.

    ``run``: see `Job`. ``shows``: the ticket's rows are galaxies. ``judging``: the ticket of their scores, afterwards.
    ``encoded``: how many galaxies the result holds so far, of ``total`` that have ``pixels`` together; ``whole``: when
    all of them were seen to be made, and how many it held then.
    ``lost``: the lease has gone to another worker, so nothing of the job may be published.
    """

    job_id: str
    delivery_tag: str | None = None
    run: int | None = None
    ticket: Ticket | None = None
    judging: Ticket | None = None
    shows: bool = False
    stop: bool = False
    lost: bool = False
    leased: float = field(default_factory=time.time)
    pixels: int = 0
    total: int = 1
    network_pixels_each: int = 0
    encoded: int = 0
    whole: tuple[float, int] | None = None
    counted: tuple[int, int, float] = (0, 0, 0.0)

    @property
    def progress(self) -> int:
        """Galaxies that are made; what else runs through the engine (mapping) does not count."""
        return self.ticket.done if self.ticket is not None and self.shows else 0

    def made(self) -> tuple[float, float, float, float]:
        """What `Throughput.made` wants, since this was asked before."""
        done, seconds = self.progress, self.ticket.seconds if self.ticket is not None and self.shows else 0.0
        (done_before, encoded_before, seconds_before), self.counted = self.counted, (done, self.encoded, seconds)
        new, encoded = done - done_before, self.encoded - encoded_before
        return new * self.network_pixels_each, new * self.pixels_each, encoded * self.pixels_each, seconds - seconds_before

    @property
    def pixels_each(self) -> float:
        """Of a galaxy, on the average."""
        return self.pixels / self.total

    def sees(self, index: int) -> None:
        """Image ``index`` is encoded next; some formats look through all of them more than once."""
        if index == self.encoded:
            self.encoded += 1
        if self.whole is None and self.progress == self.total:
            self.whole = time.monotonic(), self.encoded

    @property
    def rest(self) -> float | None:
        """Seconds until the result holds all galaxies, as fast as since they were made; None where nobody knows."""
        since, before = self.whole or (0.0, self.encoded)
        if self.encoded == before:
            return None
        return (time.monotonic() - since) / (self.encoded - before) * (self.total - self.encoded)

    def cancel(self, *, lost: bool = False) -> None:
        """Stop within one batch."""
        self.lost |= lost
        self.stop = True
        for ticket in (self.ticket, self.judging):
            if ticket is not None:
                ticket.cancel()


class Watch:
    """See the module. The beacon is announced once `ready` is called."""

    def __init__(self, records: JobRecords, engine: Engine, *, lease_seconds: float, metrics: Metrics | None = None) -> None:
        self._records, self._engine = records, engine
        self._client: Any = records.client
        self._beacons = WorkerBeacons(records.client)
        self._lease_seconds = lease_seconds
        self._metrics = metrics or Metrics()
        self._running: set[Running] = set()
        self._taken: set[Running] = set()
        self._throughput = Throughput()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._describe: Callable[[], WorkerInfo] | None = None
        self._next_beacon = 0.0
        self.draining = False
        self._thread = threading.Thread(target=self._loop, name="watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End, and take the beacon down."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()
        try:
            self._withdraw()
        except redis.RedisError as error:
            _LOG.warning("beacon not withdrawn", error=str(error))

    def ready(self, describe: Callable[[], WorkerInfo]) -> None:
        """From now on announce what ``describe`` says."""
        self._describe = describe
        self._next_beacon = 0.0

    def drain(self) -> None:
        """Announce nothing any more: the worker takes no new jobs. Safe in a signal handler: the thread takes the beacon down."""
        self.draining = True

    def add(self, *running: Running) -> None:
        """Look after jobs until `remove`."""
        with self._lock:
            self._running.update(running)
            self._engine.expected = len(self._running)
            self._throughput.busy(True)

    def take(self, delivery_tag: str) -> None:
        """Renew the lease of a message from its coming on: where its jobs wait here, for a thread or for others, and it goes to
        another worker meanwhile, they are rendered there and begun again here.
        """
        self._taken.add(Running("", delivery_tag))

    def let_go(self, delivery_tag: str) -> None:
        """The message is done with."""
        self._taken.difference_update([taken for taken in list(self._taken) if taken.delivery_tag == delivery_tag][:1])

    def holds(self, delivery_tag: str) -> bool:
        """Whether the message has come and is not done with; of a worker that stops, whether its jobs run."""
        among = self._running if self.draining else self._taken
        return any(each.delivery_tag == delivery_tag for each in among.copy())

    def remove(self, *running: Running) -> None:
        """The jobs have ended."""
        with self._lock:
            ended = [job for job in running if job in self._running]
            for job in ended:
                job.encoded = job.encoded if job.stop else job.progress
            self._count(ended)
            if ended:
                self._throughput.ended(len(ended))
            self._running.difference_update(ended)
            self._engine.expected = len(self._running)
            self._throughput.busy(bool(self._running))

    @property
    def running(self) -> int:
        """Jobs that run."""
        return len(self._running)

    @property
    def running_pixels(self) -> int:
        """Of all jobs that run."""
        return sum(job.pixels for job in self._running.copy())

    @property
    def rests(self) -> dict[str, float]:
        """Seconds until jobs have their results, of those whose galaxies are made and being encoded."""
        return {job.job_id: round(rest, 1) for job in self._running.copy() if (rest := job.rest)}

    def job_ids(self) -> list[str]:
        """Jobs that run. Takes no lock, as it is asked for when all is stuck."""
        return sorted(job.job_id for job in self._running.copy())

    @property
    def pixels_per_second(self) -> float:
        """How fast this worker is while it is busy."""
        with self._lock:
            return self._throughput.pixels_per_second

    @property
    def costs(self) -> Costs:
        """What jobs take here while this worker is busy."""
        with self._lock:
            return self._throughput.costs

    def _count(self, running: Iterable[Running]) -> None:
        for job in running:
            self._throughput.made(*job.made())

    def _loop(self) -> None:
        away = Outage(_LOG, "job store out of reach, or takes no writes", "job store answers again")
        while not self._ended.wait(PERIOD_SECONDS):
            try:
                self._look()
                away.went_well()
            except redis.RedisError as error:
                away.failed(error)
                self._ended.wait(BEACON_PERIOD_SECONDS)
            except Exception:
                _LOG.exception("watch")

    def _look(self) -> None:
        with self._lock:
            running = list(self._running)
            self._count(running)
        going = [job for job in running if not job.stop]
        runs = {job.job_id: job.run for job in going if job.run is not None}
        stop = self._records.progress_many({job.job_id: job.progress for job in going}, runs)
        for job in running:
            if job.job_id in stop:
                job.cancel()
        due = time.time() - self._lease_seconds / 4
        self._renew([job for job in (*running, *list(self._taken)) if job.delivery_tag and job.leased <= due])
        now = time.monotonic()
        if now >= self._next_beacon:
            self._next_beacon = now + BEACON_PERIOD_SECONDS
            self._announce()

    def _renew(self, jobs: list[Running]) -> None:
        """Renew the leases of ``jobs``; those whose message is no longer ours stop, and publish nothing."""
        if not jobs:
            return
        now, tags = time.time(), list({job.delivery_tag for job in jobs})
        with self._client.pipeline(transaction=False) as pipe:
            for tag in tags:
                pipe.zadd(UNACKED_INDEX, {tag: now}, xx=True, ch=True)
            held = dict(zip(tags, pipe.execute(), strict=True))
        for job in jobs:
            job.leased = now
            if not held[job.delivery_tag] and job in self._running:
                _LOG.warning("lease lost", job=job.job_id)
                self._metrics.lease_lost()
                job.cancel(lost=True)

    def _announce(self) -> None:
        if not self._engine.alive:
            return
        if self.draining:
            self._withdraw()
        elif self._describe is not None:
            info = self._describe()
            self._beacons.announce(info.worker_id, info)

    def _withdraw(self) -> None:
        describe, self._describe = self._describe, None
        if describe is not None:
            self._beacons.withdraw(describe().worker_id)
