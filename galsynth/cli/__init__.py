"""The ``galsynth`` command; `galsynth.cli.outcome` has its exit statuses."""

from __future__ import annotations

import importlib.metadata
import sys
from typing import Annotated

import typer

from galaxies.errors import GalaxyError
from galsynth.cli import jobs, keys, models, operations, programs
from galsynth.cli.outcome import lines_of, status_of
from galsynth.cli.streams import standard_streams
from galsynth.cli.usage import Group

EPILOG = (
    "Settings come from the environment too: GALSYNTH_URL and GALSYNTH_API_KEY for a service elsewhere, the others in the "
    "operations guide. Exit status: 0 done, 1 failed, 2 wrong, 3 refused, 4 unreachable or unavailable, 129 hung up, "
    "130 interrupted, 143 terminated."
)

app = typer.Typer(
    name="galsynth",
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    epilog=EPILOG,
)
app.command("up")(programs.up)
app.command("api")(programs.api)
app.command("worker")(programs.worker)
app.command("generate")(operations.generate)
app.command("interpolate")(operations.interpolate)
app.command("mix")(operations.mix)
app.command("arithmetic", cls=operations.SumCommand)(operations.arithmetic)
app.add_typer(jobs.app, name="jobs")
app.add_typer(models.app, name="models")
app.add_typer(keys.app, name="keys")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"galsynth {importlib.metadata.version('galsynth')}")
        raise typer.Exit


@app.callback()
def galsynth(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Synthetic galaxies over HTTP, from generators trained on real galaxies."""


def main() -> None:
    """Run the command line; an error of ours is its message on standard error, and never a traceback."""
    try:
        with standard_streams():
            app()
    except GalaxyError as error:
        for line in lines_of(error):
            typer.echo(line, err=True)
        sys.exit(status_of(error))
