"""What a run tells: a line a few seconds on a pipe, a bar on a terminal, JSON lines, TensorBoard events."""

from __future__ import annotations

import json
import math
import resource
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from tensorboardX import SummaryWriter
from torch import Tensor

from galaxies.pixels import Picture
from training.checkpoints import diverged

TICK_SECONDS = 20.0
BAR_SECONDS = 2.0
GIGABYTE = 2**30


class Reporter:
    """Averages what steps log and writes it out; used as a context, so that files and the bar are closed.

    Parameters
    ----------
    run : folder for ``log.jsonl`` and ``tensorboard/``.
    images_seen, total : where the run stands and where it ends.
    speaks : False in all processes but the first: they only look for numbers that are not finite.
    """

    def __init__(self, run: Path, images_seen: int, total: int, *, speaks: bool = True) -> None:
        self.run, self.total, self.speaks = run, total, speaks
        self.sums: dict[str, list[Tensor]] = {}
        self.images_seen = self.last_images = images_seen
        self.last_time = self.last_shown = time.monotonic()
        self.events = SummaryWriter(str(run / "tensorboard"), purge_step=images_seen + 1) if speaks else None
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
        if self.bar is not None and time.monotonic() - self.last_shown >= BAR_SECONDS:
            self.last_shown = time.monotonic()
            self.bar.update(self.task, completed=images_seen, description="training", **self._speed())

    def due(self) -> bool:
        """Whether it is time for the next line."""
        return time.monotonic() - self.last_time >= TICK_SECONDS

    def flush(self, seconds: float) -> float:
        """Write the averages since the last time; returns the seconds that passed since then.

        Raises
        ------
        DivergedError : a number is not finite.
        """
        elapsed, images = time.monotonic() - self.last_time, self.images_seen - self.last_images
        if not images:
            return 0.0
        means = {key: float(torch.stack([v.float() for v in values]).mean()) for key, values in self.sums.items()}
        for key, number in means.items():
            if not math.isfinite(number):
                raise diverged(self.run, self.images_seen, f"{key} is {number}")
        speed = images / elapsed
        self.sums, self.last_images = {}, self.images_seen
        self.last_time = time.monotonic()
        if self.speaks:
            self.write({"images_per_second": speed, "seconds": seconds + elapsed, "memory_gb": _memory(), **means})
            self._say(speed, means)
        return elapsed

    def write(self, values: dict[str, Any]) -> None:
        """One JSON line and the TensorBoard scalars of the present position."""
        kimg = self.images_seen / 1000
        with (self.run / "log.jsonl").open("a") as stream:
            stream.write(json.dumps({"kimg": kimg, **values}) + "\n")
        if self.events is not None:
            for key, value in values.items():
                self.events.add_scalar(key, value, self.images_seen)

    def picture(self, picture: Picture) -> None:
        """A sample sheet for TensorBoard."""
        if self.events is not None:
            self.events.add_image("samples", picture, self.images_seen, dataformats="HWC" if picture.ndim == 3 else "HW")

    def waiting(self, what: str, done: int = 0, count: int = 0) -> None:
        """Tell that ``what`` goes on between steps, e.g. metrics."""
        if self.bar is not None:
            self.bar.update(self.task, description=f"{what} {done}/{count}" if count else what, **self._speed())

    def pause(self, seconds: float) -> None:
        """Leave ``seconds`` of other work out of the speed."""
        self.last_time += seconds

    def _speed(self) -> dict[str, Any]:
        elapsed, images = time.monotonic() - self.last_time, self.images_seen - self.last_images
        speed = images / elapsed if elapsed > 0 else 0.0
        left = clock((self.total - self.images_seen) / speed) if speed else "–"
        return {"speed": f"{speed:.1f} images/s", "left": left}

    def _say(self, speed: float, means: dict[str, float]) -> None:
        numbers = "  ".join(f"{key} {value:.3f}" for key, value in means.items() if not key.startswith("logit"))
        left = clock((self.total - self.images_seen) / speed)
        line = f"{self.images_seen / 1000:8.1f} / {self.total / 1000:.0f} kimg  {speed:6.1f} images/s  ETA {left}  {numbers}"
        if self.bar is not None:
            self.bar.console.print(line, highlight=False, markup=False, soft_wrap=True)
        else:
            print(line, flush=True)


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
