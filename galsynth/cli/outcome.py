"""Exit statuses, and what an error looks like at the end of a command.

====  ======================================================================================================================
0     done
1     failed: the service's or this machine's fault (a damaged model, a full disk or output, a failed or cancelled job; 500)
2     wrong: an option, a value or a file name, as the command or the service finds (400, 406, 408, 409, 413, 415, 416, 422)
3     refused: no valid key (401, 403), over a bound of the key (429), or no such job or model, any more (404, 410)
4     unreachable or unavailable: nobody answers, or it cannot be done now (502, 503, 504); trying again may help
129   the same as 130 after SIGHUP, with which a terminal that is closed ends a command
130   interrupted with Ctrl-C; a job that the command had sent is cancelled
143   the same after SIGTERM, with which batch systems end a command
====  ======================================================================================================================

`galsynth api` and `galsynth worker` become the programs themselves, and end with their statuses.
"""

from __future__ import annotations

from galaxies.errors import BadInput, GalaxyError, NotFound, Transient
from galsynth.client.errors import JobFailed, LimitReached, Missing, NotAllowed, Refused, Unavailable, Unreachable, WrongFormat

STATUSES: dict[type[GalaxyError], int] = {
    BadInput: 2,
    WrongFormat: 2,
    NotAllowed: 3,
    Missing: 3,
    NotFound: 3,
    LimitReached: 3,
    Refused: 2,
    Unreachable: 4,
    Unavailable: 4,
    Transient: 4,
}
"""Exit statuses of errors, the first that fits; any other is 1."""


def status_of(error: GalaxyError) -> int:
    """The exit status that ``error`` ends a command with."""
    if isinstance(error, JobFailed) and error.status == 422:
        return 2
    return next((status for kind, status in STATUSES.items() if isinstance(error, kind)), 1)


def lines_of(error: GalaxyError) -> list[str]:
    """What to print of ``error``: its message, every wrong value of a request that the message does not name already, notes."""
    wrong = getattr(error, "errors", [])
    named = [f"  {each['pointer']}: {each['detail']}" for each in wrong]
    notes = [f"galsynth: {note}" for note in getattr(error, "__notes__", [])]
    return [f"galsynth: {error.message}", *(named if len(named) > 1 else []), *notes]
