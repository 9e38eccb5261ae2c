"""BentoML: ``bentoml serve benchmarks.peers.bento:Galaxies``; the model store is in ``PEER_STORE``."""

import base64
import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import bentoml

from benchmarks.peers.model import WORKERS, Model, batch_size
from models.store import ModelStore

Message = MutableMapping[str, Any]
ROUTE, OK = "/generate", 200


@bentoml.service(workers=WORKERS, traffic={"timeout": 90, "max_concurrency": 256})
class Galaxies:
    """One PNG a request. What BentoML batches it answers as JSON, so a PNG is base64 text there until `Png` has seen it."""

    def __init__(self) -> None:
        self.model = Model(ModelStore([Path(os.environ["PEER_STORE"])]).get())

    @bentoml.api(batchable=True, max_batch_size=batch_size(), max_latency_ms=60_000, route=ROUTE)  # type: ignore[untyped-decorator,unused-ignore]
    def generate(self, seeds: list[int]) -> list[str]:
        """PNGs of ``seeds``."""
        return [base64.b64encode(png).decode() for png in self.model.pngs(seeds)]


class Png:
    """Answers of ``ROUTE`` as the PNG that they hold, so that clients get the same from every peer: JSON in, PNG out."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Any, send: Callable[[Message], Awaitable[None]]) -> None:
        """One request, as ASGI has it."""
        if scope["type"] != "http" or scope["path"] != ROUTE:
            await self.app(scope, receive, send)
            return
        start: Message = {}
        parts: list[bytes] = []

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
                return
            parts.append(message.get("body", b""))
            if not message.get("more_body"):
                body = b"".join(parts)
                if start["status"] == OK:
                    body = base64.b64decode(json.loads(body)[0])
                    start["headers"] = [(b"content-type", b"image/png"), (b"content-length", str(len(body)).encode())]
                await send(start)
                await send({"type": "http.response.body", "body": body})

        await self.app(scope, receive, answer)


Galaxies.add_asgi_middleware(Png)  # type: ignore[attr-defined,unused-ignore]
