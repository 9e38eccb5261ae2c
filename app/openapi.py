"""What the OpenAPI document says beyond the routes' signatures. ``python -m app.openapi > docs/openapi.json`` writes it."""

from __future__ import annotations

import json
import sys
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.errors import MEDIA_TYPE, STATUSES, Problem
from app.examples import COMPLETED, REQUESTS
from galaxies.requests import MEDIA_TYPES, OPERATIONS

JSON = "application/json"
DESCRIPTION = """Synthetic galaxy images from generators trained on real galaxies.

A galaxy is a pure function of model version, operation and parameters. What the service fills in (seeds, model version) is echoed
in `request`, and the echoed request, sent again, gives the same pixels.

Every error is a problem document (RFC 9457). Every GET also answers HEAD. `X-Request-ID` is echoed, or made up. Where the
contract leaves it open:

* a body's `format` goes before `Accept`: it is what a request that waits is answered with, whatever `Accept` says. Where the body
  names none, a client that accepts only `application/json` gets the operation's first format, and the job instead of the result
  when it waits;
* `Prefer: wait=N` above 60 means 60; other preferences, and values that are not numbers, are ignored (RFC 7240);
* a job that fails while a request waits for it answers as the request itself would have: 422 for its input, 503 where another try
  may help, 500 where the service is to blame, 409 where it was cancelled; `job` in the problem names the job;
* jobs are taken by two priorities: small ones (interactive) before large ones (bulk; from how many pixels on is a setting of the
  service). `Prefer: priority=bulk` lets a small job stand back; a large one cannot get ahead;
* where the service asks for API keys, everything under `/v1` and `/metrics` needs one: `Authorization: Bearer <key>` or
  `X-API-Key: <key>`. A key has a rate, a number of unfinished jobs and a daily budget of pixels: over one of them 429, where the
  whole queue is full, or too many requests are being served, 503, both with `Retry-After`. Jobs of other callers are 404;
* `Idempotency-Key` holds for 24 hours, or until its job is deleted;
* several ranges, malformed ones and units other than bytes are ignored: the whole result comes.
"""

SECURITY: dict[str, Any] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "an API key, where the service asks for keys"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "the same key in another header"},
}
CALLED_BACK = """Signed as Standard Webhooks has it: `webhook-signature` is `v1,` and the base64 of the HMAC-SHA256 of
`<webhook-id>.<webhook-timestamp>.<body>` with the caller's secret, which whoever runs the service hands out. Tried again, later
each time, until the answer is 2xx; redirects are not followed. The same call may come twice, with the same `webhook-id`."""
CALLBACKS: dict[str, Any] = {
    "callbacks": {
        "jobEnded": {
            "{$request.header.X-Callback-URL}": {
                "post": {
                    "summary": "The job has ended",
                    "description": CALLED_BACK,
                    "parameters": [
                        {"name": name, "in": "header", "required": True, "schema": {"type": "string", "examples": [example]}}
                        for name, example in (
                            ("webhook-id", COMPLETED["id"]),
                            ("webhook-timestamp", "1772368215"),
                            ("webhook-signature", "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="),
                        )
                    ],
                    "requestBody": {
                        "required": True,
                        "content": {
                            JSON: {
                                "schema": {
                                    "type": "object",
                                    "required": ["type", "timestamp", "data"],
                                    "properties": {
                                        "type": {"const": "job.ended"},
                                        "timestamp": {"type": "integer"},
                                        "data": {"$ref": "#/components/schemas/JobDocument"},
                                    },
                                },
                                "example": {"type": "job.ended", "timestamp": 1772368215, "data": COMPLETED},
                            }
                        },
                    },
                    "responses": {"2XX": {"description": "It was heard"}},
                }
            }
        }
    }
}
REASONS = {
    400: "The body is not JSON in UTF-8",
    401: "No valid API key, where the service asks for keys",
    404: "There is no such thing",
    406: "`Accept` excludes every format",
    408: "The body does not come within a minute",
    409: "It cannot be done in the job's phase",
    410: "The result is no longer kept",
    413: "The body is too large",
    415: "The body is not declared as JSON, or is compressed",
    416: "The range lies outside the result",
    422: "A value is wrong; `errors` points to it",
    429: "Over a bound of the caller's key, `Retry-After` says when to try again",
    500: "The service failed on the job",
    503: "Not possible now, `Retry-After` says when to try again",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route for these error statuses."""
    found: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        schema = {"$ref": "#/components/schemas/ProblemDocument"}
        example = Problem(status, f"{REASONS[status]} (an example)", slug=STATUSES[status]).document("/v1/…")
        found[status] = {"description": REASONS[status], "content": {MEDIA_TYPE: {"schema": schema, "example": example}}}
        if status in (409, 429, 503):
            found[status]["headers"] = {"Retry-After": {"schema": {"type": "string"}, "description": "seconds"}}
        if status == 401:
            found[status]["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}, "description": "how to send a key"}}
    return found


def answer(description: str, example: Any, schema: str | None = None) -> dict[str, Any]:
    """One of a route's ``responses``: JSON like ``example``; ``schema`` names its document where the route declares none."""
    media: dict[str, Any] = {"example": example}
    if schema is not None:
        media["schema"] = {"$ref": f"#/components/schemas/{schema}"}
    return {"description": description, "content": {JSON: media}}


def bytes_of(*formats: str) -> dict[str, Any]:
    """The ``content`` of an answer that is a file in one of ``formats``."""
    return {MEDIA_TYPES[name]: {"schema": {"type": "string", "format": "binary"}} for name in formats}


def request_body(operation: str) -> dict[str, Any]:
    """``openapi_extra`` for the JSON body of ``operation``, which the route reads itself."""
    reference = {"$ref": f"#/components/schemas/{OPERATIONS[operation].__name__}"}  # type: ignore[index]
    examples = {name: {"value": value} for name, value in REQUESTS[operation].items()}
    return {"requestBody": {"required": True, "content": {JSON: {"schema": reference, "examples": examples}}}}


def document(app: FastAPI, *, keys_on: bool) -> dict[str, Any]:
    """The OpenAPI document of ``app``, made once; ``keys_on``: it serves nobody without a key."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes, tags=app.openapi_tags
        )
        for unused in ("HTTPValidationError", "ValidationError"):
            made["components"]["schemas"].pop(unused, None)
        made["components"]["securitySchemes"] = SECURITY
        for path, item in made["paths"].items():
            for operation in item.values():
                if path.startswith("/v1/") or path == "/metrics":
                    operation["responses"] |= {str(s): response for s, response in problems(401, 429).items()}
                    operation["security"] = [{"bearer": []}, {"apiKey": []}, *([] if keys_on else [{}])]
                if MEDIA_TYPE not in operation["responses"].get("422", {"content": {MEDIA_TYPE: {}}})["content"]:
                    del operation["responses"]["422"]  # the framework's own; these routes have nothing to validate
        _restore_nulls(made, app)
        app.openapi_schema = made
    return app.openapi_schema


def _restore_nulls(made: dict[str, Any], app: FastAPI) -> None:
    """Put the routes' examples of answers back as they are: the framework drops what is null in them."""
    for route in app.state.routes:
        for method in made["paths"].get(route.path, {}):
            if method.upper() in route.methods:
                shown = made["paths"][route.path][method]["responses"]
                for status, response in route.responses.items():
                    for kind, media in response.get("content", {}).items():
                        if "example" in media:
                            shown[str(status)]["content"][kind]["example"] = media["example"]


def text() -> str:
    """The document as it lies in ``docs/openapi.json``."""
    from app.main import create_app  # noqa: PLC0415 - the application imports its routes, and those import this
    from app.settings import Settings  # noqa: PLC0415

    return json.dumps(create_app(Settings.model_construct()).openapi(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
