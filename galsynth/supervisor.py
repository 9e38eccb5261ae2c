"""Starts the programs of one service as children and watches them.

::

    start   queue server → answers → workers and API → ready
    watch   a worker ended: start it again, later each time;  API or queue server ended: stop everything, exit status 1
            (2 where wrong settings kept a program from starting)
    stop    API → workers, which finish their jobs or, after 45 s, give them back → queue server;  exit status 0
            a second signal: everything is killed at once

All events arrive in one queue that the main thread reads; children are started by the main thread only (see `galsynth.bound`).
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from galsynth.children import Child, Program
from galsynth.console import Console

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FIRST_BACKOFF, LONGEST_BACKOFF = 1.0, 30.0
LIVED_WELL = 60.0
"""Seconds after which a worker's end counts as its first again."""
ONE_PRESS = 0.5
"""Signals within so many seconds are one wish to stop: `timeout`, `make` and terminals send it to us and to our group."""
FAILED_STARTS = 3
"""So many ends of workers before the service was ever ready are a fault of the installation: give up."""

CANNOT_START = 2
"""With which our programs end where their settings, or what is installed, keep them from starting."""


@dataclass(frozen=True)
class Plan:
    """What to run and how to tell that it works.

    ``server_answers`` and ``api_lacks`` are asked again and again; the second says what is missing, None when all is there.
    ``announce`` is called once, with the seconds that the start took. Graces are seconds until SIGKILL follows SIGTERM.
    """

    api: Program
    workers: tuple[Program, ...]
    api_lacks: Callable[[], str | None]
    announce: Callable[[float], None]
    server: Program | None = None
    server_answers: Callable[[], bool] = lambda: True
    server_seconds: float = 30.0
    remind_seconds: float = 15.0
    short_grace: float = 15.0
    worker_grace: float = 60.0


@dataclass(frozen=True)
class _Ended:
    child: Child


@dataclass(frozen=True)
class _Signalled:
    number: int


class _Ready:
    pass


class _StopNow(Exception):
    """Leave the watch: ``status`` is the exit status, ``message`` says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass
class Supervisor:
    """Runs one `Plan` to its end."""

    plan: Plan
    console: Console
    _events: SimpleQueue[_Ended | _Signalled | _Ready] = field(default_factory=SimpleQueue)
    _children: dict[str, Child] = field(default_factory=dict)
    _restarts: dict[str, float] = field(default_factory=dict)
    _failures: dict[str, int] = field(default_factory=dict)
    _begun: float = field(default_factory=time.monotonic)
    _ready: bool = False
    _stopping: float = 0.0
    _over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> int:
        """Start, watch and stop; returns the exit status. To be called from the main thread."""
        with self._signals():
            try:
                self._start_all()
                self._watch()
            except _StopNow as reason:
                self.console.say(reason.message)
                return reason.status if self._stop_all() else 1
            finally:
                self._over.set()
                for child in self._children.values():
                    child.kill()
        raise AssertionError("unreachable")

    def _start_all(self) -> None:
        if self.plan.server is not None:
            self._start(self.plan.server)
            self._await_server()
        for program in (*self.plan.workers, self.plan.api):
            self._start(program)
        threading.Thread(target=self._ask_until_ready, name="readiness", daemon=True).start()

    def _start(self, program: Program) -> None:
        self._children[program.name] = Child(
            program, self.console.echo(program.name), lambda child: self._events.put(_Ended(child))
        )

    def _await_server(self) -> None:
        deadline = time.monotonic() + self.plan.server_seconds
        while not self.plan.server_answers():
            if time.monotonic() > deadline:
                raise _StopNow(1, f"the queue server did not answer within {self.plan.server_seconds:.0f} s; stopping")
            self._take(0.02)

    def _ask_until_ready(self) -> None:
        remind = time.monotonic() + self.plan.remind_seconds
        while not self._over.is_set():
            lacks = self.plan.api_lacks()
            if lacks is None:
                self._events.put(_Ready())
                return
            if time.monotonic() > remind:
                self.console.say(f"not ready yet: {lacks}")
                remind = time.monotonic() + self.plan.remind_seconds
            self._over.wait(0.1)

    def _watch(self) -> None:
        while True:
            due = min(self._restarts.values(), default=None)
            self._take(None if due is None else max(0.0, due - time.monotonic()))
            for program in self.plan.workers:
                if self._restarts.get(program.name, float("inf")) <= time.monotonic():
                    del self._restarts[program.name]
                    self._start(program)

    def _take(self, seconds: float | None) -> None:
        """Handle one event, if one comes in time.

        Raises
        ------
        _StopNow : the event ends the service.
        """
        try:
            event = self._events.get(timeout=seconds)
        except Empty:
            return
        if isinstance(event, _Signalled):
            raise _StopNow(0, f"{signal.Signals(event.number).name}: stopping (again: kill at once)")
        if isinstance(event, _Ended):
            self._after_end(event.child)
        elif not self._ready:
            self._ready = True
            self.plan.announce(time.monotonic() - self._begun)

    def _after_end(self, child: Child) -> None:
        child.drain()
        if child.program not in self.plan.workers:
            raise _StopNow(
                self._status_after(child),
                f"{child.name} has ended ({child.describe_end()}) and the service cannot go on without it; stopping",
            )
        failures = 1 if child.lived > LIVED_WELL else self._failures.get(child.name, 0) + 1
        self._failures[child.name] = failures
        if not self._ready and failures >= FAILED_STARTS:
            raise _StopNow(
                self._status_after(child),
                f"{child.name} has ended {failures} times before the service was ready ({child.describe_end()}); stopping",
            )
        delay = min(FIRST_BACKOFF * 2 ** (failures - 1), LONGEST_BACKOFF)
        self._restarts[child.name] = time.monotonic() + delay
        self.console.say(f"{child.name} has ended ({child.describe_end()}); starting it again in {delay:.0f} s")

    def _status_after(self, child: Child) -> int:
        """The exit status after ``child`` cannot go on: its own where its settings kept it from starting, else 1."""
        return CANNOT_START if not self._ready and child.exit_status == CANNOT_START else 1

    def _stop_all(self) -> bool:
        """Stop in order; False where a second signal, or a child that does not stop, made us kill."""
        self._over.set()
        self._stopping = time.monotonic()
        stages: list[tuple[Sequence[Program], float]] = [
            ([self.plan.api], self.plan.short_grace),
            (self.plan.workers, self.plan.worker_grace),
        ]
        if self.plan.server is not None:
            stages.append(([self.plan.server], self.plan.short_grace))
        clean = True
        for programs, grace in stages:
            clean &= self._stop([self._children[p.name] for p in programs if p.name in self._children], grace)
        return clean

    def _stop(self, children: list[Child], grace: float) -> bool:
        deadline = time.monotonic() + grace
        for child in children:
            child.ask_to_stop()
        while running := [child for child in children if child.exit_status is None]:
            names = ", ".join(child.name for child in running)
            left = deadline - time.monotonic()
            if left <= 0:
                self.console.say(f"{names} did not stop within {grace:.0f} s; killing")
                return self._kill(running)
            with contextlib.suppress(Empty):
                event = self._events.get(timeout=left)
                if isinstance(event, _Signalled) and time.monotonic() - self._stopping > ONE_PRESS:
                    self.console.say("second signal; killing everything")
                    return self._kill(list(self._children.values()))
        for child in children:
            child.drain()
        return True

    def _kill(self, children: list[Child]) -> bool:
        for child in children:
            child.kill()
        return False

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Signals become events; what was set before comes back at the end."""
        before = {number: signal.signal(number, lambda n, _: self._events.put(_Signalled(n))) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
