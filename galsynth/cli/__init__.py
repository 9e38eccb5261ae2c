"""The ``galsynth`` command. Exit status: 0 done, 1 failed, 2 wrong use."""

from __future__ import annotations

import importlib.metadata
import sys
from typing import Annotated

import typer

from galaxies.errors import BadInput, GalaxyError
from galsynth.cli import keys, models, programs

EPILOG = "Settings come from the environment too: see `galsynth COMMAND --help` and the operations guide."

app = typer.Typer(
    name="galsynth",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog=EPILOG,
)
app.command("up")(programs.up)
app.command("api")(programs.api)
app.command("worker")(programs.worker)
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
    """Run the command line; every error of ours is one line on standard error."""
    try:
        app()
    except GalaxyError as error:
        typer.echo(f"galsynth: {error.message}", err=True)
        sys.exit(2 if isinstance(error, BadInput) else 1)
