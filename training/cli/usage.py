"""What is wrong with a command line, in one line."""

from __future__ import annotations

from typing import Any

import typer


def wrong_use(error: typer.TyperException) -> str:
    """The option, its value and what is allowed; of other errors what typer says; nothing where it has shown the help instead."""
    found: list[dict[str, Any]] = getattr(error.__cause__, "errors", list)()
    if not isinstance(error, typer.BadParameter) or error.param is None or not found:
        return " ".join(error.format_message().split())
    return f"{error.param.opts[0]} {found[0]['input']}: {_needed(error.param, found[0]['msg'])}"


def _needed(param: object, said: str) -> str:
    """What ``param`` takes, as its range has it, else as pydantic ``said`` it."""
    low, high = getattr(param, "min", None), getattr(param, "max", None)
    number = "a whole number" if "integer" in said else "a number"
    if low is not None:
        return f"{number} from {low:g} to {high:g} is needed" if high is not None else f"{number} of {low:g} or more is needed"
    return f"{number} is needed" if "number" in said or "integer" in said else said
