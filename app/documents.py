"""The JSON documents of the contract: their shapes, as the OpenAPI document shows them, and how a job becomes one.

Documents are built as plain values; a test validates what is built against the shapes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.errors import problem_of_failure
from app.speed import Speed
from galaxies.cards import Band, GalaxyClass, Operation
from galaxies.jobs import Job, ModelRef, Phase, ResultScores
from galaxies.requests import Request, to_wire
from jobstore.records import Place, now


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")


class WrongValue(_Document):
    """One wrong value of a request."""

    pointer: str = Field(description="JSON pointer into the body; `/query/…` and `/path/…` for values of the address")
    detail: str


class ProblemDocument(BaseModel):
    """An error as RFC 9457 has it."""

    model_config = ConfigDict(title="Problem")

    type: str = Field(description="`urn:galsynth:problem:<kind>`; stable, to be compared with")
    title: str
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="names the value, what is allowed and what to do")
    instance: str | None = Field(default=None, description="path of the request that failed")
    errors: list[WrongValue] = Field(default=[], description="wrong values, where some are to blame; at most 20")


class ProgressDocument(_Document):
    """Galaxies made, and to be made."""

    done: int
    total: int


class ScoresDocument(ResultScores):
    """What a scorer says of the images (0 to 8): `mean` of all; `value` and `spread` of the first 200, all are in the result."""


class ResultDocument(_Document):
    """The result of a completed job. `scores` only where they were asked for."""

    href: str
    media_type: str
    bytes: int
    digest: str
    width: int | None
    height: int | None
    images: int
    scores: ScoresDocument | None = None


class LinksDocument(_Document):
    """Addresses of what belongs to a job."""

    self: str
    result: str = Field(description="answers 409 until the job is COMPLETED")
    events: str = Field(description="server-sent events")
    cancel: str


class JobDocument(_Document):
    """One job. `request` has every value filled in: sent again, it gives the same pixels."""

    id: str
    operation: Operation
    phase: Phase
    progress: ProgressDocument
    queue_position: int | None = Field(description="1: next in line; null where the job does not wait")
    eta_seconds: float | None = Field(
        description="until the result is there: from the speed so far, before the first galaxy from the workers' measured speed "
        "and what waits before it; null where nobody knows and when ended"
    )
    created: datetime
    started: datetime | None
    ended: datetime | None
    expires: datetime
    model: ModelRef
    request: Request
    result: ResultDocument | None
    error: ProblemDocument | None
    links: LinksDocument


class JobPage(_Document):
    """Jobs, newest first."""

    jobs: list[JobDocument]
    next: str | None = Field(
        description="address of the next page, or null at the end; a page may be shorter than `limit` and still have a next one"
    )


class ModelSummary(_Document):
    """One model version in the list."""

    name: str
    version: str
    title: str
    resolution: int
    bands: list[Band]
    classes: list[GalaxyClass]
    operations: list[Operation]


class ModelList(_Document):
    """Readable versions, newest first within a name; `default` is null where the store is empty."""

    default: str | None
    models: list[ModelSummary]


class Health(_Document):
    """The process lives."""

    status: Literal["ok"]


class Readiness(_Document):
    """What the service needs, each `ok`."""

    status: Literal["ready"]
    checks: dict[str, str]


def job_document(job: Job, place: Place | None = None, speed: Speed | None = None) -> dict[str, Any]:
    """``job`` as the contract shows it, as JSON values; ``place`` and the workers' ``speed`` matter while it waits."""
    address = f"/v1/jobs/{job.id}"
    result = None
    if job.result is not None:
        hidden = {"key", "format"} if job.result.scores else {"key", "format", "scores"}
        result = {"href": f"{address}/result", **job.result.model_dump(exclude=hidden)}
    return {
        "id": job.id,
        "operation": job.operation,
        "phase": job.phase.value,
        "progress": {"done": job.done, "total": job.total},
        "queue_position": place.position if place and job.phase is Phase.QUEUED else None,
        "eta_seconds": _eta(job, place, speed),
        "created": _time(job.created),
        "started": _time(job.started),
        "ended": _time(job.ended),
        "expires": _time(job.expires),
        "model": job.model.model_dump(),
        "request": to_wire(job.request),
        "result": result,
        "error": problem_of_failure(job.failure).document(address) if job.failure else None,
        "links": {"self": address, "result": f"{address}/result", "events": f"{address}/events", "cancel": f"{address}/cancel"},
    }


def _eta(job: Job, place: Place | None, speed: Speed | None) -> float | None:
    if job.phase is Phase.QUEUED:
        return speed.eta(place, job.pixels) if speed else None
    if job.phase is not Phase.EXECUTING or job.started is None or job.done == 0:
        return None
    elapsed = max(0.0, (now() - job.started).total_seconds())
    return round(elapsed / job.done * (job.total - job.done), 1)


def _time(moment: datetime | None) -> str | None:
    """ISO 8601 with milliseconds and ``Z``."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
