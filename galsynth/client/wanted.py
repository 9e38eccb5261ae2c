"""What both clients keep of something that was asked for, and how they connect."""

from __future__ import annotations

import importlib.metadata
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from galaxies.errors import BadInput
from galsynth.client.documents import JobState
from galsynth.client.errors import Refused, WrongFormat
from galsynth.client.options import format_of, formats
from galsynth.client.result import Result
from galsynth.client.steps import Call
from galsynth.settings import Settings


@dataclass
class Wanted:
    """A request whose format is still open. Once one job has run, the others repeat its echo: same seeds, same model version."""

    operation: str
    asked: dict[str, Any]
    states: dict[str, JobState] = field(default_factory=dict)
    results: dict[str, Result] = field(default_factory=dict)

    @classmethod
    def of(cls, operation: str, body: dict[str, Any]) -> Wanted:
        """What ``body`` asks for; an echoed request names its operation itself.

        Raises
        ------
        Refused : a number is not finite, which JSON cannot say.
        """
        asked = {name: value for name, value in body.items() if name != "operation"}
        for pointer, value in _not_finite(asked):
            message = f"{pointer}: {value} is not a finite number"
            raise Refused(message, errors=[{"pointer": pointer, "detail": message}])
        return cls(operation, asked)

    def format(self, wanted: str | None = None) -> str:
        """``wanted``, else that of the request, else the operation's first.

        Raises
        ------
        WrongFormat : the operation has none of that name.
        """
        known = formats(self.operation)
        found = wanted or str(self.asked.get("format") or known[0])
        if found not in known:
            raise WrongFormat(f"{self.operation} makes {', '.join(known)}, not {found}")
        return found

    def first_of(self, *wanted: str) -> str:
        """The format to ask for where any of ``wanted`` will do: one that is there, else the first that the operation has."""
        own = self.asked.get("format")
        able = [each for each in wanted if each in formats(self.operation)]
        if not able:
            raise WrongFormat(f"{self.operation} makes {', '.join(formats(self.operation))}; this needs {' or '.join(wanted)}")
        return next((each for each in able if each in self.states or each == own), able[0])

    def format_for(self, path: Any) -> str:
        """The format of a file of that name; without a suffix, the request's own."""
        return format_of(self.operation, path) if getattr(path, "suffix", "") else self.format()

    def body(self, format_: str) -> dict[str, Any]:
        """The body to send for ``format_``."""
        echo = next((state.request for state in self.states.values()), self.asked)
        return {**echo, "format": format_}


@dataclass(frozen=True)
class Access:
    """Where the service is, and with which key."""

    url: str
    api_key: str | None = field(default=None, repr=False)
    timeout: float = 30.0

    @classmethod
    def of(cls, url: str | None, api_key: str | None, timeout: float) -> Access:
        """Arguments, else ``GALSYNTH_URL`` and ``GALSYNTH_API_KEY``, else this machine.

        Raises
        ------
        BadInput : the address is none.
        """
        settings = Settings.read()
        url = (url or settings.url).rstrip("/")
        if not re.fullmatch(r"https?://[^/\s]+(/\S*)?", url):
            raise BadInput(f"the service's address is {url!r}; one such as http://127.0.0.1:8000 is needed", field="GALSYNTH_URL")
        return cls(url, api_key or settings.api_key, timeout)

    def options(self) -> dict[str, Any]:
        """Arguments of `httpx.Client` and `httpx.AsyncClient`."""
        headers = {"user-agent": f"galsynth/{importlib.metadata.version('galsynth')}"}
        if self.api_key:
            headers["authorization"] = f"Bearer {self.api_key}"
        return {"base_url": self.url, "headers": headers, "timeout": self.timeout}

    def sent(self, call: Call) -> dict[str, Any]:
        """Arguments of `httpx.Client.build_request` for ``call``."""
        known: dict[str, Any] = {"method": call.method, "url": call.path, "headers": dict(call.headers)}
        known |= {"json": call.json} if call.json is not None else {}
        known |= {"params": dict(call.params)} if call.params else {}
        seconds = call.limit or self.timeout + call.patience
        return known | {"timeout": httpx.Timeout(seconds, connect=min(seconds, 10.0))}


def _not_finite(value: Any, pointer: str = "") -> Iterator[tuple[str, float]]:
    """Every number in ``value`` that is not finite, with its JSON pointer."""
    if isinstance(value, float) and not math.isfinite(value):
        yield pointer, value
    elif isinstance(value, dict | list):
        for name, each in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(each, float | dict | list):
                yield from _not_finite(each, f"{pointer}/{name}")
