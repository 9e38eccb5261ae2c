"""The boundary of all reading: libraries raise anything of a damaged file, and it becomes one error that names the file."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from galaxies.errors import BadInput, GalaxyError

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says of a full disk, which is no fault of what is read."""


@contextmanager
def named(name: str, what: str = "", field: str | None = None) -> Iterator[None]:
    """Whatever is raised within says that ``name`` cannot be read as ``what``, and why, in one line.

    Every exception, not a list of them: of damaged bytes come tokenize.TokenError, zlib.error, astropy's CfitsioException,
    struct.error, MemoryError and more, and one file must not end the reading of all the others.

    Raises
    ------
    BadInput : something was raised that does not say already what is wrong.
    OSError : the disk is full, on which an array was being unpacked.
    """
    try:
        yield
    except GalaxyError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            raise
        kind = f" as {what}" if what else ""
        raise BadInput(f"{name} cannot be read{kind}: {cause(error)}", field=field) from None


def cause(error: Exception) -> str:
    """What ``error`` says, in one line and without addresses of objects; its type where it says nothing."""
    said = error.strerror if isinstance(error, OSError) else str(error.args[0]) if error.args else ""
    text = re.sub(r"<\S+ object at 0x\w+>", "", said or str(error))
    return " ".join(text.split()) or type(error).__name__
