"""The steps of a flow: what a driver is asked to do, and what it tells of it."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, TypeVar
from urllib.parse import quote

import httpx

from galsynth.client.errors import BadAnswer

T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """A request to send. With a ``sink`` the body of a 200 replaces what is in it, and that of a 206 goes to its end."""

    method: str
    path: str
    json: Any = None
    params: Mapping[str, str | int | float] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    patience: float = 0
    """Seconds that the service may think before it answers, on top of the transport's own timeouts."""
    limit: float | None = None
    """Seconds to take the place of those timeouts."""
    sink: BinaryIO | None = None


@dataclass(frozen=True)
class Pause:
    """Wait so many seconds."""

    seconds: float


Flow = Generator[Call | Pause, httpx.Response | None, T]


class Interrupted(Exception):
    """Thrown into a flow: the body of an answer ended too soon. What came is in the sink; ``etag`` names the whole."""

    def __init__(self, cause: httpx.TransportError, response: httpx.Response) -> None:
        super().__init__(str(cause))
        self.cause, self.etag = cause, tag_of(response)


def segment(name: str) -> str:
    """An id, or ``name@version``, as one segment of a path: no part of it is read as an address."""
    quoted = quote(name, safe="@")
    return quoted.replace(".", "%2E") if quoted in (".", "..") else quoted


def receive_into(sink: BinaryIO, response: httpx.Response) -> bool:
    """Whether the body of ``response`` belongs into ``sink``, which then stands where the body is to go.

    Raises
    ------
    BadAnswer : a part that does not begin where the sink ends.
    """
    if response.status_code == httpx.codes.OK:
        sink.seek(0)
        sink.truncate()
        return True
    if response.status_code != httpx.codes.PARTIAL_CONTENT:
        return False
    begins = response.headers.get("content-range", "").removeprefix("bytes ").partition("-")[0]
    if begins != str(sink.tell()):
        raise BadAnswer(f"the service sends bytes from {begins or 'nobody knows where'}; from {sink.tell()} on was asked for")
    return True


def tag_of(response: httpx.Response) -> str:
    """The entity tag of an answer, without its quotes; empty where it has none."""
    return str(response.headers.get("etag", "")).removeprefix("W/").strip('"')
