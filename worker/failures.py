"""Exceptions → failures as data. What a caller reads never shows a stack trace; that goes to the log under the job's id."""

from __future__ import annotations

import errno

import structlog

from galaxies.errors import BadInput, BadModel, GalaxyError, NotFound, Transient, Unsupported
from galaxies.jobs import Failure, FailureKind

_LOG = structlog.get_logger(__name__)
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}

# A model that was there when the job was accepted and is gone now is the model's failure, not the caller's.
KINDS: dict[type[GalaxyError], FailureKind] = {
    BadInput: "input",
    Unsupported: "input",
    BadModel: "model",
    NotFound: "model",
    Transient: "transient",
}


def failure_of(error: BaseException, job_id: str) -> Failure:
    """What a job's record says about ``error``."""
    if isinstance(error, GalaxyError):
        kind = next((kind for type_, kind in KINDS.items() if isinstance(error, type_)), "internal")
        _LOG.warning("job failed", job=job_id, kind=kind, message=error.message)
        return Failure(kind=kind, message=error.message, field=error.field)
    if isinstance(error, OSError) and error.errno in _FULL:
        _LOG.error("job failed", job=job_id, kind="transient", message=str(error))
        return Failure(kind="transient", message=f"the result could not be stored ({error.strerror}); try again later")
    _LOG.error("job failed", job=job_id, kind="internal", exc_info=error)
    if isinstance(error, MemoryError):
        return Failure(kind="transient", message="the worker ran out of memory; try again, or ask for fewer or smaller images")
    return Failure(kind="internal", message=f"an error inside the worker; its log names the cause under job {job_id}")
