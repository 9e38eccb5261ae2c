"""Measurements kept on disk chunk by chunk, so that a killed evaluation goes on where it was and nothing is done twice."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from galaxies.errors import BadInput
from training.aside import write_bytes

Progress = Callable[[str, int, int], None]
"""``progress(what, done, total)``."""

Floats = NDArray[np.floating]
Make = Callable[[int, int, Callable[[int], None]], Floats]
"""``make(start, stop, tick)``: rows start … stop - 1; it may call ``tick(rows done so far)``."""


@dataclass(frozen=True)
class Chunks:
    """Arrays under ``folder``, named by what they follow from; it is made at once.

    Raises
    ------
    BadInput : it cannot be.
    """

    folder: Path
    progress: Progress

    def __post_init__(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            wanted = f"cache {self.folder}: {error.strerror}; a folder that can be written is needed"
            raise BadInput(wanted, field="cache") from None

    def rows(self, what: str, follows_from: object, count: int, size: int, make: Make) -> Floats:
        """The first ``count`` rows of a measurement; those that are not kept yet are made, ``size`` at a time.

        Parameters
        ----------
        what : for progress only.
        follows_from : JSON values that decide every number of every row.
        """
        name = hashlib.sha256(json.dumps(follows_from, sort_keys=True).encode()).hexdigest()[:24]
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        self.progress(what, 0, count)
        parts = []
        for start in range(0, count, size):
            stop = min(start + size, count)
            path = folder / f"{start}-{stop}.npy"
            kept = _kept(path, stop - start)
            if kept is None:
                kept = make(start, stop, lambda done, start=start: self.progress(what, start + done, count))  # type: ignore[misc]
                _keep(path, kept)
            parts.append(kept)
            self.progress(what, stop, count)
        return np.concatenate(parts)


def _keep(path: Path, rows: Floats) -> None:
    buffer = io.BytesIO()  # written to a file itself, numpy hides why it fails
    np.save(buffer, rows)
    write_bytes(path, buffer.getvalue())


def _kept(path: Path, count: int) -> Floats | None:
    """The rows in ``path``; None where the file is absent or damaged, so that they are made again."""
    try:
        rows: Floats = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return None
    return rows if len(rows) == count else None
