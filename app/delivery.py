"""The bytes of a result as an answer: strong ETag, If-None-Match, Range, a telling file name."""

from __future__ import annotations

import http
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from app.errors import Problem
from app.services import Services
from galaxies.jobs import Job, Result
from galaxies.requests import Arithmetic, Generate, Interpolate
from galaxies.resolve import galaxies_of
from jobstore.layout import now

INLINE = {"png", "gif", "webp", "mp4"}
WHOLE_BYTES = 512 * 1024
CHUNK_BYTES = 256 * 1024
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True)
class Opened:
    """A result whose file is open (or in memory, if small): nobody can take its bytes away any more."""

    job: Job
    result: Result
    content: bytes | BinaryIO


def open_result(services: Services, job: Job) -> Opened:
    """Open the result of a COMPLETED job.

    Raises
    ------
    Problem : 410 where the job has expired or the bytes are gone.
    """
    assert job.result is not None, "only completed jobs have a result to open"
    gone = "the result of this job is no longer kept; send its request again for the same pixels"
    if job.expires <= now():
        raise Problem(410, gone)
    # The store knows what lies there; the record knows what lay there when the job ended, and it may have been made anew since.
    found = services.results.open(job.result.key)
    if found is None:
        raise Problem(410, gone)
    result, stream = found
    if result.bytes > WHOLE_BYTES:
        return Opened(job, result, stream)
    with stream:
        return Opened(job, result, stream.read(result.bytes))


def deliver(request: Request, opened: Opened, headers: Mapping[str, str], *, conditional: bool = True) -> Response:
    """The answer with the bytes of ``opened``; ``conditional``: If-None-Match and Range count (Range only for GET).

    Raises
    ------
    Problem : 416 where the range lies outside the result.
    """
    result = opened.result
    etag = f'"{result.digest}"'
    kind = "inline" if result.format in INLINE else "attachment"
    common = {
        "etag": etag,
        "accept-ranges": "bytes",
        "content-disposition": f'{kind}; filename="{file_name(opened.job)}"',
        **headers,
    }
    if conditional and matches(",".join(request.headers.getlist("if-none-match")) or None, etag):
        _close(opened)
        return Response(status_code=304, headers={k: v for k, v in common.items() if k != "content-disposition"})
    first, last, status = 0, result.bytes - 1, http.HTTPStatus.OK
    head = getattr(request.state, "head", False)
    wanted = _range(request, etag, result.bytes) if conditional and not head else None
    if wanted is not None:
        first, last, status = *wanted, http.HTTPStatus.PARTIAL_CONTENT
        common["content-range"] = f"bytes {first}-{last}/{result.bytes}"
    common["content-length"] = str(last - first + 1)
    if isinstance(opened.content, bytes):
        return Response(opened.content[first : last + 1], status, common, result.media_type)
    if head:
        _close(opened)
        return Response(b"", status, common, result.media_type)
    return StreamingResponse(_chunks(opened.content, first, last), status, common, result.media_type)


def file_name(job: Job) -> str:
    """A telling ASCII name: ``galaxy-sdss-gz1-64-seed42.png``; beyond one galaxy with the first digits of the job's id."""
    request, name = job.request, job.model.name
    if isinstance(request, Generate):
        seeds: list[int | None] = [latent.seed for latent in galaxies_of(request)]
        if len(seeds) == 1 and seeds[0] is not None:
            return f"galaxy-{name}-seed{seeds[0]}.{request.format}"
        stem = f"galaxies-{name}-{len(seeds)}"
    elif isinstance(request, Interpolate):
        stem = f"interpolation-{name}-{request.frames}-frames"
    elif isinstance(request, Arithmetic):
        stem = f"arithmetic-{name}-{len(request.terms)}-terms"
    else:
        stem = f"mix-{name}-{len(request.rows)}x{len(request.columns)}"
    return f"{stem}-{job.id[:8]}.{request.format}"


def matches(header: str | None, etag: str) -> bool:
    """Whether ``If-None-Match`` names ``etag`` (weak comparison, RFC 9110 §13.1.2)."""
    if header is None:
        return False
    return header.strip() == "*" or etag in [tag.strip().removeprefix("W/") for tag in header.split(",")]


def _range(request: Request, etag: str, size: int) -> tuple[int, int] | None:
    """First and last byte of a single satisfiable range; None where the header is absent, malformed or names several."""
    condition = request.headers.get("if-range")
    match = _RANGE.fullmatch(request.headers.get("range", "").strip())
    if match is None or match[1] == match[2] == "" or (condition is not None and condition != etag):
        return None
    if len(match[0]) > 60:
        return None
    if match[1] == "":
        first, last = max(0, size - int(match[2])), size - 1
    else:
        first, last = int(match[1]), min(size - 1, int(match[2])) if match[2] else size - 1
        if match[2] and int(match[2]) < first:
            return None
    if first >= size or (match[1] == "" and int(match[2]) == 0):
        raise Problem(
            416, f"the range {match[0]} is outside the result's {size} bytes", headers={"content-range": f"bytes */{size}"}
        )
    return first, last


def _chunks(stream: BinaryIO, first: int, last: int) -> Iterator[bytes]:
    with stream:
        stream.seek(first)
        left = last - first + 1
        while left > 0 and (chunk := stream.read(min(CHUNK_BYTES, left))):
            left -= len(chunk)
            yield chunk


def _close(opened: Opened) -> None:
    if not isinstance(opened.content, bytes):
        opened.content.close()
