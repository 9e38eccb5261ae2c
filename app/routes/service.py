"""``/healthz`` and ``/readyz``."""

from __future__ import annotations

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from app.documents import Health, Readiness
from app.errors import Problem
from app.examples import HEALTH, METRICS, READY
from app.metrics import CONTENT_TYPE
from app.openapi import answer, problems
from app.readiness import check_readiness
from app.services import services_of

router = APIRouter(tags=["service"])
NO_STORE = {"cache-control": "no-store"}


@router.get("/healthz", response_model=Health, operation_id="health", responses={200: answer("It lives", HEALTH)})
async def healthz() -> Response:
    """The process lives."""
    return JSONResponse({"status": "ok"}, headers=NO_STORE)


@router.get(
    "/readyz", response_model=Readiness, operation_id="ready", responses={200: answer("All is there", READY), **problems(503)}
)
async def readyz(request: Request) -> Response:
    """Redis, result store and a worker with a warm default model are there; 503 says which is missing."""
    services = services_of(request)
    checks, missing = await run_sync(check_readiness, services)
    if missing:  # answered, not raised: whoever asks whether all is there has not failed
        problem = Problem(503, missing, "Not ready", "not-ready", extra={"checks": checks})
        return problem.response(request.url.path)
    return JSONResponse({"status": "ready", "checks": checks}, headers=NO_STORE)


@router.get(
    "/metrics",
    operation_id="metrics",
    response_class=Response,
    responses={
        200: {"description": "Prometheus metrics", "content": {"text/plain": {"schema": {"type": "string"}, "example": METRICS}}},
        **problems(503),
    },
)
async def metrics(request: Request) -> Response:
    """What this process counts and what it sees of queue and workers, for Prometheus; workers serve their own."""
    text = await run_sync(services_of(request).metrics.text)
    return Response(text, headers=NO_STORE, media_type=CONTENT_TYPE)
