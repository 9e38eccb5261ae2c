"""A progress bar on standard error for whoever waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

from galaxies.jobs import Phase
from galsynth.client.documents import JobState
from galsynth.client.protocol import Observer

IDLE_POLL, SHOWN_POLL = 30.0, 0.5
"""Seconds of one long poll where nobody looks, and where somebody looks at a bar. The end of a job is told at once either way."""


@contextmanager
def watching(progress: bool | Observer) -> Iterator[Observer | None]:
    """What to call with every state of a job: a bar for True, nothing for False, ``progress`` itself where it is a function."""
    if not isinstance(progress, bool):
        yield progress
        return
    if not progress:
        yield None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("sent", total=None)
        yield lambda job: bar.update(task, description=told(job), completed=job.progress.done, total=job.progress.total)


def poll_seconds(progress: bool | Observer) -> float:
    """How long one poll of a job may take."""
    return IDLE_POLL if progress is False else SHOWN_POLL


def told(job: JobState) -> str:
    """One job in a few words."""
    if job.phase is Phase.QUEUED and job.queue_position is not None:
        return f"{job.operation}: number {job.queue_position} in the queue"
    return f"{job.operation}: {job.phase.value.lower()}"
