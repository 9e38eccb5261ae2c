"""``/``: the page, and the files that it is made of."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response

from app.delivery import matches
from app.errors import Problem
from app.page import FOLDER, MEDIA, POLICY, Page

router = APIRouter(include_in_schema=False)
FOREVER = {"cache-control": "public, max-age=31536000, immutable"}


@cache
def _page() -> Page:
    return Page.read()


@router.get("/")
async def root(request: Request) -> Response:
    """The page to explore galaxies with; its query is for the page itself."""
    page = _page()
    headers = {
        "cache-control": "no-cache",
        "content-security-policy": POLICY,
        "cross-origin-opener-policy": "same-origin",
        "etag": f'"{page.digest}"',
        "referrer-policy": "no-referrer",
    }
    if matches(request.headers.get("if-none-match"), headers["etag"]):
        return Response(status_code=304, headers=headers)
    return Response(page.html, 200, headers, "text/html")


@router.get("/static/{digest}/{name:path}")
async def asset(digest: str, name: str) -> Response:
    """A file of the page; under the digest of another version too, but then not to be kept."""
    page = _page()
    if name not in page.names:
        raise Problem(404, f"nothing is at /static/{digest[:32]}/{name[:100]}")
    headers = FOREVER if digest == page.digest else {"cache-control": "no-cache"}
    return FileResponse(FOLDER / name, media_type=MEDIA[Path(name).suffix], headers=headers)
