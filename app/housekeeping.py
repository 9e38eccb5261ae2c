"""Housekeeping: one API process at a time sends lost jobs again, ends those that waited too long, and removes expired results."""

from __future__ import annotations

import threading
import time
import uuid

import structlog
from redis.exceptions import RedisError

from app.readiness import check_readiness
from app.services import Services
from galaxies.errors import GalaxyError
from galaxies.jobs import Failure
from jobstore.upkeep import Upkeep
from telemetry.memory import trim
from telemetry.outages import Outage

BATCH = 200
EXPIRED = Failure(kind="transient", message="no worker took the job before it expired; send its request again")
log = structlog.get_logger("app.housekeeping")


class Housekeeper:
    """Runs on a thread of its own, every ``housekeeping_seconds``; results are gone through every ``sweep_seconds``.

    Every process, whether it is its turn or not, gives free memory back then.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._settings = services.settings
        self._upkeep = Upkeep(services.records.client)
        self._name = uuid.uuid4().hex
        self._lost: set[str] = set()
        self._swept = float("-inf")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after what is being done."""
        self._ended.set()
        self._thread.join()

    def look(self) -> None:
        """One round, if it is this process's turn; until it has been ready, each process looks whether it is, for the log."""
        if not self._services.readiness.been_ready:
            check_readiness(self._services)
        if not self._upkeep.elected(self._name, 3 * self._settings.housekeeping_seconds):
            self._lost = set()
            return
        self._say("jobs sent again", self.send_again())
        if time.monotonic() - self._swept >= self._settings.sweep_seconds:
            self._swept = time.monotonic()
            self._say("counts corrected", self._upkeep.drop_ended())
            self._say("jobs expired", self.expire())
            self._say("results removed", self.sweep())

    def send_again(self) -> int:
        """Send the jobs again whose message was nowhere this time and the time before; returns their number."""
        lost = self._upkeep.without_message()
        twice, self._lost = lost & self._lost, lost
        for job_id, seen in self._services.records.glances(sorted(twice)).items():
            if not seen.phase.ended:
                self._services.queue.send([job_id], seen.priority, again=True)
        self._lost -= twice
        return len(twice)

    def expire(self) -> int:
        """End the jobs that still wait although they have expired; returns their number."""
        return sum(self._services.records.fail(job_id, EXPIRED) for job_id in self._upkeep.expired())

    def sweep(self) -> int:
        """Remove the results that no job needs any more; returns their number."""
        removed, batch = 0, list[tuple[str, float]]()
        for entry in self._services.results.entries():
            batch.append(entry)
            if len(batch) == BATCH:
                removed += self._remove_unused(batch)
                batch = []
                if self._ended.is_set():
                    return removed
        return removed + self._remove_unused(batch) + self._services.results.clear_scratch()

    def _remove_unused(self, entries: list[tuple[str, float]]) -> int:
        """A result goes when its last job has expired; one without a job (Redis was emptied) at the age of a job's."""
        now, oldest = time.time(), time.time() - self._settings.job_ttl_seconds
        used = self._upkeep.used_until([key for key, _ in entries])
        unused = [
            key
            for (key, written), until in zip(entries, used, strict=True)
            if (until is None and written < oldest) or (until is not None and until < now)
        ]
        return sum(self._services.results.delete(key, unless=lambda key=key: self._needed(key)) for key in unused)  # type: ignore[misc]

    def _needed(self, key: str) -> bool:
        (until,) = self._upkeep.used_until([key])
        return until is not None and until >= time.time()

    def _say(self, what: str, number: int) -> None:
        if number:
            self._services.metrics.swept(what, number)
            log.info(what, number=number)

    def _loop(self) -> None:
        put_off = Outage(log, "housekeeping put off", "housekeeping goes on")
        while not self._ended.wait(self._settings.housekeeping_seconds):
            try:
                self.look()
                put_off.went_well()
            except (RedisError, GalaxyError, OSError) as error:
                put_off.failed(error)
            except Exception:
                log.exception("housekeeping")
            trim()
