"""One line of the log when something that is tried again and again fails, and one when it goes well again."""

from __future__ import annotations

from typing import Any


class Outage:
    """Whether what is tried fails now; ``log`` is told ``begins`` with the first reason, and ``ends``, however long it lasts."""

    def __init__(self, log: Any, begins: str, ends: str) -> None:
        self._log, self._begins, self._ends = log, begins, ends
        self._lasts = False

    def failed(self, error: Exception) -> None:
        """It failed, once more or for the first time."""
        if not self._lasts:
            self._lasts = True
            self._log.warning(self._begins, reason=str(error))

    def went_well(self) -> None:
        """It went well, again or as ever."""
        if self._lasts:
            self._lasts = False
            self._log.info(self._ends)
