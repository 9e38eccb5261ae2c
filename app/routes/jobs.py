"""``/v1/jobs``: list, status, cancel, delete."""

from __future__ import annotations

import contextlib
import re
from functools import partial
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlencode

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator
from starlette.responses import JSONResponse, Response

from app.callers import caller_of
from app.documents import JobDocument, JobPage, job_document
from app.errors import Problem
from app.examples import ABORTED, COMPLETED, CURSOR, JOB_PAGE
from app.openapi import answer, problems
from app.query import DECIMALS, DIGITS
from app.reading import LARGE_PAGE_BYTES, answered_of, in_turn
from app.routes.operations import JobId
from app.services import Services, services_of
from app.validation import shown
from galaxies.cards import Operation
from galaxies.errors import Transient
from galaxies.jobs import Job, Phase
from jobstore.layout import Glance

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
SCAN, MAX_SCANNED = 200, 2000
PAGE_BYTES = 8_000_000
"""A page ends before its records are more: parsed, one takes several times its size."""
CURSOR_PATTERN = r"^[0-9]{1,10}\.[0-9]{1,6}~[0-9a-z]{1,40}$"
NO_STORE = {"cache-control": "no-store"}
LINK = {"Link": {"schema": {"type": "string"}, "description": 'the next page, as `rel="next"`; none on the last one'}}


class ListQuery(BaseModel):
    """Which jobs to list."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    phase: Phase | None = Field(default=None, description="only jobs in this phase", examples=["COMPLETED"])
    operation: Operation | None = Field(default=None, description="only jobs of this operation", examples=["generate"])
    after: AwareDatetime | None = Field(
        default=None, description="only jobs created later than this ISO 8601 time", examples=["2026-03-01T12:00:00Z"]
    )
    limit: Annotated[int, DIGITS] = Field(default=50, ge=1, le=200, description="most jobs of one page", examples=[20])
    cursor: str | None = Field(
        default=None,
        max_length=100,
        description="from the `next` link of the page before",
        examples=[CURSOR],
        json_schema_extra={"pattern": CURSOR_PATTERN},  # for readers; the refusal of another one is in our own words
    )

    @field_validator("after", mode="before")
    @classmethod
    def _is_text_of_time(cls, value: object) -> object:
        """pydantic also takes numbers, as seconds since 1970; the document promises ISO 8601."""
        if isinstance(value, str) and not re.match(r"\d{4}-\d{2}-\d{2}", value):
            raise ValueError(f"{shown(value)} is not an ISO 8601 time such as 2026-01-31T12:00:00Z")
        return value

    def admits(self, job: Job | Glance) -> bool:
        """Whether the filters let ``job`` through; a glance that does not tell its operation passes."""
        return self.phase in (None, job.phase) and (self.operation is None or job.operation in (None, self.operation))


class WaitQuery(BaseModel):
    """How long to wait for a change."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    wait: Annotated[float, DECIMALS] = Field(
        default=0, ge=0, le=60, description="answer when the phase changes, or after so many seconds", examples=[1]
    )


@router.get(
    "",
    response_model=JobPage,
    operation_id="listJobs",
    responses={200: {**answer("One page of jobs", JOB_PAGE), "headers": LINK}, **problems(422, 503)},
)
async def list_jobs(request: Request, query: Annotated[ListQuery, Query()]) -> Response:
    """Jobs, newest first."""
    services = services_of(request)
    page = await run_sync(_page, services, query, caller_of(request).owner)
    show = partial(_shown, services, query, page)
    return await (in_turn(services, show) if page.size > LARGE_PAGE_BYTES else run_sync(show))


@router.get(
    "/{job_id}",
    response_model=JobDocument,
    operation_id="getJob",
    responses={200: answer("The job", COMPLETED), **problems(404, 422, 503)},
)
async def get_job(request: Request, job_id: JobId, query: Annotated[WaitQuery, Query()]) -> Response:
    """One job; with `wait` as soon as its phase changes."""
    services, owner = services_of(request), caller_of(request).owner

    def look(job: Job) -> Response | Phase:
        return _answer(services, job) if job.phase.ended or query.wait == 0 else job.phase

    seen = await answered_of(services, job_id, owner, look)
    if isinstance(seen, Response):
        return seen
    await services.changes.wait(job_id, lambda phase: phase != seen, min(query.wait, services.settings.max_wait_seconds))
    return await answered_of(services, job_id, owner, partial(_answer, services))


@router.post(
    "/{job_id}/cancel",
    response_model=JobDocument,
    operation_id="cancelJob",
    responses={200: answer("The job", ABORTED), **problems(404, 422, 503)},
)
async def cancel_job(request: Request, job_id: JobId) -> Response:
    """Cancel a job, in any phase, any number of times. A running one stops within one batch; an ended one stays as it is."""
    services, owner = services_of(request), caller_of(request).owner
    await run_sync(_cancel, services, job_id, owner)
    return await answered_of(services, job_id, owner, partial(_answer, services))


@router.delete("/{job_id}", status_code=204, operation_id="deleteJob", responses=problems(404, 422, 503))
async def delete_job(request: Request, job_id: JobId) -> Response:
    """Cancel a job if needed, then forget it and its result (which stays for equal jobs that share it)."""
    services = services_of(request)
    return await answered_of(services, job_id, caller_of(request).owner, partial(_delete, services))


def _answer(services: Services, job: Job) -> Response:
    place = services.records.place(job.id) if job.phase is Phase.QUEUED else None
    return JSONResponse(job_document(job, place, services.speed), headers=NO_STORE)


def _cancel(services: Services, job_id: str, owner: str) -> None:
    """Cancel without reading the job, whose turn may be far off; where there is none, who reads it for the answer says so."""
    if services.records.belongs(job_id, owner):
        services.records.cancel(job_id)


def _delete(services: Services, job: Job) -> Response:
    if services.records.delete(job):
        with contextlib.suppress(Transient):  # the job is forgotten; what is left of its result goes with housekeeping
            services.results.delete(job.result_key, unless=lambda: services.records.shared(job.result_key))
    return Response(status_code=204)


class _Page(NamedTuple):
    """Ids of the jobs of one page, how many bytes their records have, and the cursor of the next page."""

    job_ids: list[str]
    size: int
    cursor: str | None


def _page(services: Services, query: ListQuery, owner: str) -> _Page:
    """Glances at `MAX_SCANNED` jobs at most, so filters stay cheap; the records that are to be read are `PAGE_BYTES`, or one."""
    records, after = services.records, query.after.timestamp() if query.after else None
    below, wanted, size = _position(query.cursor), list[str](), 0
    for _ in range(MAX_SCANNED // SCAN):
        ids = records.list_ids(owner, below=below, after=after, limit=SCAN)
        if not ids:
            return _Page(wanted, size, None)
        glances = records.glances([job_id for job_id, _ in ids])
        records.forget_ids(owner, [job_id for job_id, _ in ids if job_id not in glances])
        for job_id, created in ids:
            if job_id in glances and query.admits(glances[job_id]):
                more = size + glances[job_id].size
                if len(wanted) == query.limit or (wanted and more > PAGE_BYTES):
                    return _Page(wanted, size, _cursor(below))
                wanted.append(job_id)
                size = more
            below = created, job_id
    return _Page(wanted, size, _cursor(below))


def _shown(services: Services, query: ListQuery, page: _Page) -> Response:
    """The answer with those jobs of ``page`` that the filters still admit, now that all of each is known."""
    jobs = list(filter(query.admits, services.records.get_many(page.job_ids)))
    places = services.records.places([job.id for job in jobs if job.phase is Phase.QUEUED])
    following = None
    if page.cursor is not None:
        kept = query.model_dump(mode="json", exclude_none=True, exclude={"cursor"})
        following = f"/v1/jobs?{urlencode({**kept, 'cursor': page.cursor})}"
    body: dict[str, Any] = {"jobs": [job_document(job, places.get(job.id), services.speed) for job in jobs], "next": following}
    links = {"link": f'<{following}>; rel="next"'} if following else {}
    return JSONResponse(body, headers=NO_STORE | links)


def _cursor(below: tuple[float, str] | None) -> str | None:
    return None if below is None else f"{below[0]!r}~{below[1]}"


def _position(cursor: str | None) -> tuple[float, str] | None:
    if cursor is None:
        return None
    created, _, job_id = cursor.partition("~")
    try:
        top = float(created)
    except ValueError:
        top = float("nan")
    if not (0 <= top < 1e11 and job_id.isalnum()):
        detail = "this cursor is none of ours; take the `next` link of the page before"
        raise Problem(422, detail, errors=[{"pointer": "/query/cursor", "detail": detail}])
    return top, job_id
