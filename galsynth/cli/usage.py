"""What is wrong with an option's value: the value, and what is allowed."""

from __future__ import annotations

from typing import Any

import typer
import typer.core


class Group(typer.core.TyperGroup):
    """The commands; whoever gives one a wrong number is told the number and what is needed in its place."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that is asked for."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = _told(error)
            raise


def _told(error: typer.BadParameter) -> str:
    """What typer says, unless it repeats pydantic: then the value and what its option takes."""
    found: list[dict[str, Any]] = getattr(error.__cause__, "errors", list)()
    if not found:
        return error.message
    low, high = getattr(error.param, "min", None), getattr(error.param, "max", None)
    value, said = found[0]["input"], found[0]["msg"]
    if low is None and "number" not in said and "integer" not in said:
        return f"{value!r}; {said}"
    number = "a whole number" if isinstance(low, int) or "integer" in said else "a number"
    if low is not None:
        number += f" in {low:g} … {high:g}" if high is not None else f" of {low:g} or more"
    return f"{value!r}; {number} is needed"
