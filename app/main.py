"""The API: wiring only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version

from anyio.to_thread import run_sync
from fastapi import Depends, FastAPI

from app import errors, openapi
from app.callers import Doorkeeper
from app.housekeeping import Housekeeper
from app.middleware import Frame
from app.query import refuse_strays
from app.queue import MOST_JOBS
from app.routes import ROUTERS
from app.services import Services
from app.settings import Settings
from app.submission import submit_many
from app.together import Apart, Together, each
from app.webhooks import Deliverer

LARGE_ORDERS = 2
"""Orders with large bodies that are made at a time: more threads make none of them sooner and let the event loop wait."""
TAGS = [
    {"name": "operations", "description": "A request becomes a job; with `Prefer: wait` its result."},
    {"name": "jobs", "description": "Accepted requests: status, result, cancel, delete."},
    {"name": "galaxies", "description": "One galaxy, one address."},
    {"name": "models", "description": "Generators and what is known about them."},
    {"name": "service", "description": "For those who run the service."},
]


def create_app(settings: Settings) -> FastAPI:
    """The application. It connects to nothing before it is started."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        services = Services.open(settings)
        services.loop = asyncio.get_running_loop()
        app.state.services = services
        app.state.orders = Together(partial(submit_many, services), "orders", enough=MOST_JOBS, patience=services.patience)
        app.state.large_orders = Apart("large orders", most=LARGE_ORDERS)
        app.state.answers = Together(each, "answers") if settings.results_url is None else Apart("answers")
        housekeeper, deliverer = Housekeeper(services), Deliverer(services)
        services.catalogue.start()
        housekeeper.start()
        deliverer.start()
        async with services.changes:
            yield
        services.catalogue.stop()
        await run_sync(deliverer.stop)
        await run_sync(housekeeper.stop)
        for served in (app.state.large_orders, app.state.orders, app.state.answers):
            served.close()
        services.close()

    app = FastAPI(
        title="galsynth",
        version=_version(),
        openapi_tags=TAGS,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,
        lifespan=lifespan,
    )
    app.add_middleware(Doorkeeper)
    app.add_middleware(Frame)
    errors.install(app, ROUTERS)
    for router in ROUTERS:
        app.include_router(router, dependencies=[Depends(refuse_strays)])
    app.openapi = lambda: openapi.document(app, keys_on=settings.keys_on)  # type: ignore[method-assign]
    return app


def _version() -> str:
    try:
        return version("galsynth")
    except PackageNotFoundError:
        return "0"
