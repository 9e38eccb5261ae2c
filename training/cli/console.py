"""What the commands share: the console, the progress bar, and options of the form A=B."""

from __future__ import annotations

import math

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from galaxies.errors import BadInput

console = Console(stderr=True)


def bar() -> Progress:
    """A progress bar with counts, elapsed and remaining time, on stderr."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console)


def assignment(option: str, text: str) -> tuple[str, str]:
    """``A=B`` in its two parts."""
    key, sign, value = text.partition("=")
    if not key or not sign:
        raise BadInput(f"{option} {text!r}: COLUMN=VALUE is needed")
    return key, value


def pair(text: str) -> tuple[str, str]:
    """``A:B`` in its two parts."""
    a, sign, b = text.partition(":")
    if not sign:
        raise BadInput(f"--mirror {text!r}: two classes joined by a colon are needed")
    return a, b


def number(option: str, text: str) -> float:
    """The number that ``text`` is; NaN and infinity are none."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadInput(f"{option}: {text!r} is not a number")
    return value
