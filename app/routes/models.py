"""``/v1/models``: what there is, its cards, reports and samples."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, Path, Request
from starlette.responses import JSONResponse, Response

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
IfNoneMatch = Annotated[str | None, Header(description="304 where it is the ETag of what is there", examples=[f'"{DIGEST}"'])]
Accept = Annotated[str | None, Header(description="`text/html` or `application/json`", examples=["application/json"])]
REPORTS: dict[str, Role] = {"text/html": "report_html", "application/json": "report_json"}
HTML_POLICY = "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'"
REVALIDATE = {"cache-control": "no-cache"}


@router.get(
    "",
    response_model=ModelList,
    operation_id="listModels",
    responses={200: answer("What there is", MODEL_LIST), **problems(422, 503)},
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
    return _unless_known(if_none_match, card.model_dump_json().encode(), "application/json", {"etag": f'"{card.digest}"'})


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
        304: {"description": "`If-None-Match` names the report"},
        **problems(404, 406, 422, 503),
    },
)
async def get_report(
    request: Request, reference: Reference, accept: Accept = None, if_none_match: IfNoneMatch = None
) -> Response:
    """What evaluation found, as HTML or JSON."""
    version = await run_sync(_version, request, reference)
    there = [kind for kind, role in REPORTS.items() if version.card.file(role) is not None]
    if not there:
        raise Problem(404, f"model {version.card.reference} came without an evaluation report")
    kind = choose(",".join(request.headers.getlist("accept")) or None, there)
    if kind is None:
        raise Problem(406, f"the report of {version.card.reference} is {' or '.join(there)}; Accept: {accept} excludes it")
    return await run_sync(_file, version, REPORTS[kind], kind, if_none_match)


@router.get(
    "/{reference}/samples.png",
    operation_id="getSamples",
    response_class=Response,
    responses={
        200: {"description": "A sheet of samples", "content": bytes_of("png")},
        304: {"description": "`If-None-Match` names the sheet"},
        **problems(404, 422, 503),
    },
)
async def get_samples(request: Request, reference: Reference, if_none_match: IfNoneMatch = None) -> Response:
    """A sheet of galaxies that the model made."""
    version = await run_sync(_version, request, reference)
    if version.card.file("samples") is None:
        raise Problem(404, f"model {version.card.reference} came without samples")
    return await run_sync(_file, version, "samples", "image/png", if_none_match)


def _version(request: Request, reference: str) -> Version:
    return services_of(request).catalogue.get(reference, "/path/reference")


def _file(version: Version, role: Role, media_type: str, if_none_match: str | None) -> Response:
    path = version.path(role)
    inside = path.resolve().is_relative_to(version.folder.resolve())
    if not (inside and path.is_file()):
        raise Problem(404, f"the {role} file of model {version.card.reference} is missing from its folder")
    policy = {"content-security-policy": HTML_POLICY} if media_type == "text/html" else {}
    content = path.read_bytes()
    etag = f'"{hashlib.sha256(content).hexdigest()}"'
    return _unless_known(if_none_match, content, media_type, {"etag": etag, "vary": "accept", **policy})


def _unless_known(if_none_match: str | None, content: bytes, media_type: str, more: Mapping[str, str]) -> Response:
    """``content``, or 304 where the client has it: ``more`` headers hold its ETag."""
    headers = {**REVALIDATE, **more}
    if matches(if_none_match, headers["etag"]):
        return Response(status_code=304, headers=headers)
    return Response(content, 200, headers, media_type)


def _list(services: Services) -> Response:
    models = [summary(version.card) for version in services.catalogue.versions()]
    return JSONResponse({"default": services.catalogue.default_name(), "models": models}, headers=REVALIDATE)
