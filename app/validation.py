"""pydantic's errors → JSON pointers and sentences that name the value, what is allowed and what to do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypedDict

from galaxies.cards import AsinhStretch, IdentityStretch, LinearStretch, LuptonStretch
from galaxies.requests import OPERATIONS, Latent, NoiseSeed, Term

MAX_ERRORS = 20
SHOWN = 60


class FieldError(TypedDict):
    """One wrong value: where it is, and what is wrong with it."""

    pointer: str
    detail: str


Context = Mapping[str, Any]
MESSAGES: dict[str, Callable[[str, Context], str]] = {
    "missing": lambda _, __: "this field is needed",
    "int_type": lambda value, _: f"{value} is not an integer",
    "int_parsing": lambda value, _: f"{value} is not an integer",
    "int_from_float": lambda value, _: f"{value} is not an integer",
    "int_parsing_size": lambda value, _: f"{value} is too large an integer",
    "float_type": lambda value, _: f"{value} is not a number",
    "float_parsing": lambda value, _: f"{value} is not a number",
    "finite_number": lambda value, _: f"{value} is not a finite number",
    "string_type": lambda value, _: f"{value} is not a string",
    "bool_type": lambda value, _: f"{value} is not true or false",
    "list_type": lambda value, _: f"{value} is not a list",
    "model_type": lambda value, _: f"{value} is not an object",
    "model_attributes_type": lambda value, _: f"{value} is not an object",
    "dict_type": lambda value, _: f"{value} is not an object",
    "greater_than_equal": lambda value, c: f"{value} is below {c['ge']}, the least that is allowed",
    "less_than_equal": lambda value, c: f"{value} is above {c['le']}, the most that is allowed",
    "greater_than": lambda value, c: f"{value} is not above {c['gt']}",
    "literal_error": lambda value, c: f"{value} is not one of {c['expected']}",
    "enum": lambda value, c: f"{value} is not one of {c['expected']}",
    "too_short": lambda _, c: f"has {c['actual_length']} items; at least {c['min_length']} are needed",
    "too_long": lambda _, c: f"has {c['actual_length']} items; at most {c['max_length']} are allowed",
    "string_too_short": lambda value, c: f"{value} is too short; at least {c['min_length']} characters are needed",
    "string_too_long": lambda value, c: f"{value} is too long; at most {c['max_length']} characters are allowed",
    "value_error": lambda _, c: str(c["error"]),
    "union_tag_invalid": lambda _, c: f"{c['discriminator']} {c['tag']!r} is not one of {c['expected_tags']}",
    "union_tag_not_found": lambda _, c: f"the field {c['discriminator']} is needed here",
    "datetime_from_date_parsing": lambda value, _: f"{value} is not an ISO 8601 time such as 2026-01-31T12:00:00Z",
    "datetime_parsing": lambda value, _: f"{value} is not an ISO 8601 time such as 2026-01-31T12:00:00Z",
    "repeated": lambda value, c: f"{value} is given {c['times']} times; send it once",
    "timezone_aware": lambda value, _: f"{value} has no time zone; end it with Z",
}
_LATENT_PLACES = {"latent", "latents", "rows", "columns", "from", "to", "path"}
_STRETCHES = {"identity": IdentityStretch, "linear": LinearStretch, "asinh": AsinhStretch, "lupton": LuptonStretch}


def body_errors(operation: str, body: Any, errors: Sequence[Mapping[str, Any]]) -> list[FieldError]:
    """pydantic's errors about ``body`` as pointers into it, one a wrong value.

    pydantic names the branches of a union inside the location (``w, list[float], 3``). Steps that are not in the body are such
    branches and are taken out; of several branches of one union, those that came deepest into the value speak.
    """
    found: dict[tuple[str, ...], dict[tuple[str, ...], list[tuple[tuple[str, ...], str]]]] = {}
    for error in errors:
        path, branch, at = _split(body, error)
        found.setdefault(path[:at], {}).setdefault(branch, []).append((path, _detail(operation, error, path, body)))
    return [FieldError(pointer=_pointer(p), detail=d) for branches in found.values() for p, d in _best(branches)][:MAX_ERRORS]


def query_errors(errors: Iterable[Mapping[str, Any]]) -> list[FieldError]:
    """pydantic's errors about path, query and headers; pointers begin with ``/path``, ``/query`` or ``/header``."""
    located = [(tuple(map(str, error["loc"])), error) for error in errors]
    return [FieldError(pointer=_pointer(path), detail=_detail("", error, path, None)) for path, error in located][:MAX_ERRORS]


def _split(body: Any, error: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...], int]:
    """The real path, the union branches on the way, and how long the path was at the first branch."""
    path: list[str] = []
    branch: list[str] = []
    at: int | None = None
    value, steps = body, list(error["loc"])
    for i, step in enumerate(steps):
        last = i == len(steps) - 1
        if isinstance(value, dict) and (step in value or (last and error["type"] == "missing")):
            path.append(str(step))
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            path.append(str(step))
            value = value[step]
        else:
            at = len(path) if at is None else at
            branch.append(str(step))
    return tuple(path), tuple(branch), len(path) if at is None else at


def _best(branches: dict[tuple[str, ...], list[tuple[tuple[str, ...], str]]]) -> list[tuple[tuple[str, ...], str]]:
    """What to say about one place: all of it where there is no choice, else the branches that the value resembles most."""
    if len(branches) == 1:
        return next(iter(branches.values()))
    deepest = max(len(path) for errors in branches.values() for path, _ in errors)
    near = [errors for errors in branches.values() if any(len(path) == deepest for path, _ in errors)]
    fewest = min(map(len, near))
    near = [errors for errors in near if len(errors) == fewest]
    if len(near) == 1 or fewest > 1:
        return near[0]
    details = list(dict.fromkeys(errors[0][1] for errors in near))
    return [(near[0][0][0], "; or ".join(details))]


def _detail(operation: str, error: Mapping[str, Any], path: tuple[str, ...], body: Any) -> str:
    if error["type"] == "extra_forbidden":
        allowed = _fields(operation, path[:-1], body)
        what = "field" if operation else "parameter"
        return f"unknown {what} {shown(path[-1])}" + (f"; allowed are {', '.join(allowed)}" if allowed else "; leave it out")
    say = MESSAGES.get(error["type"])
    value = shown(error.get("input"))
    return say(value, error.get("ctx", {})) if say else f"{value}: {error['msg']}"


def _fields(operation: str, path: tuple[str, ...], body: Any) -> list[str]:
    """Names of the fields that the object at ``path`` may have."""
    names = [step for step in path if not step.isdecimal()]
    if not names:
        model: Any = OPERATIONS.get(operation)  # type: ignore[call-overload]
    elif names[-1] in _LATENT_PLACES:
        model = Latent
    elif names[-1] == "stretch":
        model = _STRETCHES.get(str(body["stretch"].get("kind")))
    else:
        others: dict[str, Any] = {"terms": Term, "noise": NoiseSeed}
        model = others.get(names[-1])
    return [info.alias or name for name, info in model.model_fields.items()] if model is not None else []


def shown(value: Any) -> str:
    """``value`` as a message shows it: JSON, in ASCII, shortened."""
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _pointer(path: tuple[str, ...]) -> str:
    """RFC 6901."""
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in path)
