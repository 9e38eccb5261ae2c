"""Around every request: its id, its log line, HEAD as GET without a body, and the last resort against errors."""

from __future__ import annotations

import re
import time
import uuid

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import unforeseen

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")
log = structlog.get_logger("app.access")


class Frame:
    """ASGI middleware; a plain one, because it stands in the way of every request."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

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
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                    (b"x-content-type-options", b"nosniff"),
                ]
            elif head:
                message = {**message, "body": b""}
            await send(message)

        scope = {**scope, "state": {**scope.get("state", {}), "head": head, "request_id": request_id}}
        if head:
            scope["method"] = "GET"
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self.app(scope, receive, framed)
            except Exception as error:
                log.exception("unforeseen error", path=scope["path"])
                if status == 0:
                    await unforeseen(error, scope["path"])(scope, receive, framed)
            finally:
                elapsed, method = round((time.perf_counter() - begun) * 1000, 1), "HEAD" if head else scope["method"]
                log.info("request", method=method, path=scope["path"], status=int(status), ms=elapsed)


def _request_id(scope: Scope) -> str:
    """The client's ``X-Request-ID`` where it is a plain word, else a fresh one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return str(value.decode())
    return uuid.uuid4().hex
