"""``/docs``: the OpenAPI document to read and try, from files of our own (no outside network)."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import fastapi_offline
from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response

from app.errors import Problem

router = APIRouter(include_in_schema=False)
ASSETS = Path(fastapi_offline.__file__).parent / "static"
POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
MEDIA = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "favicon.png": "image/png"}


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """The OpenAPI document."""
    return JSONResponse(request.app.openapi())


@router.get("/docs")
async def docs() -> Response:
    """Swagger UI."""
    page: HTMLResponse = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="galsynth: the API",
        swagger_js_url="/docs/swagger-ui-bundle.js",
        swagger_css_url="/docs/swagger-ui.css",
        swagger_favicon_url="/docs/favicon.png",
    )
    # Swagger UI starts with one inline script, which its digest allows; its styles are inline all over.
    (script,) = re.findall(rb"<script>(.*?)</script>", bytes(page.body), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script).digest()).decode()
    page.headers["content-security-policy"] = f"{POLICY}; script-src 'self' 'sha256-{digest}'"
    return page


@router.get("/docs/{name}")
async def asset(name: str) -> Response:
    """A file of the documentation page."""
    if name not in MEDIA:
        raise Problem(404, f"nothing is at /docs/{name[:64]}")
    return FileResponse(ASSETS / name, media_type=MEDIA[name], headers={"cache-control": "public, max-age=86400"})
