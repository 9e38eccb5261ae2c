"""Reading a JSON body, bounded in size, and refusing what is not plain JSON.

Large bodies hold a place each while their requests last: what is made of one takes several times its memory, and as many as
requests may be at a time would take more than there is.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from starlette.requests import ClientDisconnect, Request

from app.errors import Problem
from app.validation import shown

MAX_FIELDS = 100
"""No object of a request has so many; every unknown one would be an error of its own."""
LARGE_BYTES = 64 * 1024
"""A body of more is large: reading it takes so long that others should not wait for that."""

BODY_SECONDS = 60.0
"""A client that takes longer to send its body keeps others from being served."""


class Places:
    """``most`` at a time; ``on_refusal`` hears of each that finds none. For one thread, as the event loop is."""

    def __init__(self, most: int, on_refusal: Callable[[], None]) -> None:
        self._most, self._on_refusal, self._taken = most, on_refusal, 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold a place.

        Raises
        ------
        Problem : 503 where all are taken.
        """
        if self._taken >= self._most:
            self._on_refusal()
            detail = f"{self._most} requests of over {LARGE_BYTES} bytes are being served, as many as may be at a time; try again"
            raise Problem(503, detail, slug="too-busy", headers={"connection": "close"})
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1


async def read_body(request: Request, limit: int, on_large: Callable[[], None] = lambda: None) -> bytes:
    """The body of at most ``limit`` bytes; ``on_large`` is called once it is known to be large, and may raise.

    Raises
    ------
    Problem : 413 where the body is, or says that it is, longer; 415 where it is not declared as JSON, or is encoded; 408 where
        it does not come within `BODY_SECONDS`.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not (media_type.startswith("application/") and media_type.endswith("+json")):
        raise Problem(415, f"the body is {media_type or 'of no declared type'}; send Content-Type: application/json")
    encoding = ", ".join(request.headers.getlist("content-encoding")).strip().lower()
    if encoding not in ("", "identity"):
        detail = f"the body is encoded as {encoding[:60]}; send it plain, without Content-Encoding"
        raise Problem(415, detail, headers={"accept-encoding": "identity"})
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limit:
        _refuse_size(limit)
    body, large = bytearray(), False
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    _refuse_size(limit)
                if len(body) > LARGE_BYTES and not large:
                    large = True
                    on_large()
    except TimeoutError:
        detail = f"the body did not come within {BODY_SECONDS:g} seconds; send it again, faster or in several requests"
        raise Problem(408, detail, headers={"connection": "close"}) from None
    except ClientDisconnect:
        raise Problem(400, "the body ended before its declared length") from None
    return bytes(body)


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object in ``body``.

    Raises
    ------
    Problem : 400 where it is not JSON in UTF-8 (NaN and Infinity are not), nested too deeply, or has half a surrogate pair; 422
        where it is JSON but no object, or has an object of more than `MAX_FIELDS` fields, or two of one name.
    """
    try:
        value = json.loads(body.decode(), parse_constant=_refuse_constant, object_pairs_hook=_fields)
        if b"\\u" in body:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise Problem(400, f"the body is not UTF-8: byte {error.start} does not fit") from None
    except UnicodeEncodeError:
        raise Problem(400, "a string of the body has half of a surrogate pair (\\ud800 … \\udfff alone)") from None
    except json.JSONDecodeError as error:
        raise Problem(400, f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise Problem(400, "the body is nested too deeply") from None
    except ValueError:
        raise Problem(400, "the body has a number of too many digits") from None
    if not isinstance(value, dict):
        raise Problem(422, "the body is not a JSON object", errors=[{"pointer": "", "detail": "this is not a JSON object"}])
    return value


def _fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_FIELDS:
        detail = f"an object has {len(pairs)} fields, of which the first is {pairs[0][0][:40]!r}; at most {MAX_FIELDS} are read"
        raise Problem(422, detail, errors=[{"pointer": "", "detail": detail}])
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        detail = f"an object has the field {shown(max(fields, key=names.count))} more than once; send it once"
        raise Problem(422, detail, errors=[{"pointer": "", "detail": detail}])
    return fields


def _refuse_constant(name: str) -> NoReturn:
    raise Problem(400, f"{name} is not JSON; numbers must be finite")


def _refuse_size(limit: int) -> NoReturn:
    raise Problem(413, f"the body is over {limit} bytes; send fewer latents in one request", headers={"connection": "close"})
