"""What an address may say: parameters that its route takes, each once, and numbers in plain digits."""

from __future__ import annotations

import re
from collections import Counter

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BeforeValidator

from app.validation import shown


async def refuse_strays(request: Request) -> None:
    """Refuse a query of parameters where the route takes none, and any that is given more than once.

    Routes that take some refuse the others themselves: their models forbid extra fields. What is not of the contract (page,
    probes) takes what comes.

    Raises
    ------
    RequestValidationError : there is such a parameter.
    """
    if not (request.scope["query_string"] and request.scope["path"].startswith("/v1/")):
        return
    times = Counter(name for name, _ in request.query_params.multi_items())
    takes_some = bool(request.scope["route"].dependant.query_params)
    wrong = {name: "repeated" if takes_some else "extra_forbidden" for name, n in times.items() if n > 1 or not takes_some}
    if wrong:
        raise RequestValidationError(
            [{"type": kind, "loc": ("query", name), "input": name, "ctx": {"times": times[name]}} for name, kind in wrong.items()]
        )


def _in_digits(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"[0-9]+", value):
        raise ValueError(f"{shown(value)} is not a whole number in decimal digits")
    return value


def _in_decimals(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", value):
        raise ValueError(f"{shown(value)} is not a number in decimal digits, such as 0.5")
    return value


DIGITS = BeforeValidator(_in_digits)
"""For the integers of addresses; pydantic alone reads them as Python does: ``1_0`` and ``+4`` too."""
DECIMALS = BeforeValidator(_in_decimals)
"""The same for numbers with a fraction."""
