"""A command that is told to stop in the middle of one of its trainings."""

from __future__ import annotations

import signal

from galaxies.errors import GalaxyError


class ToldToStop(GalaxyError):
    """A training within a longer command was told to stop by the signal ``told``; the same command goes on."""

    def __init__(self, message: str, told: signal.Signals | None) -> None:
        super().__init__(message)
        self.status = 128 + (told or signal.SIGTERM)
