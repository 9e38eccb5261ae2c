"""One job on its way through the worker, and the times that it takes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from galaxies.jobs import Job, Result
from galaxies.product import Product
from worker.tickets import forget_traceback
from worker.watch import Running


@dataclass
class Clock:
    """Milliseconds since the step before, by name, for the log line of a job."""

    steps: dict[str, float] = field(default_factory=dict)
    began: float = field(default_factory=time.time)
    _last: float = field(default_factory=time.perf_counter)

    def lap(self, name: str) -> None:
        """End the step ``name``."""
        now = time.perf_counter()
        self.steps[f"{name}_ms"] = round((now - self._last) * 1e3, 2)
        self._last = now


@dataclass(eq=False)
class Way:
    """One job on its way from record to result. It ends with a ``result`` or an ``error``."""

    job: Job
    running: Running
    clock: Clock = field(default_factory=Clock)
    product: Product | None = None
    result: Result | None = None
    error: Exception | None = None

    def forget_tracebacks(self) -> None:
        """Let the images go with the job: the garbage collector would come for them much later."""
        forget_traceback(self.error)
        for ticket in (self.running.ticket, self.running.judging):
            if ticket is not None:
                forget_traceback(ticket.error)
