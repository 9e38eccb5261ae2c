"""Who may run beside whom: jobs run together, but one that may kill its worker runs alone, so that it takes nobody with it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator


class Occupied(Exception):
    """One has the room for itself, or waits to have it."""


class Room:
    """Many may be in it together, or one alone; who waits to be alone goes before those who come after."""

    def __init__(self) -> None:
        self._inside = 0
        self._waiting = 0
        self._alone = False
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def together(self, patience: float | None = None) -> Iterator[None]:
        """Be inside with others.

        Raises
        ------
        Occupied : that is not possible within ``patience`` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: not (self._alone or self._waiting), patience):
                raise Occupied("a job on its last attempt has this worker for itself")
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Be inside with nobody else."""
        with self._changed:
            self._waiting += 1
            try:
                self._changed.wait_for(lambda: not (self._alone or self._inside))
                self._alone = True
            finally:
                self._waiting -= 1
        try:
            yield
        finally:
            with self._changed:
                self._alone = False
                self._changed.notify_all()
