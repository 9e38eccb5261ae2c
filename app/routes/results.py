"""``GET /v1/jobs/{id}/result``: the bytes."""

from __future__ import annotations

import math
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, Request
from starlette.responses import Response

from app.callers import caller_of
from app.delivery import deliver, open_result
from app.documents import job_document
from app.errors import Problem, problem_of_job
from app.examples import SAME_ETAG
from app.negotiation import quality
from app.openapi import bytes_of, problems
from app.reading import answered_of
from app.routes.operations import JobId
from app.services import Services, services_of
from galaxies.jobs import Job, Phase
from galaxies.requests import MEDIA_TYPES

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
TEXT = {"schema": {"type": "string"}}
HEADERS = dict.fromkeys(("ETag", "Content-Disposition", "Accept-Ranges", "Content-Range", "Cache-Control"), TEXT)


@router.get(
    "/{job_id}/result",
    operation_id="getResult",
    response_class=Response,
    responses={
        200: {"description": "The result", "content": bytes_of(*MEDIA_TYPES), "headers": HEADERS},
        206: {"description": "The part of it that `Range` asks for", "content": bytes_of(*MEDIA_TYPES), "headers": HEADERS},
        304: {"description": "`If-None-Match` names the result"},
        **problems(404, 406, 409, 410, 416, 422, 503),
    },
)
async def get_result(
    request: Request,
    job_id: JobId,
    accept: Annotated[str | None, Header(description="406 where it excludes the result's media type", examples=["*/*"])] = None,
    if_none_match: Annotated[str | None, Header(description="304 where it is the result's ETag", examples=[SAME_ETAG])] = None,
    range_: Annotated[str | None, Header(alias="Range", description="206 with that part", examples=["bytes=0-1023"])] = None,
) -> Response:
    """The bytes of a completed job."""
    accept = ",".join(request.headers.getlist("accept")) or None
    services = services_of(request)
    return await answered_of(services, job_id, caller_of(request).owner, partial(_result, request, services, accept))


def _result(request: Request, services: Services, accept: str | None, job: Job) -> Response:
    if not job.phase.ended:
        eta = job_document(job, services.records.place(job.id), services.speed)["eta_seconds"]
        headers = {"retry-after": str(max(1, math.ceil(eta or 0)))}
        detail = f"the job is {job.phase.value}; its result is not there yet"
        raise Problem(409, detail, "The job has not ended", "not-ended", headers=headers)
    if job.phase is not Phase.COMPLETED or job.result is None:
        problem = problem_of_job(job)
        problem.status, problem.slug = 409, "job-aborted" if job.phase is Phase.ABORTED else "job-failed"
        problem.extra["reason"] = problem.title
        problem.title = "The job has no result"
        raise problem
    if quality(accept, job.result.media_type) == 0:
        raise Problem(406, f"the result is {job.result.media_type}; Accept: {accept} excludes it")
    return deliver(request, open_result(services, job), {"cache-control": "private, no-cache", "vary": "accept"})
