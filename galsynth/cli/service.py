"""What the commands that ask a service have in common: where it is, what they print, where results go."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from galaxies.errors import BadInput
from galsynth.cli.streams import writing
from galsynth.cli.tables import made
from galsynth.client.blocking import Client, Job
from galsynth.client.documents import JobState

Url = Annotated[
    str | None,
    typer.Option(help="Address of the service. [default: GALSYNTH_URL, else this machine]", metavar="URL"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON; on standard error where the result goes to standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")]
STDOUT = Path("-")


def client_of(url: str | None, *, progress: bool = False) -> Client:
    """The service that a command asks; a bar only where somebody sees it."""
    return Client(url, progress=progress and sys.stderr.isatty())


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM and SIGHUP interrupt as Ctrl-C does, with statuses of their own; what becomes of the job is printed.

    A signal that is ignored stays so, as SIGHUP below ``nohup``.
    """
    seen = sys.stderr.isatty()

    def leave(number: int, _: object) -> NoReturn:
        if seen and not sys.stderr.isatty():  # the terminal has gone; whatever is still said must not fail
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
        sys.exit(128 + number)

    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)}
    for each, handler in before.items():
        signal.signal(each, signal.SIG_IGN if handler is signal.SIG_IGN else leave)
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as why:
        for note in getattr(why, "__notes__", []):
            typer.echo(f"galsynth: {note}", err=True)
        raise
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def check_output(output: Path | None) -> None:
    """Refuse to write the bytes of a result into a terminal.

    Raises
    ------
    BadInput : ``output`` is standard output, and that is a terminal.
    """
    if output == STDOUT and sys.stdout.isatty():
        raise BadInput("a result is no text for a terminal: name a file, -o FILE, or send it on, -o - | PROGRAM", field="output")


def deliver(job: Job, output: Path, *, as_json: bool) -> None:
    """Wait for ``job`` and write its result; what is said goes to standard error where the result goes to standard output.

    Raises
    ------
    BadInput, GalaxyError : it cannot be written; see `writing`.
    """
    if output == STDOUT:
        with writing(tempfile.gettempdir()), tempfile.TemporaryFile() as stream:
            job.fetch(stream)
            stream.seek(0)
            with writing("standard output"):
                shutil.copyfileobj(stream, sys.stdout.buffer)
                sys.stdout.buffer.flush()
    else:
        with writing(output):
            job.save(output)
    if as_json:
        say(job, as_json=True, err=output == STDOUT)
    elif output != STDOUT:
        typer.echo(f"{output}: {made(job.state)} of {job.state.model.reference}{_scored(job.state)}", err=True)


def _scored(job: JobState) -> str:
    """The mean score in words, where there is one."""
    scores = job.result.scores if job.result else None
    return f", mean score {scores.mean:.2f} of 8 by {scores.scorer.reference}" if scores else ""


def say(job: Job, *, as_json: bool, err: bool = False) -> None:
    """The job's id, or the job as JSON."""
    typer.echo(job.state.model_dump_json(indent=2) if as_json else job.id, err=err)
