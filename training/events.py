"""TensorBoard's file of a run.

Written at once: a full disk is an error of the caller. A thread of its own would die of it, and its queue fill and hang.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog

from galaxies.pixels import Picture
from training.aside import named


class Events:
    """One events file in ``folder``; what earlier files hold from step ``first`` on counts no more."""

    def __init__(self, folder: Path, first: int) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.writer = EventsWriter(str(folder / "events"), f".{first}")
        self._write(first, session_log=SessionLog(status=SessionLog.START))

    def scalars(self, values: dict[str, Any], step: int) -> None:
        """Numbers by name."""
        for name, value in values.items():
            self._write(step, summary=summary.scalar(name, value))

    def picture(self, picture: Picture, step: int) -> None:
        """A sheet of samples."""
        layout = "HWC" if picture.ndim == 3 else "HW"
        self._write(step, summary=summary.image("samples", picture, dataformats=layout))

    def close(self) -> None:
        """Close the file; everything is in it already."""
        with contextlib.suppress(OSError):  # where the disk is full, it was told
            self.writer.close()

    def _write(self, step: int, **what: Any) -> None:
        with named(self.folder):
            self.writer.write_event(Event(step=step, wall_time=time.time(), **what))
            self.writer.flush()
