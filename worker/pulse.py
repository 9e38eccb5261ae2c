"""One thread that looks after the process itself: heartbeat, watchdog, free memory.

It never speaks to Redis, which may let whoever asks wait: a healthy worker must not look stuck because the queue server is away,
and a stuck one must end whether that server answers or not.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from telemetry.memory import trim
from worker.engine import Engine

PERIOD_SECONDS = 0.1
BEAT_PERIOD_SECONDS = 1.0
TRIM_PERIOD_SECONDS = 30.0
STUCK_EXIT_CODE = 70

_LOG = structlog.get_logger(__name__)


class Pulse:
    """See the module. ``heartbeat_file`` is touched every second while the engine lives; ``jobs`` are those that run."""

    def __init__(
        self,
        engine: Engine,
        watchdog_seconds: float,
        heartbeat_file: Path | None = None,
        jobs: Callable[[], list[str]] = list,
    ) -> None:
        self._engine, self._watchdog_seconds, self._heartbeat_file = engine, watchdog_seconds, heartbeat_file
        self._jobs = jobs
        self._next_beat, self._next_trim = 0.0, time.monotonic() + TRIM_PERIOD_SECONDS
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="pulse", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _loop(self) -> None:
        while not self._ended.wait(PERIOD_SECONDS):
            self._guard()
            self._beat()
            if time.monotonic() >= self._next_trim:
                self._next_trim = time.monotonic() + TRIM_PERIOD_SECONDS
                trim()

    def _guard(self) -> None:
        """End the process where the engine cannot recover: its jobs go to another worker when their leases end."""
        if (self._engine.alive or self._engine.stopping) and self._engine.age < self._watchdog_seconds:
            return
        age = round(self._engine.age, 1)
        _LOG.critical("the engine is stuck or dead; the worker ends itself", age_seconds=age, jobs=self._jobs())
        os._exit(STUCK_EXIT_CODE)

    def _beat(self) -> None:
        now = time.monotonic()
        if self._heartbeat_file is None or now < self._next_beat:
            return
        self._next_beat = now + BEAT_PERIOD_SECONDS
        if self._engine.alive and self._engine.age < self._watchdog_seconds / 2:
            try:
                self._heartbeat_file.touch()
            except OSError as error:
                _LOG.warning("heartbeat not written", file=str(self._heartbeat_file), error=error.strerror)
