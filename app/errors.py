"""Errors → RFC 9457 problem documents, and the one table that maps them to statuses.

Whatever goes wrong in a route ends as a `Problem`: raised as such, or translated here from the error tree of `galaxies.errors`,
from a job's `Failure`, from Redis, or from the framework's own errors.
"""

from __future__ import annotations

import http
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError, ResponseError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from app.validation import FieldError, query_errors
from galaxies.errors import BadInput, BadModel, GalaxyError, NotFound, Transient, Unsupported
from galaxies.jobs import Failure, FailureKind, Job, Phase

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = 2
log = structlog.get_logger("app")


@dataclass(frozen=True)
class Kind:
    """A kind of problem: the last part of its ``type``, its status and its title."""

    slug: str
    status: int
    title: str


ERRORS: dict[type[Exception], Kind] = {
    BadInput: Kind("bad-input", 422, "A value of the request is wrong"),
    Unsupported: Kind("unsupported", 422, "This model cannot do what the request asks for"),
    NotFound: Kind("not-found", 404, "There is no such thing"),
    BadModel: Kind("damaged-model", 503, "The model version is damaged"),
    Transient: Kind("unavailable", 503, "The service cannot do this now"),
    RedisError: Kind("unavailable", 503, "The service cannot do this now"),
    OperationalError: Kind("unavailable", 503, "The service cannot do this now"),
}
FAILURES: dict[FailureKind, Kind] = {
    "input": Kind("bad-input", 422, "A value of the request is wrong"),
    "model": Kind("damaged-model", 503, "The model version is damaged"),
    "transient": Kind("unavailable", 503, "The service cannot do this now"),
    "internal": Kind("internal", 500, "The service failed"),
}
STATUSES: dict[int, str] = {
    400: "malformed",
    401: "no-valid-key",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    408: "too-slow",
    409: "conflict",
    410: "gone",
    413: "too-large",
    415: "unsupported-media-type",
    416: "range-not-satisfiable",
    422: "bad-input",
    429: "too-many-requests",
    500: "internal",
    503: "unavailable",
}
TITLES: dict[str, str] = {kind.slug: kind.title for kind in (*FAILURES.values(), *ERRORS.values())} | {
    "no-valid-key": "A valid API key is needed",
    "queue-full": "The queue is full",
    "too-busy": "Too many requests at a time",
    "too-many-jobs": "Too many unfinished jobs of this caller",
    "budget-spent": "This caller's pixel budget is spent",
    "unknown-model": "There is no such model",
    "idempotency-key-reused": "The idempotency key belongs to another body",
}
"""One title a type, as RFC 9457 has it; a type that is not here has the phrase of its status."""


@dataclass(eq=False)
class Problem(Exception):
    """An answer that is an error. ``extra`` holds members of the document beyond those of the RFC."""

    status: int
    detail: str
    title: str = ""
    slug: str = ""
    errors: list[FieldError] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)

    def document(self, instance: str | None) -> dict[str, Any]:
        """The problem as JSON values; the same form stands in a job's ``error``."""
        slug = self.slug or STATUSES.get(self.status, "error")
        document: dict[str, Any] = {
            "type": f"urn:galsynth:problem:{slug}",
            "title": self.title or TITLES.get(slug) or http.HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if instance is not None:
            document["instance"] = instance
        if self.errors:
            document["errors"] = self.errors
        return document | self.extra

    def response(self, instance: str) -> Response:
        """The problem as an answer."""
        headers = {"cache-control": "no-store", **self.headers}
        if self.status == http.HTTPStatus.SERVICE_UNAVAILABLE:
            headers.setdefault("retry-after", str(RETRY_AFTER))
        body = json.dumps(self.document(instance), ensure_ascii=True, separators=(",", ":"))
        return Response(body, self.status, headers, MEDIA_TYPE)


def problem_of(error: Exception) -> Problem:
    """What ``error`` is to a client; an error that nobody foresaw is a 500 without its words."""
    kind = next((kind for cls, kind in ERRORS.items() if isinstance(error, cls)), None)
    if kind is None:
        return Problem(500, "the service failed on this request; its log has the reason under this request id")
    if not isinstance(error, GalaxyError):
        why = "takes no writes" if isinstance(error, ResponseError) else "is out of reach"
        return Problem(kind.status, f"Redis, which holds queue and jobs, {why}; try again", kind.title, kind.slug)
    errors: list[FieldError] = [{"pointer": error.field, "detail": error.message}] if error.field is not None else []
    return Problem(kind.status, error.message, kind.title, kind.slug, errors)


def problem_of_failure(failure: Failure) -> Problem:
    """What a failed job is to the client that waited for it."""
    kind = FAILURES[failure.kind]
    errors: list[FieldError] = [{"pointer": failure.field, "detail": failure.message}] if failure.field else []
    return Problem(kind.status, failure.message, kind.title, kind.slug, errors)


def problem_of_job(job: Job) -> Problem:
    """What an ended job without a result is to the client that waited for it."""
    if job.failure is not None:
        problem = problem_of_failure(job.failure)
    elif job.phase is Phase.ABORTED:
        problem = Problem(409, "the job was cancelled before it had a result", "The job was cancelled", "job-aborted")
    else:
        problem = Problem(409, f"the job is {job.phase.value}", "The job has no result")
    problem.extra = {"job": f"/v1/jobs/{job.id}"}
    return problem


def install(app: FastAPI, routers: Sequence[APIRouter]) -> None:
    """Answer every error of ``app``, whose routes are those of ``routers``, with a problem document."""
    app.state.routes = [route for router in routers for route in router.routes]
    app.add_exception_handler(Problem, _on_error)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    for cls in ERRORS:
        app.add_exception_handler(cls, _on_error)


def unforeseen(error: Exception, instance: str) -> Response:
    """The answer to an error that no handler took."""
    return problem_of(error).response(instance)


def _on_error(request: Request, error: Exception) -> Response:
    problem = error if isinstance(error, Problem) else problem_of(error)
    if problem.status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("unavailable", path=request.url.path, status=problem.status, reason=problem.detail)
    return problem.response(request.url.path)


def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers, detail = dict(error.headers or {}), str(error.detail)
    if error.status_code == http.HTTPStatus.NOT_FOUND:
        detail = f"nothing is at {request.url.path}; GET /docs lists what there is"
    if error.status_code == http.HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = ", ".join(sorted(_methods(request)))
        headers = {"allow": allowed}
        detail = f"{request.method} is not allowed at {request.url.path}; allowed are {allowed}"
    return Problem(error.status_code, detail, headers=headers).response(request.url.path)


def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = query_errors(error.errors())
    return Problem(422, errors[0]["detail"], errors=errors).response(request.url.path)


def _methods(request: Request) -> set[str]:
    """Methods of all routes at the request's path: the framework names those of the first only."""
    scope = {**request.scope, "method": "OPTIONS"}
    routes = [route for route in request.app.state.routes if route.matches(scope)[0] is not Match.NONE]
    found = {method for route in routes for method in getattr(route, "methods", ())}
    return found | {"HEAD"} if "GET" in found else found
