"""Around every request: its id, its log line, headers for safety, HEAD as GET without a body, the last resort against errors.

And a bound on how many are served at a time: each that waits costs memory, its body above all.
"""

from __future__ import annotations

import re
import time
import uuid
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import Problem, unforeseen
from app.services import Services

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
SERVER_ERROR = 500
PROBES = ("/healthz", "/readyz", "/metrics")
"""What programs ask every few seconds or more often: no line of the log each, and answered however busy the service is."""
SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
"""Headers of every answer that does not bring its own: a page that it may be taken for loads and sends nothing."""
log = structlog.get_logger("app.access")


class Frame:
    """ASGI middleware; a plain one, because it stands in the way of every request."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun, request_id, head = time.perf_counter(), _request_id(scope), scope["method"] == "HEAD"
        status = 0

        async def framed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = {name for name, _ in message["headers"]}
                added = [(name, value) for name, value in SECURITY if name not in given]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode()), *added]
            elif head:
                message = {**message, "body": b""}
            await send(message)

        state: dict[str, Any] = {**scope.get("state", {}), "head": head, "request_id": request_id, "traceparent": ""}
        method, scope = scope["method"], {**scope, "state": state}
        if head:
            scope["method"] = "GET"
        services: Services = scope["app"].state.services
        bound = structlog.contextvars.bound_contextvars(request_id=request_id)
        with bound, services.traces.request(method, _header(scope, b"traceparent")) as span:
            state["traceparent"] = span.traceparent
            self._open += 1
            try:
                await self._serve(services, scope, receive, framed)
            except Exception as error:
                log.exception("unforeseen error", path=scope["path"])
                if status == 0:
                    await unforeseen(error, scope["path"])(scope, receive, framed)
            finally:
                self._open -= 1
                seconds, route = time.perf_counter() - begun, getattr(scope.get("route"), "path", "none")
                services.metrics.answered(method, route, int(status), seconds)
                span.end(f"{method} {route}", {"http.response.status_code": int(status)}, failed=status >= SERVER_ERROR)
                _say(method, scope, int(status), seconds)

    async def _serve(self, services: Services, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request in, unless as many are open as may be."""
        most = services.settings.max_requests
        if self._open <= most or scope["path"] in PROBES:
            await self.app(scope, receive, send)
            return
        services.metrics.refused("requests")
        problem = Problem(503, f"{most} requests are being served, as many as may be at a time; try again", slug="too-busy")
        await problem.response(scope["path"])(scope, receive, send)


def _request_id(scope: Scope) -> str:
    """The client's ``X-Request-ID`` where it is a plain word, else a fresh one."""
    value = _header(scope, b"x-request-id")
    return value if _REQUEST_ID.fullmatch(value) else uuid.uuid4().hex


def _header(scope: Scope, name: bytes) -> str:
    """The first header of that name; empty where there is none."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def _say(method: str, scope: Scope, status: int, seconds: float) -> None:
    """The line of one request in the log; those of probes are for who looks closely."""
    state = scope["state"]
    told = {"job": state["job"]} if "job" in state else {}
    if "caller" in state:
        told["caller"] = state["caller"].owner
    line = {"method": method, "path": scope["path"], "status": status, "ms": round(seconds * 1000, 1)}
    (log.debug if scope["path"] in PROBES else log.info)("request", **line, **told)
