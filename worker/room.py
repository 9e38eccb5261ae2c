"""Who may run beside whom: jobs run together, but one that may kill its worker runs alone, so that it takes nobody with it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator


class Room:
    """Many may be in it together, or one alone; who waits to be alone goes before those who come after."""

    def __init__(self) -> None:
        self._inside = 0
        self._waiting = 0
        self._alone = False
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Be inside with others."""
        with self._changed:
            self._changed.wait_for(lambda: not (self._alone or self._waiting))
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
