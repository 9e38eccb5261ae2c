"""Latents and sums as people type them: ``42``, ``42:merger``, ``mean``, JSON; ``42 - 0.5*1234:merger + mean``."""

from __future__ import annotations

import json
import re
from typing import Any

from galaxies.errors import BadInput
from galaxies.requests import MAX_SEED

_NAME = r"mean|\d+(?::[^\s*,+]+)?"
_TERM = re.compile(rf"\s*(?P<sign>[+-]?)\s*(?:(?P<weight>\d+(?:\.\d+)?)\s*\*\s*)?(?P<latent>{_NAME})(?=\s|[+-]|$)")


def seeds(text: str) -> list[int]:
    """``42``, ``1,2,3`` and ``0-99`` (both ends), and any of them with commas between.

    Raises
    ------
    BadInput : it is none of that.
    """
    return _numbers(text, "seed")


def layers(text: str) -> str | list[int]:
    """``0,1,2`` or ``0-2`` as indices; any other word is the name of a group, which the model knows.

    Raises
    ------
    BadInput : it is none of that.
    """
    return text if text.isalpha() else _numbers(text, "layer")


def _numbers(text: str, what: str) -> list[int]:
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,20})(?:\s*-\s*(\d{1,20}))?\s*", part)
        if match is None:
            raise BadInput(f"{part.strip()!r} is no {what} and no range of {what}s such as 0-9", field=f"{what}s")
        first, last = int(match[1]), int(match[2] or match[1])
        if last > MAX_SEED:
            raise BadInput(f"{what} {last} is too large: {MAX_SEED} is the last", field=f"{what}s")
        if first > last:
            raise BadInput(f"{what}s {part.strip()} fall; a range rises, such as 0-9", field=f"{what}s")
        if last - first >= 100_000:
            raise BadInput(
                f"{what}s {part.strip()} are {last - first + 1:,}; the service takes 10,000 at a time", field=f"{what}s"
            )
        found.extend(range(first, last + 1))
    return found


def latent(text: str) -> dict[str, Any]:
    """``SEED``, ``SEED:CLASS``, ``mean``, or JSON as the contract has it.

    Raises
    ------
    BadInput : it is none of that.
    """
    text = text.strip()
    if text == "mean":
        return {"mean": True}
    if match := re.fullmatch(r"(\d{1,10})(?::(.+))?", text):
        return {"seed": int(match[1]), **({"class": match[2]} if match[2] else {})}
    if text.startswith("{"):
        try:
            value: dict[str, Any] = json.loads(text)
        except ValueError as error:
            raise BadInput(f"{text[:60]!r} is no JSON: {error}", field="latent") from None
        return value
    raise BadInput(f'{text[:60]!r} is no latent; SEED, SEED:CLASS, mean or {{"w": […]}} is needed', field="latent")


def latents(text: str) -> list[dict[str, Any]]:
    """Several of `latent`, and ranges of seeds such as ``0-9``, with commas between (JSON ones: a JSON list).

    Raises
    ------
    BadInput : it is none of that.
    """
    if text.strip().startswith("["):
        try:
            return [latent(json.dumps(each) if isinstance(each, dict) else str(each)) for each in json.loads(text)]
        except ValueError as error:
            raise BadInput(f"{text[:60]!r} is no JSON: {error}", field="latents") from None
    if text.strip().startswith("{"):
        return [latent(text)]
    return [each for part in text.split(",") for each in _latents(part)]


def _latents(part: str) -> list[dict[str, Any]]:
    is_range = re.fullmatch(r"\s*\d+\s*-\s*\d+\s*", part)
    return [{"seed": seed} for seed in seeds(part)] if is_range else [latent(part)]


def terms(text: str) -> list[dict[str, Any]]:
    """A sum such as ``42 - 1234 + 0.5*321:merger`` as terms of the contract.

    Raises
    ------
    BadInput : it is no sum.
    """
    found: list[dict[str, Any]] = []
    at = 0
    while at < len(text.rstrip()):
        match = _TERM.match(text, at)
        if match is None or (found and not match["sign"]):
            raise BadInput(f"{text!r} is no sum from {text[at:].strip()[:30]!r} on; write such as '42 - 0.5*1234 + 321:merger'")
        weight = float(match["weight"] or 1) * (-1 if match["sign"] == "-" else 1)
        found.append({"weight": weight, "latent": latent(match["latent"])})
        at = match.end()
    if not found:
        raise BadInput("an empty sum; write such as '42 - 1234 + 321'", field="terms")
    return found
