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
from jobstore.layout import Place, now


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")


class WrongValue(_Document):
    """One wrong value of a request."""

    pointer: str = Field(description="JSON pointer into the body; `/query/…`, `/path/…` and `/header/…` for what stands there")
    detail: str = Field(description="what is wrong with it, and what is allowed")


class ProblemDocument(BaseModel):
    """An error as RFC 9457 has it."""

    model_config = ConfigDict(title="Problem")

    type: str = Field(description="`urn:galsynth:problem:<kind>`; stable, to be compared with")
    title: str = Field(description="the kind of problem in a few words")
    status: int = Field(ge=400, le=599, description="the HTTP status")
    detail: str = Field(description="names the value, what is allowed and what to do")
    instance: str | None = Field(default=None, description="path of the request that failed")
    errors: list[WrongValue] = Field(default=[], description="wrong values, where some are to blame; at most 20")


class ProgressDocument(_Document):
    """Galaxies made, and to be made."""

    done: int = Field(description="made so far")
    total: int = Field(description="to be made, the sources that a grid or a sum shows among them")


class ScoresDocument(ResultScores):
    """What a scorer says of the images (0 to 8): `mean` of all; `value` and `spread` of the first 200, all are in the result."""


class ResultDocument(_Document):
    """The result of a completed job. `scores` only where they were asked for."""

    href: str = Field(description="address of the bytes")
    media_type: str = Field(description="such as `image/png`")
    bytes: int = Field(description="its size")
    digest: str = Field(description="`sha256:` and 64 hexadecimal digits; the `ETag` is the same")
    width: int | None = Field(description="of the picture in pixels; null where there is none")
    height: int | None = Field(description="of the picture in pixels; null where there is none")
    images: int = Field(description="galaxies, frames or cells in it")
    scores: ScoresDocument | None = Field(default=None, description="where the request names a scorer")


class LinksDocument(_Document):
    """Addresses of what belongs to a job."""

    self: str = Field(description="this document")
    result: str = Field(description="answers 409 until the job is COMPLETED")
    events: str = Field(description="server-sent events")
    cancel: str = Field(description="to be POSTed to")


class JobDocument(_Document):
    """One job. `request` has every value filled in: sent again, it gives the same pixels."""

    id: str = Field(description="32 hexadecimal digits")
    operation: Operation = Field(description="the route that it was sent to")
    phase: Phase = Field(description="where it stands")
    progress: ProgressDocument = Field(description="how far it is")
    queue_position: int | None = Field(description="1: next in line; null where the job does not wait")
    eta_seconds: float | None = Field(
        description="until the result is there: from what workers have measured such jobs to take and what is before it, once it "
        "runs from its speed so far; null where nobody knows, as near the end, and when ended"
    )
    created: datetime = Field(description="when it was accepted")
    started: datetime | None = Field(description="when a worker began it last; null before")
    ended: datetime | None = Field(description="when it was completed, failed or was cancelled; null before")
    expires: datetime = Field(description="until when its result is kept")
    model: ModelRef = Field(description="the version that makes it")
    request: Request = Field(description="every value filled in; sent again, it gives the same pixels")
    result: ResultDocument | None = Field(description="null until it is COMPLETED")
    error: ProblemDocument | None = Field(description="why it ended in ERROR; else null")
    links: LinksDocument = Field(description="what belongs to it")


class JobPage(_Document):
    """Jobs, newest first."""

    jobs: list[JobDocument] = Field(description="at most `limit`")
    next: str | None = Field(
        description="address of the next page, or null at the end; a page may be shorter than `limit` and still have a next one"
    )


class ModelSummary(_Document):
    """One model version in the list."""

    name: str = Field(description="as `model` of a request takes it")
    version: str = Field(description="what it holds never changes")
    title: str = Field(description="one line for people")
    resolution: int = Field(description="side of the native images in pixels")
    bands: list[Band] = Field(description="in the order of arrays and FITS extensions")
    classes: list[GalaxyClass] = Field(description="empty where it was trained without classes")
    operations: list[Operation] = Field(description="what it can do")


class ModelList(_Document):
    """Every readable model version."""

    default: str | None = Field(description="name of the model for requests that name none; null where the store is empty")
    models: list[ModelSummary] = Field(description="newest first within a name")


class Health(_Document):
    """The process lives."""

    status: Literal["ok"] = Field(description="always this")


class Readiness(_Document):
    """What the service needs, each `ok`."""

    status: Literal["ready"] = Field(description="always this; who is not ready answers 503")
    checks: dict[str, str] = Field(description="`redis`, `results` and `worker`")


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
    if speed is None or job.phase.ended:
        return None
    if job.phase is Phase.QUEUED:
        return speed.eta(job, place)
    return speed.rest(job, max(0.0, (now() - job.started).total_seconds())) if job.started else None


def _time(moment: datetime | None) -> str | None:
    """ISO 8601 with milliseconds and ``Z``."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
