"""The load generator: raw HTTP/1.1 on keep-alive connections, so that it takes little of the cores that it shares.

One client is one connection that sends its next request as soon as it has the answer to the one before. The same generator loads
the service and its peers.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import uvloop

OK = 200


@dataclass(frozen=True)
class Target:
    """What is loaded: an address and how the bytes of request number n are made."""

    host: str
    port: int
    request: Callable[[int], bytes]


@dataclass
class Load:
    """What came back: seconds of every good answer, when each came, and when a request had none."""

    times: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    failures: list[float] = field(default_factory=list)
    seconds: float = 0.0
    generator_cpu_seconds: float = 0.0

    @property
    def errors(self) -> int:
        """Requests without a good answer."""
        return len(self.failures)

    @property
    def per_second(self) -> float:
        """Good answers a second."""
        return len(self.times) / self.seconds

    def percentile_ms(self, percent: float) -> float:
        """Milliseconds within which ``percent`` of the good answers came; NaN where there was none."""
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] * 1000 if ordered else float("nan")

    def document(self) -> dict[str, Any]:
        """The figures as JSON values."""
        return {
            "per_second": self.per_second,
            "p50_ms": statistics.median(self.times) * 1000 if self.times else None,
            "p95_ms": self.percentile_ms(95),
            "p99_ms": self.percentile_ms(99),
            "errors": self.errors,
            "generator_cpu_ms": self.generator_cpu_seconds * 1000 / max(1, len(self.times)),
        }


def post(path: str, body: str, headers: dict[str, str]) -> bytes:
    """A POST of JSON as the bytes of HTTP/1.1."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
    return f"{head}{lines}\r\n{body}".encode()


def closed_loop(target: Target, clients: int, seconds: float, first: int) -> tuple[Load, int]:
    """Load ``target`` with ``clients`` for ``seconds``; requests are numbered from ``first``. Returns also the next number."""
    return uvloop.run(_run(target, clients, seconds, first, None))


def open_loop(target: Target, clients: int, seconds: float, first: int, per_second: float) -> tuple[Load, int]:
    """`closed_loop`, but each client starts a request only every ``clients / per_second`` seconds."""
    return uvloop.run(_run(target, clients, seconds, first, clients / per_second))


async def _run(target: Target, clients: int, seconds: float, first: int, period: float | None) -> tuple[Load, int]:
    loop = asyncio.get_running_loop()
    load = Load()
    numbers = iter(range(first, 2**32))
    begun, cpu = time.perf_counter(), time.process_time()
    connections = [_Connection(target, load, numbers, begun + seconds, period) for _ in range(clients)]
    for connection in connections:
        await loop.create_connection(partial(_same, connection), target.host, target.port)
    await asyncio.gather(*(connection.ended for connection in connections))
    load.seconds, load.generator_cpu_seconds = time.perf_counter() - begun, time.process_time() - cpu
    return load, next(numbers)


class _Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, target: Target, load: Load, numbers: Any, until: float, period: float | None) -> None:
        self._target, self._load, self._numbers, self._until, self._period = target, load, numbers, until, period
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._buffer = b""
        self._begun = 0.0

    def connection_made(self, transport: Any) -> None:
        """Send the first request."""
        self._transport = transport
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        """Count a connection that ended under a request as an error."""
        if not self.ended.done():
            self._load.failures.append(time.perf_counter())
            self.ended.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer."""
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found or not _whole(head.lower(), body):
            return
        now = time.perf_counter()
        if int(head[9:12]) == OK:
            self._load.times.append(now - self._begun)
            self._load.ends.append(now)
        else:
            self._load.failures.append(now)
        self._buffer = b""
        self._pause(now)

    def _pause(self, now: float) -> None:
        wait = 0.0 if self._period is None else self._begun + self._period - now
        if wait > 0:
            self._loop.call_later(wait, self._next)
        else:
            self._next()

    def _next(self) -> None:
        self._begun = time.perf_counter()
        if self._begun < self._until:
            self._transport.write(self._target.request(next(self._numbers)))
        elif not self.ended.done():
            self.ended.set_result(None)
            self._transport.close()


def _same(connection: _Connection) -> _Connection:
    return connection


def _whole(head: bytes, body: bytes) -> bool:
    _, found, rest = head.partition(b"\r\ncontent-length:")
    if found:
        return len(body) >= int(rest.partition(b"\r\n")[0])
    return body.endswith(b"0\r\n\r\n")
