"""The folder of a run while a command trains in it: one command at a time, and nothing left of one that was refused."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from galaxies.errors import BadInput

LOCK = ".lock"
BEFORE_THE_FIRST_STEP = {LOCK, "config.json", "tensorboard"}
"""What a run writes until then."""


@contextlib.contextmanager
def claimed(run: Path) -> Iterator[None]:
    """Within, no other process trains in ``run``, which is made where it is missing.

    A folder that was made here goes again where the training is refused before its first step. The lock ends with this process.

    Raises
    ------
    BadInput : another process trains in ``run``.
    """
    new = not run.exists()
    run.mkdir(parents=True, exist_ok=True)
    try:
        with _locked(run):
            try:
                yield
            except BadInput:
                if new and {path.name for path in run.iterdir()} <= BEFORE_THE_FIRST_STEP:
                    (run / "config.json").unlink(missing_ok=True)
                    shutil.rmtree(run / "tensorboard", ignore_errors=True)
                raise
    finally:
        if new:
            with contextlib.suppress(OSError):  # it holds something
                run.rmdir()


@contextlib.contextmanager
def _locked(run: Path) -> Iterator[None]:
    path = run / LOCK
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free = os.fstat(descriptor).st_nlink > 0  # else the one who held it has just removed it
        except BlockingIOError:
            free = False
        except OSError:
            free = True  # a file system without locks
        if not free:
            raise BadInput(f"{run} is being trained by another process")
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)
