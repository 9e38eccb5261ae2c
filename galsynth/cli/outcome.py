"""Exit statuses, and what an error looks like at the end of a command.

====  ==============================================================================================
0     done
1     failed: the service's or this machine's fault (a damaged model, a full disk, a failed job)
2     wrong use: an option, a value or a file name that makes no sense
3     refused: the service does not take the request (its limits, a key that is missing, an unknown job)
4     unreachable or unavailable: nobody answers, or the service cannot do it now; trying again may help
130   interrupted with Ctrl-C; a job that the command had sent is cancelled
====  ==============================================================================================
"""

from __future__ import annotations

from galaxies.errors import BadInput, GalaxyError, Transient
from galsynth.client.errors import JobFailed, LimitReached, Refused, Unavailable, Unreachable, WrongFormat

STATUSES: dict[type[GalaxyError], int] = {
    BadInput: 2,
    WrongFormat: 2,
    Refused: 3,
    LimitReached: 3,
    Unreachable: 4,
    Unavailable: 4,
    Transient: 4,
}
"""Exit statuses of errors; any other is 1."""


def status_of(error: GalaxyError) -> int:
    """The exit status that ``error`` ends a command with."""
    if isinstance(error, JobFailed) and error.status == 422:
        return 3
    return next((status for kind, status in STATUSES.items() if isinstance(error, kind)), 1)


def lines_of(error: GalaxyError) -> list[str]:
    """What to print of ``error``: its message, then every wrong value of a request that the message does not name already."""
    wrong = getattr(error, "errors", [])
    named = [f"  {each['pointer']}: {each['detail']}" for each in wrong]
    return [f"galsynth: {error.message}", *(named if len(named) > 1 else [])]
