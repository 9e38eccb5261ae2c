"""``POST /v1/generate`` and its siblings: a request becomes a job, and with ``Prefer: wait`` its result."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, Path, Request
from redis.exceptions import RedisError
from starlette.responses import JSONResponse, Response

from app.body import LARGE_BYTES, read_body
from app.delivery import deliver, open_result
from app.documents import JobDocument, job_document
from app.errors import problem_of_job
from app.examples import COMPLETED, JOB_ID, QUEUED
from app.negotiation import Preferences, preferences, quality
from app.openapi import CALLBACKS, answer, bytes_of, problems, request_body
from app.reading import current
from app.recording import Accepted
from app.services import Services, services_of
from app.submission import Envelope, order, submit
from app.waiting import ended
from galaxies.cards import Operation
from galaxies.jobs import Job, Phase
from galaxies.requests import OPERATIONS

router = APIRouter(tags=["operations"])
SUMMARIES: dict[Operation, str] = {
    "generate": "Galaxies of seeds or latents",
    "interpolate": "A film from galaxy to galaxy",
    "mix": "A grid of styles mixed (style models)",
    "arithmetic": "The galaxy at a weighted sum of latents",
}
VARY = "accept, prefer"
Prefer = Annotated[
    str | None,
    Header(
        description="`wait=N`: wait up to N ≤ 60 s for the result itself; `priority=bulk`: the job stands back",
        examples=["wait=30"],
    ),
]
Accept = Annotated[str | None, Header(description="chooses the format where the body names none", examples=["image/png"])]
Key = Annotated[
    str | None,
    Header(
        description="1 … 255 characters: the same key with the same body gives the same job",
        alias="Idempotency-Key",
        examples=["sheet-7 of 2026-03-01"],
    ),
]
Callback = Annotated[
    str | None,
    Header(
        description="address that is called when the job has ended (see the callback below)",
        alias="X-Callback-URL",
        examples=["https://example.org/galaxies"],
    ),
]
JobId = Annotated[str, Path(description="`id` of the job", examples=[JOB_ID])]


def _route(operation: Operation) -> Callable[..., Awaitable[Response]]:
    async def post(
        request: Request,
        prefer: Prefer = None,
        accept: Accept = None,
        idempotency_key: Key = None,
        callback: Callback = None,
    ) -> Response:
        services = services_of(request)
        preferred = preferences(request.headers.getlist("prefer"), services.settings.max_wait_seconds)
        accept = ",".join(request.headers.getlist("accept")) or None
        envelope = Envelope.of(request, accept=accept, key=idempotency_key, bulk=preferred.bulk, callback=callback)
        with ExitStack() as held:
            body = await read_body(request, services.settings.max_body_bytes, lambda: held.enter_context(services.large.one()))
            accepted = await submit(request, partial(order, services, operation, body, envelope), len(body))
            request.state.job = accepted.job.id
            if preferred.wait is None:
                respond = partial(accepted_response, services, accepted, preferred)
                response: Response = await (run_sync if len(body) > LARGE_BYTES else request.app.state.answers)(respond)
                return response
            return await waited(request, services, accepted, preferred, accept)

    post.__name__ = operation
    post.__doc__ = OPERATIONS[operation].__doc__
    return post


async def waited(
    request: Request, services: Services, accepted: Accepted, preferred: Preferences, accept: str | None
) -> Response:
    """The answer to a request that waits for its job: the result, the job as it is then, or why it has none."""
    if not accepted.job.phase.ended:
        await services.changes.wait(accepted.job.id, ended, preferred.wait or 0)
    try:
        response: Response = await request.app.state.answers(partial(_after, request, services, accepted, preferred, accept))
    except RedisError:  # the job is recorded: after a 503 its caller would make it once more
        response = await run_sync(accepted_response, services, accepted, preferred)
    return response


def _after(request: Request, services: Services, accepted: Accepted, preferred: Preferences, accept: str | None) -> Response:
    applied = {"preference-applied": preferred.applied, "vary": VARY}
    job = as_it_is(services, accepted.job)
    if not job.phase.ended:
        return accepted_response(services, Accepted(job, services.records.place(job.id)), preferred)
    if job.phase is not Phase.COMPLETED or job.result is None:
        raise problem_of_job(job)
    address = f"/v1/jobs/{job.id}"
    only_json = quality(accept, job.result.media_type) == 0 and quality(accept, "application/json") > 0
    if only_json and not accepted.format_named:
        whole = current(services, job.id, job.owner)
        return JSONResponse(job_document(whole), 200, {"content-location": address, **applied})
    headers = {"content-location": f"{address}/result", "cache-control": "no-store", **applied}
    return deliver(request, open_result(services, job), headers, conditional=False)


def as_it_is(services: Services, job: Job) -> Job:
    """``job`` as it is now. Of one that was announced as COMPLETED the stored result tells all but its times, without Redis."""
    if job.phase.ended:
        return job
    if services.changes.latest(job.id) is Phase.COMPLETED:
        result = services.results.find(job.result_key)
        if result is not None:
            return job.model_copy(update={"phase": Phase.COMPLETED, "result": result, "done": job.total})
    return current(services, job.id, job.owner)


def accepted_response(services: Services, accepted: Accepted, preferred: Preferences) -> Response:
    """202 with the job."""
    document = job_document(accepted.job, accepted.place, services.speed)
    retry = max(1, math.ceil(document["eta_seconds"] or 0))
    address = f"/v1/jobs/{accepted.job.id}"
    applied = {"preference-applied": preferred.applied} if preferred.applied else {}
    return JSONResponse(document, 202, {"location": address, "retry-after": str(retry), "vary": VARY, **applied})


def _responses(operation: Operation) -> dict[int | str, dict[str, Any]]:
    text = {"schema": {"type": "string"}}
    job = answer("The job", COMPLETED, "JobDocument")
    return {
        200: {
            "description": "With `Prefer: wait`: the result itself, in the body's `format` or as `Accept` wants it (the job, "
            "where the body names no `format` and the client accepts only JSON)",
            "content": {**bytes_of(*OPERATIONS[operation].formats), **job["content"]},
            "headers": {"Content-Location": text, "Preference-Applied": text, "ETag": text, "Content-Disposition": text},
        },
        202: {
            "model": JobDocument,
            **answer("The job", QUEUED),
            "headers": {"Location": text, "Retry-After": text, "Preference-Applied": text},
        },
        **problems(400, 406, 408, 409, 410, 413, 415, 422, 500, 503),
    }


for _operation in OPERATIONS:
    router.add_api_route(
        f"/v1/{_operation}",
        _route(_operation),
        methods=["POST"],
        status_code=202,
        operation_id=_operation,
        summary=SUMMARIES[_operation],
        response_class=JSONResponse,
        response_model=None,
        responses=_responses(_operation),
        openapi_extra=request_body(_operation) | CALLBACKS,
    )
