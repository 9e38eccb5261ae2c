"""What the commands that ask a service have in common: where it is, what they print, where results go."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from galaxies.errors import BadInput
from galsynth.client.blocking import Client, Job
from galsynth.client.options import format_of, formats

Url = Annotated[
    str | None,
    typer.Option(help="Address of the service. [default: GALSYNTH_URL, else this machine]", metavar="URL"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Send the job, print its id and end; see `galsynth jobs fetch`.")]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="File to write; its suffix is the format; - is standard output (PNG unless --format)."),
]
Model = Annotated[str | None, typer.Option(help="NAME or NAME@VERSION. [default: the service's]", metavar="MODEL")]
Truncation = Annotated[float | None, typer.Option(help="ψ: 0 the mean galaxy, 1 the whole distribution. [default: the model's]")]
Noise = Annotated[str | None, typer.Option(help="const, none, or a seed for fresh noise. [default: const]")]
Size = Annotated[int | None, typer.Option(help="Side of each picture in pixels. [default: the model's]")]
Stretch = Annotated[str | None, typer.Option(help="identity, linear, asinh or lupton. [default: the model's]")]
Option = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any other field of the request, NAME=VALUE with VALUE as JSON; may be repeated.", metavar="N=V"),
]
STDOUT = Path("-")


def client_of(url: str | None, *, progress: bool = False) -> Client:
    """The service that a command asks; a bar only where somebody sees it."""
    return Client(url, progress=progress and sys.stderr.isatty())


def common(
    *,
    model: str | None,
    truncation: float | None,
    noise: str | None,
    size: int | None,
    stretch: str | None,
    more: list[str] | None,
) -> dict[str, Any]:
    """The fields that every operation takes, as options → as the contract has them."""
    fields: dict[str, Any] = {"model": model, "truncation": truncation, "size": size}
    if noise is not None:
        fields["noise"] = {"seed": int(noise)} if noise.isdecimal() else noise
    if stretch is not None:
        fields["stretch"] = {"kind": stretch}
    return {name: value for name, value in fields.items() if value is not None} | _fields(more or [])


def make(
    client: Client,
    operation: str,
    body: Mapping[str, Any],
    output: Path | None,
    format_: str | None,
    *,
    as_json: bool,
    no_wait: bool,
) -> None:
    """Send the job, wait, and leave the result where it is wanted.

    Raises
    ------
    BadInput : neither a file nor a format is named.
    """
    if output is None and not no_wait:
        endings = ", ".join(f".{each}" for each in formats(operation))
        raise BadInput(f"where to? name a file, -o FILE ({endings}), or -o - for standard output, or --no-wait", field="output")
    if format_ is None and output is not None and output != STDOUT:
        format_ = format_of(operation, output)
    job = client.order(operation, dict(body)).submit(format_)
    if no_wait:
        say(job, as_json=as_json)
        return
    deliver(job, output or STDOUT, as_json=as_json)


def deliver(job: Job, output: Path, *, as_json: bool) -> None:
    """Wait for ``job`` and write its result; what is said goes to standard error where the result goes to standard output.

    Raises
    ------
    BadInput : the file cannot be written.
    """
    if output == STDOUT:
        with tempfile.TemporaryFile() as stream:
            job.fetch(stream)
            stream.seek(0)
            shutil.copyfileobj(stream, sys.stdout.buffer)
        return
    try:
        job.save(output)
    except OSError as error:
        raise BadInput(f"{output} cannot be written: {error.strerror}", field="output") from None
    if as_json:
        typer.echo(job.state.model_dump_json(indent=2))
    else:
        result = job.state.result
        assert result is not None
        typer.echo(
            f"{output}: {result.images} galax{'y' if result.images == 1 else 'ies'} of {job.state.model.reference}", err=True
        )


def say(job: Job, *, as_json: bool) -> None:
    """The job's id, or the job as JSON."""
    typer.echo(job.state.model_dump_json(indent=2) if as_json else job.id)


def _fields(more: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in more:
        name, equals, text = each.partition("=")
        if not equals:
            raise BadInput(f"--set {each!r} is not NAME=VALUE", field="set")
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found
