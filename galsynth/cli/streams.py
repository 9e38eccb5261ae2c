"""Files that cannot be written, and standard streams that are full or closed: one clear line, and no traceback."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from galaxies.errors import BadInput, GalaxyError

WRONG_PATH = frozenset(
    {
        errno.EACCES,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EPERM,
        errno.EROFS,
    }
)
"""Where another name for the file is what helps; any other reason, such as a full disk, is this machine's."""


@contextmanager
def writing(what: str | Path) -> Iterator[None]:
    """Whoever cannot write ``what`` in here is told so; a reader that has left (``| head``) is the caller's to end quietly.

    Raises
    ------
    BadInput : its path is wrong or may not be written.
    GalaxyError : anything else is in the way.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        kind = BadInput if error.errno in WRONG_PATH else GalaxyError
        raise kind(f"{what} cannot be written: {error.strerror or error}", field="output") from None


@contextmanager
def standard_streams() -> Iterator[None]:
    """Run a command whose standard streams may be closed or full.

    A closed standard output fails when something is written to it, as that of other programs does, and a closed standard error
    takes whatever is said.

    Raises
    ------
    GalaxyError : standard output cannot be written.
    """
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        with writing("standard output"):
            raise
    finally:
        _drop_what_is_left()


def _drop_what_is_left() -> None:
    """What standard output does not take is not tried once more, and complained of, when the interpreter ends."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
