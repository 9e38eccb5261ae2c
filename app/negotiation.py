"""What the ``Accept`` and ``Prefer`` headers say (RFC 9110, RFC 7240)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.errors import Problem
from galaxies.requests import MEDIA_TYPES, Format

_PARTS = re.compile(r'(?:"[^"]*"|[^,"])+')
_PREFERENCE = re.compile(r'\s*([!#$%&\'*+.^_`|~0-9a-z-]+)\s*(?:=\s*(?:"([^"]*)"|([^\s;"]*)))?\s*(?:;.*)?', re.IGNORECASE)


def quality(accept: str | None, media_type: str) -> float:
    """0 (refused) … 1: how much a client that sent ``accept`` wants ``media_type``; the most specific range decides."""
    if accept is None or not accept.strip():
        return 1.0
    group = media_type.partition("/")[0]
    ranks = {media_type: 2, f"{group}/*": 1, "*/*": 0}
    found = [(ranks[kind], q) for kind, q in _ranges(accept) if kind in ranks]
    return max(found)[1] if found else 0.0


def choose(accept: str | None, offered: Sequence[str]) -> str | None:
    """The media type of ``offered`` that the client wants most, the first of equals; None where it wants none."""
    best = max(offered, key=lambda media_type: quality(accept, media_type))
    return best if quality(accept, best) > 0 else None


def choose_format(accept: str | None, formats: Sequence[Format]) -> Format:
    """The format for a request that names none. A client that accepts JSON gets the job as JSON, and the first format.

    Raises
    ------
    Problem : 406 where ``accept`` excludes every format and JSON.
    """
    wanted = choose(accept, [MEDIA_TYPES[name] for name in formats])
    if wanted is not None:
        return next(name for name in formats if MEDIA_TYPES[name] == wanted)
    if quality(accept, "application/json") > 0:
        return formats[0]
    allowed = ", ".join(MEDIA_TYPES[name] for name in formats)
    raise Problem(406, f"Accept: {accept} excludes all that this operation makes: {allowed}")


@dataclass(frozen=True)
class Preferences:
    """What ``Prefer`` says: seconds to wait for the result (None: not at all), and whether the job may stand back."""

    wait: float | None = None
    bulk: bool = False

    @property
    def applied(self) -> str:
        """The value of ``Preference-Applied``."""
        parts = [] if self.wait is None else [f"wait={self.wait:g}"]
        return ", ".join(parts + ["priority=bulk"] * self.bulk)


def preferences(headers: Sequence[str], most: float) -> Preferences:
    """What the ``Prefer`` headers say; waits are at most ``most`` seconds. Of two equal preferences the first counts; those
    without sense are ignored (RFC 7240).
    """
    found: dict[str, str] = {}
    for part in _PARTS.findall(",".join(headers)):
        match = _PREFERENCE.fullmatch(part)
        if match:
            found.setdefault(match[1].lower(), match[2] if match[2] is not None else match[3] or "")
    wait = found.get("wait", "")
    seconds = min(float(wait), most) if re.fullmatch(r"[0-9]{1,9}", wait) else None
    return Preferences(seconds, found.get("priority", "").lower() == "bulk")


def _ranges(accept: str) -> list[tuple[str, float]]:
    found = []
    for part in accept.split(","):
        kind, *parameters = [text.strip().lower() for text in part.split(";")]
        q = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                q = float(value) if re.fullmatch(r"\s*(0(\.\d{0,3})?|1(\.0{0,3})?)\s*", value) else 0.0
        found.append((kind, q))
    return found
