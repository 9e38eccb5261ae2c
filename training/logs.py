"""What a run tells: a line a few seconds on a pipe, a bar on a terminal, JSON lines, TensorBoard events."""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from torch import Tensor

from galaxies.pixels import Picture
from training import journal
from training.checkpoints import diverged
from training.events import Events

TICK_SECONDS = 20.0
BAR_SECONDS = 2.0
SHORTEST = 1e-9
GIGABYTE = 2**30


class Reporter:
    """Averages what steps log and writes it out; used as a context, so that files and the bar are closed.

    Parameters
    ----------
    run : folder for ``log.jsonl`` and ``tensorboard/``.
    images_seen, total : where the run stands and where it ends.
    speaks : False in all processes but the first: they only look for numbers that are not finite.
    now : a clock in seconds.
    """

    def __init__(
        self, run: Path, images_seen: int, total: int, *, speaks: bool = True, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.run, self.total, self.speaks, self.now = run, total, speaks, now
        self.sums: dict[str, list[Tensor]] = {}
        self.images_seen = self.last_images = images_seen
        self.last_time = self.last_shown = now()
        self.speed = 0.0
        """Images a second when steps were last measured; 0 before that."""
        self.begun = self.last_said = self.last_time
        if speaks:
            journal.rewind(run, images_seen / 1000)
        self.events = Events(run / "tensorboard", images_seen + 1) if speaks else None
        self.bar: Progress | None = None
        self.task = TaskID(0)
        if speaks and sys.stdout.isatty():
            self.bar, self.task = _bar(images_seen, total)

    def __enter__(self) -> Reporter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.bar is not None:
            self.bar.stop()
        if self.events is not None:
            self.events.close()

    def add(self, logs: dict[str, Tensor], images_seen: int) -> None:
        """Take note of one step."""
        self.images_seen = images_seen
        for key, value in logs.items():
            self.sums.setdefault(key, []).append(value)
        if self.bar is not None and self.now() - self.last_shown >= BAR_SECONDS:
            self.last_shown = self.now()
            self._measure()
            self._show("training")

    def due(self) -> bool:
        """Whether it is time for the next line."""
        return self.now() - self.last_time >= TICK_SECONDS

    def flush(self, seconds: float) -> float:
        """Write the averages since the last time; returns the seconds that passed since then.

        Raises
        ------
        DivergedError : a number is not finite.
        """
        if self.images_seen == self.last_images:
            return 0.0
        means = {key: float(torch.stack([v.float() for v in values]).mean()) for key, values in self.sums.items()}
        for key, number in means.items():
            if not math.isfinite(number):
                raise diverged(self.run, self.images_seen, f"{key} is {number}")
        elapsed = self._measure()
        self.sums, self.last_images, self.last_time = {}, self.images_seen, self.last_time + elapsed
        if self.speaks:
            self.write({"images_per_second": self.speed, "seconds": seconds + elapsed, "memory_gb": _memory(), **means})
            numbers = "  ".join(f"{key} {value:.3f}" for key, value in means.items() if not key.startswith("logit"))
            self.say(f"{self.speed:6.1f} images/s  ETA {self._left()}  {numbers}")
        return elapsed

    def write(self, values: dict[str, Any]) -> None:
        """One JSON line and the TensorBoard scalars of the present position."""
        journal.append(self.run, {"kimg": self.images_seen / 1000, **values})
        if self.events is not None:
            self.events.scalars(values, self.images_seen)

    def picture(self, picture: Picture) -> None:
        """A sample sheet for TensorBoard."""
        if self.events is not None:
            self.events.picture(picture, self.images_seen)

    def begin(self, what: str) -> None:
        """Tell that ``what`` begins, which takes a while."""
        self.begun = self.last_said = self.now()
        if self.bar is None:
            self.say(f"{what} …")
        self.waiting(what)

    def waiting(self, what: str, done: int = 0, count: int = 0) -> None:
        """Show that ``what`` goes on between steps: on a terminal beside the speed and time left of the last steps, else a line.

        Lines come every 20 seconds where ``count`` is known, from `begin` on.
        """
        self._show(f"{what} {done}/{count}" if count else what)
        if self.bar is None and 0 < done < count and self.now() - self.last_said >= TICK_SECONDS:
            self.last_said = self.now()
            passed = self.last_said - self.begun
            self.say(f"{what}  {done:,}/{count:,}  {clock(passed)}  ETA {clock(passed * (count - done) / done)}")

    def say(self, what: str) -> None:
        """One line that begins with the present position; a bar stays below it."""
        line = f"{self.images_seen / 1000:8.1f} / {self.total / 1000:g} kimg  {what}"
        if self.bar is not None:
            self.bar.console.print(line, highlight=False, markup=False, soft_wrap=True)
        else:
            print(line, flush=True)

    def pause(self, seconds: float) -> None:
        """Leave ``seconds`` of other work out of the speed."""
        self.last_time += seconds

    def _measure(self) -> float:
        """Take the speed of the steps since the last line; returns their seconds."""
        elapsed = self.now() - self.last_time
        self.speed = (self.images_seen - self.last_images) / max(elapsed, SHORTEST)
        return elapsed

    def _left(self) -> str:
        return clock((self.total - self.images_seen) / self.speed) if self.speed else "–"

    def _show(self, what: str) -> None:
        if self.bar is not None:
            speed = f"{self.speed:.1f} images/s" if self.speed else ""
            self.bar.update(self.task, completed=self.images_seen, description=what, speed=speed, left=self._left())


def _bar(images_seen: int, total: int) -> tuple[Progress, TaskID]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f} images"),
        TextColumn("{task.fields[speed]}"),
        TimeElapsedColumn(),
        TextColumn("ETA {task.fields[left]}"),
    )
    bar = Progress(*columns, console=Console(file=sys.stdout))
    task = bar.add_task("training", total=total, completed=images_seen, speed="", left="–")
    bar.start()
    return bar, task


def _memory() -> float:
    """Greatest memory of this process so far in GB: the GPU's where there is one, else the resident set."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / GIGABYTE
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / GIGABYTE


def clock(seconds: float) -> str:
    """``h:mm:ss``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
