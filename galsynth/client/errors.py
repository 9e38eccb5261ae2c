"""What goes wrong between a client and the service.

::

    GalaxyError
    └── ServiceError             everything that the client raises
        ├── Unreachable          nobody answers at the address, after every retry
        ├── BadAnswer            the answer is not what the contract says: is it a galsynth service?
        │   └── Damaged          the bytes of a result do not have its digest, twice
        ├── WrongFormat          this result, or this operation, has no such form
        ├── Refused              400, 406, 408, 409, 413, 415, 422: the request is wrong; errors says where
        │   ├── NotAllowed       401, 403: no valid API key
        │   └── Missing          404, 410: no such model or job, or its result is no longer kept
        ├── LimitReached         429: over a bound of this caller; retry_after says when it ends
        ├── Unavailable          502, 503, 504: the queue is full, Redis is out of reach …
        ├── ServiceFailed        500: the service's own fault
        ├── JobFailed            the job ended in ERROR; status, detail and errors are those of its problem
        └── JobCancelled         the job ended in ABORTED

``status``, ``detail`` and ``errors`` come from the service's ``application/problem+json``; ``errors`` is a list of
``{"pointer": "/terms/0/weight", "detail": "…"}``.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from galaxies.errors import GalaxyError


class ServiceError(GalaxyError):
    """Base of every error of the client.

    Attributes
    ----------
    status : HTTP status; None where the error did not come from an answer.
    type, title, detail, errors : members of the problem document; empty where there is none.
    retry_after : seconds after which the service asks to try again; None where it does not say.
    job_id : the job that was waited for, or whose result was fetched; None where there was none.
    lost : whether the answer to an earlier try of the same request was lost, so that the service may have done what it asks.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        type_: str = "",
        title: str = "",
        errors: list[dict[str, str]] | None = None,
        retry_after: float | None = None,
        lost: bool = False,
    ) -> None:
        self.errors = errors or []
        super().__init__(message, field=self.errors[0]["pointer"] if self.errors else None)
        self.status, self.type, self.title, self.detail = status, type_, title, message
        self.retry_after, self.lost = retry_after, lost
        self.job_id: str | None = None


class Unreachable(ServiceError):
    """Nobody answers at the service's address."""


class BadAnswer(ServiceError):
    """The answer is not what the contract says."""


class Damaged(BadAnswer):
    """The bytes of a result do not have its digest."""


class WrongFormat(ServiceError):
    """A result or an operation has no such form."""


class Refused(ServiceError):
    """The request is wrong; trying again changes nothing."""


class NotAllowed(Refused):
    """The service wants an API key, and got none that is valid."""


class Missing(Refused):
    """There is no such model, job or result (any more)."""


class LimitReached(ServiceError):
    """Over one of this caller's bounds."""


class Unavailable(ServiceError):
    """The service cannot do this now."""


class ServiceFailed(ServiceError):
    """The service failed."""


class JobFailed(ServiceError):
    """The job ended in ERROR."""


class JobCancelled(ServiceError):
    """The job was cancelled before it had a result."""


KINDS: dict[int, type[ServiceError]] = {
    401: NotAllowed,
    403: NotAllowed,
    404: Missing,
    410: Missing,
    429: LimitReached,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}
"""Statuses that have a class of their own; others below 500 are `Refused`, from 500 on `ServiceFailed`."""


def error_of(response: httpx.Response) -> ServiceError:
    """The error that an answer with a status of 400 or more is."""
    status = response.status_code
    kind = KINDS.get(status, Refused if status < 500 else ServiceFailed)
    try:
        problem = response.json()
    except ValueError:
        problem = None
    retry_after = seconds_of(response.headers.get("retry-after"))
    if not isinstance(problem, dict) or "detail" not in problem:
        return kind(f"{response.request.method} {response.url} answers {status}", status=status, retry_after=retry_after)
    return of_problem(problem, kind, status, retry_after)


def of_problem(
    problem: dict[str, Any], kind: type[ServiceError], status: int | None = None, retry_after: float | None = None
) -> ServiceError:
    """The error that a problem document describes."""
    return kind(
        str(problem.get("detail") or problem.get("title") or "no reason is given"),
        status=status or problem.get("status"),
        type_=str(problem.get("type", "")),
        title=str(problem.get("title", "")),
        errors=[error for error in problem.get("errors") or [] if {"pointer", "detail"} <= set(error)],
        retry_after=retry_after,
    )


def seconds_of(header: str | None) -> float | None:
    """``Retry-After`` (seconds, or a date) in seconds from now; None where it is absent or makes no sense."""
    if header is None:
        return None
    if re.fullmatch("[0-9]{1,9}", header.strip()):
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def unreachable(base: str, error: httpx.TransportError, *, lost: bool) -> Unreachable:
    """Nobody answers at ``base``; with what to do about it, where that can be known."""
    reason = str(error) or type(error).__name__
    return Unreachable(f"no galsynth service answers at {base} ({reason}){_hint(base, reason)}", lost=lost)


def _hint(base: str, reason: str) -> str:
    scheme, _, rest = base.partition("://")
    if scheme == "https":
        return f"; what answers there speaks no TLS: try http://{rest}" if "WRONG_VERSION_NUMBER" in reason else ""
    return "; start one on this machine: galsynth up" if _is_here(httpx.URL(base).host) else ""


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
