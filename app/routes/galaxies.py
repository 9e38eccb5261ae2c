"""``GET /v1/galaxies/{model}/{seed}.png``: one galaxy in one request, addressed for good."""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated, Any, Literal

from anyio.to_thread import run_sync
from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, field_validator
from starlette.responses import Response

from app.delivery import deliver, open_result
from app.errors import Problem, problem_of, problem_of_job
from app.openapi import bytes_of, problems
from app.query import DECIMALS, DIGITS
from app.recording import Accepted, Order
from app.routes.operations import as_it_is
from app.services import Services, services_of
from app.submission import Envelope, parse_request, prepare, submit
from app.validation import shown
from app.waiting import ended
from galaxies.cards import ModelCard
from galaxies.errors import BadInput, Unsupported
from galaxies.jobs import Phase
from galaxies.requests import MAX_SEED

router = APIRouter(prefix="/v1/galaxies", tags=["galaxies"])
NOISE_PATTERN = r"^(const|none|[0-9]{1,10})$"
FOREVER = {"cache-control": "public, max-age=31536000, immutable"}


class GalaxyQuery(BaseModel):
    """How the galaxy is drawn; the defaults are those of ``POST /v1/generate``."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, populate_by_name=False)

    truncation: Annotated[float, Field(ge=-2, le=2), DECIMALS] | None = Field(
        default=None, description="ψ; default the card's", examples=[0.7]
    )
    noise: str = Field(
        default="const",
        description="`const`, `none`, or a seed for fresh noise",
        examples=["none"],
        json_schema_extra={"pattern": NOISE_PATTERN},  # for readers; the refusal of another one is in our own words
    )
    size: Annotated[int, Field(ge=16, le=2048), DIGITS] | None = Field(
        default=None, description="side in pixels; default the model's", examples=[128]
    )
    stretch: Literal["identity", "linear", "asinh", "lupton"] | None = Field(
        default=None, description="with its default parameters; default the card's", examples=["identity"]
    )
    class_: str | None = Field(
        default=None, alias="class", max_length=200, description="default: drawn from the seed", examples=["spiral_acw"]
    )

    @field_validator("noise")
    @classmethod
    def _is_a_kind_or_a_seed(cls, value: str) -> str:
        if not re.fullmatch(NOISE_PATTERN, value):
            raise ValueError(f"{shown(value)} is not const, none or a seed of 0 … {MAX_SEED}")
        return value

    def body(self, reference: str, seed: int, format_: str) -> dict[str, Any]:
        """The equal body of ``POST /v1/generate``."""
        noise: Any = {"seed": int(self.noise)} if self.noise.isdecimal() else self.noise
        given = {"truncation": self.truncation, "size": self.size, "class": self.class_}
        document: dict[str, Any] = {"model": reference, "seeds": [seed], "format": format_, "noise": noise}
        document |= {name: value for name, value in given.items() if value is not None}
        return document | ({"stretch": {"kind": self.stretch}} if self.stretch else {})


Model = Annotated[
    str,
    Path(
        description="`name@version`; a bare `name` is redirected to its newest version",
        max_length=100,
        examples=["sdss-gz1-64@2"],
    ),
]
Seed = Annotated[
    int,
    Field(ge=0, le=MAX_SEED),
    DIGITS,
    Path(description="the galaxy is that of `POST /v1/generate`", examples=[42]),
]


def _responses(format_: str) -> dict[int | str, dict[str, Any]]:
    headers = {name: {"schema": {"type": "string"}} for name in ("ETag", "Cache-Control", "Content-Disposition")}
    return {
        200: {"description": "The galaxy", "content": bytes_of(format_), "headers": headers},
        206: {"description": "The part of it that `Range` asks for", "content": bytes_of(format_)},
        304: {"description": "`If-None-Match` names it"},
        307: {"description": "To the newest version", "headers": {"Location": {"schema": {"type": "string"}}}},
        **problems(404, 409, 410, 416, 422, 500, 503),
    }


@router.get("/{model}/{seed}.png", operation_id="getGalaxyPng", response_class=Response, responses=_responses("png"))
async def get_png(request: Request, model: Model, seed: Seed, query: Annotated[GalaxyQuery, Query()]) -> Response:
    """The galaxy of a seed as PNG."""
    return await _galaxy(request, model, seed, query, "png")


@router.get("/{model}/{seed}.fits", operation_id="getGalaxyFits", response_class=Response, responses=_responses("fits"))
async def get_fits(request: Request, model: Model, seed: Seed, query: Annotated[GalaxyQuery, Query()]) -> Response:
    """The galaxy of a seed as FITS, in native pixels."""
    return await _galaxy(request, model, seed, query, "fits")


async def _galaxy(request: Request, model: str, seed: int, query: GalaxyQuery, format_: str) -> Response:
    services = services_of(request)
    card = await run_sync(lambda: services.catalogue.get(model, "/path/model").card)
    if model != card.reference:
        pinned = f"/v1/galaxies/{card.reference}/{seed}.{format_}"
        tail = f"?{request.url.query}" if request.url.query else ""
        return Response(status_code=307, headers={"location": pinned + tail, "cache-control": "no-cache"})
    envelope = Envelope.of(request)
    accepted = await submit(request, partial(_order, services, query.body(model, seed, format_), card, envelope))
    request.state.job = accepted.job.id
    if not accepted.job.phase.ended:
        await services.changes.wait(accepted.job.id, ended, services.settings.galaxy_wait_seconds)
    response: Response = await request.app.state.answers(partial(_finish, request, services, accepted))
    return response


def _order(services: Services, body: dict[str, Any], card: ModelCard, envelope: Envelope) -> Order:
    """The job that makes the galaxy; where it is stored already, no job is recorded."""
    try:
        job = prepare(services, parse_request("generate", body), card, envelope)
    except (Problem, BadInput, Unsupported) as error:
        raise _as_query(error if isinstance(error, Problem) else problem_of(error)) from None
    return Order(job, envelope.caller, stored_too=False)


def _finish(request: Request, services: Services, accepted: Accepted) -> Response:
    job = as_it_is(services, accepted.job)
    if not job.phase.ended:
        raise Problem(503, "the galaxy is still in the queue; ask again", "Not ready yet", "not-ready")
    if job.phase is not Phase.COMPLETED:
        raise problem_of_job(job)
    return deliver(request, open_result(services, job), FOREVER)


def _as_query(problem: Problem) -> Problem:
    """Pointers into the body that nobody sent → to the parameters of the address, each of which is one value."""
    for error in problem.errors:
        before, error["pointer"] = error["pointer"], "/query/" + error["pointer"].split("/")[1]
        problem.detail = problem.detail.replace(f"{before}: ", f"{error['pointer']}: ", 1)
    return problem
