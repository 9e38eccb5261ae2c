"""What the commands share: the console, how far work is, and options of the form A=B."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from galaxies.errors import BadInput

console = Console(stderr=True)
LINE_SECONDS = 20.0
COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())

Tell = Callable[[str, int, int], None]
"""What is done, how many of it, and how many there are."""


@contextmanager
def progress(now: Callable[[], float] = time.monotonic) -> Iterator[Tell]:
    """Show on stderr what is told: a bar each with times on a terminal, else a line every 20 seconds and one at its end."""
    if console.is_interactive:  # a dumb terminal, which draws no bars, is none
        with Progress(*COLUMNS, console=console) as bars:
            yield _bars(bars)
    else:
        yield _lines(now)


def _bars(bars: Progress) -> Tell:
    tasks: dict[str, TaskID] = {}

    def tell(what: str, done: int, total: int) -> None:
        if what not in tasks:
            tasks[what] = bars.add_task(what, total=total)
        bars.update(tasks[what], completed=done, total=total)

    return tell


def _lines(now: Callable[[], float]) -> Tell:
    begun: dict[str, tuple[float, int]] = {}
    ended: set[str] = set()
    last = now()

    def tell(what: str, done: int, total: int) -> None:
        nonlocal last
        start, first = begun.setdefault(what, (now(), done))
        if what in ended or (done < total and now() - last < LINE_SECONDS):
            return
        if done >= total:
            ended.add(what)
        last, passed = now(), now() - start
        left = f"  ETA {_time(passed * (total - done) / (done - first))}" if first < done < total else ""
        console.print(f"{what}  {done:,}/{total:,}  {_time(passed)}{left}", markup=False, highlight=False, soft_wrap=True)

    return tell


def _time(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))


def assignment(option: str, text: str, form: str = "COLUMN=VALUE") -> tuple[str, str]:
    """``A=B`` in its two parts; ``form`` is what messages call them."""
    key, sign, value = text.partition("=")
    if not key or not sign:
        raise BadInput(f"{option} {text!r}: {form} is needed")
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
