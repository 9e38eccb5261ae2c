"""``/healthz`` and ``/readyz``."""

from __future__ import annotations

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from redis.exceptions import RedisError, ResponseError
from starlette.responses import JSONResponse, Response

from app.documents import Health, Readiness
from app.errors import Problem
from app.examples import HEALTH, METRICS, READY
from app.metrics import CONTENT_TYPE
from app.openapi import answer, problems
from app.services import Services, services_of
from galaxies.errors import GalaxyError, Transient
from jobstore.server import check_writable
from jobstore.workers import WorkerBeacons

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
    checks = await run_sync(_checks, services)
    missing = "; ".join(f"{name}: {said}" for name, said in checks.items() if said != "ok")
    services.readiness.note(missing)
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


def _checks(services: Services) -> dict[str, str]:
    checks = {"redis": "ok", "results": "ok", "worker": "ok"}
    try:
        services.results.check_writable()
    except Transient as error:
        checks["results"] = error.message
    try:
        check_writable(services.records.client)
        checks["worker"] = _worker(services)
    except ResponseError:
        checks |= {"redis": "takes no writes", "worker": "not known while Redis takes no writes"}
    except RedisError:
        checks |= {"redis": "out of reach", "worker": "not known without Redis"}
    return checks


def _worker(services: Services) -> str:
    try:
        wanted = services.catalogue.get().card.reference
    except GalaxyError as error:
        return error.message
    workers = WorkerBeacons(services.records.client).alive()
    # Workers warm a version that was published just now within seconds; until then another one of the model stands for it.
    name = wanted.partition("@")[0]
    if any(warm.partition("@")[0] == name for worker in workers for warm in worker.warm):
        return "ok"
    return f"{len(workers)} alive, none with the default model {wanted} warm" if workers else "no worker is alive"
