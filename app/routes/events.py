"""``GET /v1/jobs/{id}/events``: what happens to a job, as it happens."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Request
from starlette.responses import Response, StreamingResponse

from app.callers import caller_of
from app.errors import Problem
from app.events import END, parse_key, slim, stream
from app.examples import EVENTS
from app.openapi import problems
from app.reading import answered_of
from app.routes.operations import JobId
from app.services import services_of

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
EVENT = {
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "event": {"enum": ["phase", "progress", "end"]},
        "data": {"type": "string", "description": "JSON"},
        "id": {"type": "string", "description": "for `Last-Event-ID`; missing where the queue merely moves"},
    },
}
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


@router.get(
    "/{job_id}/events",
    operation_id="getEvents",
    response_class=Response,
    responses={
        200: {
            "description": "`phase` whenever the phase changes, `progress` as galaxies are made (and as the queue moves), `end` "
            "with the whole job, then the stream closes. A comment comes every 15 s where nothing happens",
            "content": {"text/event-stream": {"itemSchema": EVENT, "example": EVENTS}},
        },
        204: {"description": "`Last-Event-ID` is that of `end`: nothing more will come"},
        **problems(404, 422, 503),
    },
)
async def get_events(
    request: Request,
    job_id: JobId,
    last_event_id: Annotated[
        str | None,
        Header(alias="Last-Event-ID", description="tell what came after this event; without it, everything", examples=["1.1.64"]),
    ] = None,
) -> Response:
    """What happens to a job, as server-sent events."""
    services = services_of(request)
    job = await answered_of(services, job_id, caller_of(request).owner, slim)
    last = parse_key(last_event_id)
    if job.phase.ended and last is not None and last >= (job.run, END, 0):
        return Response(status_code=204, headers=HEADERS)
    if services.changes.watched >= services.settings.max_streams:
        raise Problem(503, f"{services.settings.max_streams} streams are open already; ask for the job with ?wait=30 instead")
    if request.state.head:
        return Response(headers=HEADERS, media_type="text/event-stream")
    return StreamingResponse(stream(services, job, last), headers=HEADERS, media_type="text/event-stream")
