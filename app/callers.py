"""Who calls: with API keys on, everything under ``/v1`` and ``/metrics`` needs a valid key, and a caller has a rate.

An ASGI middleware, so that it also stands before addresses that are not there. It reads keys from a file and counts requests in
Redis; where Redis is out of reach, requests are not counted (those that need it answer 503 by themselves). `app.rates` sees to it
that they do not wait for it one by one.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import Problem
from app.keys.store import Key
from app.services import Services
from jobstore.layout import Bounds

TOO_MANY_REQUESTS = 429
CHALLENGE = 'Bearer realm="galsynth"'


@dataclass(frozen=True)
class Caller:
    """Whose request it is: ``owner`` of jobs (empty where the service asks for no keys) and the bounds of its key."""

    owner: str = ""
    unfinished_jobs: int = 0
    daily_pixels: int = 0

    def bounds(self, queue_pixels: int) -> Bounds:
        """What a new job of this caller must stay within."""
        return Bounds(queue_pixels, self.unfinished_jobs, self.daily_pixels)


ANYBODY = Caller()


class Doorkeeper:
    """See the module."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request in, or answer 401 or 429."""
        if scope["type"] != "http" or not _guarded(scope["path"]):
            await self.app(scope, receive, send)
            return
        services: Services = scope["app"].state.services
        if not services.settings.keys_on:
            await self.app(scope, receive, send)
            return
        try:
            key = _key(services, scope)
            caller = Caller(key.name, key.unfinished_jobs, key.daily_pixels)
            scope.setdefault("state", {})["caller"] = caller
            await _count(services, key)
        except Problem as problem:
            services.metrics.refused("rate" if problem.status == TOO_MANY_REQUESTS else "key")
            await problem.response(scope["path"])(scope, receive, send)
            return
        with structlog.contextvars.bound_contextvars(caller=key.name):
            await self.app(scope, receive, send)


def caller_of(request: Request) -> Caller:
    """Whose request it is."""
    caller: Caller = request.scope.get("state", {}).get("caller", ANYBODY)
    return caller


def _guarded(path: str) -> bool:
    return path.startswith("/v1/") or path in ("/v1", "/metrics")


def _key(services: Services, scope: Scope) -> Key:
    token = _token(scope)
    key = services.keys.find(token) if token else None
    if key is not None:
        return key
    detail = "this API key is not valid, or no longer" if token else "an API key is needed"
    challenge = CHALLENGE + (', error="invalid_token"' if token else "")
    raise Problem(
        401,
        f"{detail}: send Authorization: Bearer <key>, or X-API-Key: <key>; whoever runs the service makes keys",
        headers={"www-authenticate": challenge},
    )


def _token(scope: Scope) -> str:
    """The key that the request shows: ``Authorization`` goes before ``X-API-Key``."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    scheme, _, credentials = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        return credentials.strip()
    return headers.get(b"x-api-key", b"").decode("latin-1").strip()


async def _count(services: Services, key: Key) -> None:
    """Count a request of ``key``.

    Raises
    ------
    Problem : 429 where the caller has had its share.
    """
    if not key.requests_per_minute:
        return
    try:
        answer = await services.rates.count(key.name, key.requests_per_minute)
    except (RedisError, OSError):
        return
    if answer > 0:
        detail = f"this key allows {key.requests_per_minute} requests a minute; wait {answer} s"
        raise Problem(429, detail, headers={"retry-after": str(answer)})
