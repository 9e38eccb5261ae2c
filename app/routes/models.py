"""``/v1/models``: what there is, its cards, reports and samples."""

from __future__ import annotations

from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, Path, Request
from starlette.responses import FileResponse, JSONResponse, Response

from app.delivery import matches
from app.documents import ModelList
from app.errors import Problem
from app.examples import CARD, DIGEST, MODEL_LIST, REPORT
from app.negotiation import choose
from app.openapi import answer, bytes_of, problems
from app.services import Services, services_of
from galaxies.cards import ModelCard, Role
from models.store import summary
from models.versions import Version

router = APIRouter(prefix="/v1/models", tags=["models"])
Reference = Annotated[str, Path(description="`name` (newest version) or `name@version`", examples=["sdss-gz1-64"])]
IfNoneMatch = Annotated[str | None, Header(description="304 where it is the card's ETag", examples=[f'"{DIGEST}"'])]
Accept = Annotated[str | None, Header(description="`text/html` or `application/json`", examples=["application/json"])]
REPORTS: dict[str, Role] = {"text/html": "report_html", "application/json": "report_json"}
HTML_POLICY = "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'"
REVALIDATE = {"cache-control": "no-cache"}


@router.get(
    "",
    response_model=ModelList,
    operation_id="listModels",
    responses={200: answer("What there is", MODEL_LIST), **problems(503)},
)
async def list_models(request: Request) -> Response:
    """Every version that serves, newest first within a name; one that was just published follows once the workers have it."""
    return await run_sync(_list, services_of(request))


@router.get(
    "/{reference}",
    response_model=ModelCard,
    operation_id="getModel",
    responses={
        200: answer("The card", CARD),
        304: {"description": "`If-None-Match` names the card"},
        **problems(404, 422, 503),
    },
)
async def get_model(request: Request, reference: Reference, if_none_match: IfNoneMatch = None) -> Response:
    """The card of a model version: what it is, what it was trained on, what it can do."""
    card = (await run_sync(_version, request, reference)).card
    headers = {"etag": f'"{card.digest}"', **REVALIDATE}
    if matches(if_none_match, headers["etag"]):
        return Response(status_code=304, headers=headers)
    return Response(card.model_dump_json(), 200, headers, "application/json")


@router.get(
    "/{reference}/report",
    operation_id="getReport",
    response_class=Response,
    responses={
        200: {
            "description": "What evaluation found",
            "content": {
                "text/html": {"schema": {"type": "string"}},
                "application/json": {"schema": {"type": "object"}, "example": REPORT},
            },
        },
        **problems(404, 406, 422, 503),
    },
)
async def get_report(request: Request, reference: Reference, accept: Accept = None) -> Response:
    """What evaluation found, as HTML or JSON."""
    version = await run_sync(_version, request, reference)
    there = [kind for kind, role in REPORTS.items() if version.card.file(role) is not None]
    if not there:
        raise Problem(404, f"model {version.card.reference} came without an evaluation report")
    kind = choose(",".join(request.headers.getlist("accept")) or None, there)
    if kind is None:
        raise Problem(406, f"the report of {version.card.reference} is {' or '.join(there)}; Accept: {accept} excludes it")
    return _file(version, REPORTS[kind], kind)


@router.get(
    "/{reference}/samples.png",
    operation_id="getSamples",
    response_class=Response,
    responses={200: {"description": "A sheet of samples", "content": bytes_of("png")}, **problems(404, 422, 503)},
)
async def get_samples(request: Request, reference: Reference) -> Response:
    """A sheet of galaxies that the model made."""
    version = await run_sync(_version, request, reference)
    if version.card.file("samples") is None:
        raise Problem(404, f"model {version.card.reference} came without samples")
    return _file(version, "samples", "image/png")


def _version(request: Request, reference: str) -> Version:
    return services_of(request).catalogue.get(reference, "/path/reference")


def _file(version: Version, role: Role, media_type: str) -> Response:
    path = version.path(role)
    inside = path.resolve().is_relative_to(version.folder.resolve())
    if not (inside and path.is_file()):
        raise Problem(404, f"the {role} file of model {version.card.reference} is missing from its folder")
    policy = {"content-security-policy": HTML_POLICY} if media_type == "text/html" else {}
    return FileResponse(path, media_type=media_type, headers={**REVALIDATE, "vary": "accept", **policy})


def _list(services: Services) -> Response:
    models = [summary(version.card) for version in services.catalogue.versions()]
    return JSONResponse({"default": services.catalogue.default_name(), "models": models}, headers=REVALIDATE)
