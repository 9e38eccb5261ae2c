"""``galsynth models list|show|verify``: the local model store, or with ``--url`` what a running service has."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Annotated, Any

import typer
from rich.console import Console

from galaxies.cards import ModelCard
from galsynth.cli.tables import card_view, models_table
from galsynth.client.blocking import Client
from galsynth.client.dataset import default_model
from galsynth.client.documents import ModelList, parse
from galsynth.client.steps import segment
from galsynth.local import python_module
from galsynth.settings import Settings

app = typer.Typer(no_args_is_help=True, help="The models of this machine, or of a running service.")

Url = Annotated[
    str | None, typer.Option(help="Ask the service at this address instead, e.g. http://127.0.0.1:8000.", metavar="URL")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Reference = Annotated[str | None, typer.Argument(help="NAME or NAME@VERSION; the default model without it.")]


@app.command("list")
def list_models(url: Url = None, as_json: AsJson = False) -> None:
    """List every model version."""
    document, status = _over_http(url, "/v1/models") if url else _from_store("list")
    models = parse(ModelList, document).models
    if as_json:
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        Console().print(models_table(models))
    raise typer.Exit(status)


@app.command("show")
def show_model(reference: Reference = None, url: Url = None, as_json: AsJson = False) -> None:
    """Show one model's card."""
    if url:
        reference = reference or default_model(parse(ModelList, _over_http(url, "/v1/models")[0]).models)
        document, _ = _over_http(url, f"/v1/models/{segment(reference)}")
    else:
        document, _ = _from_store("show", *([reference] if reference else []))
    card = parse(ModelCard, document)
    if as_json:
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        Console().print(card_view(card))


@app.command("verify")
def verify_models(
    references: Annotated[list[str] | None, typer.Argument(help="NAME or NAME@VERSION …; everything without it.")] = None,
) -> None:
    """Check every file's digest and, where ONNX Runtime is installed, run each model once."""
    process = _models("verify", *(references or []))
    raise typer.Exit(process.returncode if process.returncode >= 0 else 1)


def _models(*arguments: str, stdout: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run ``python -m models``; its messages are said in the name of this command."""
    settings = Settings.read()
    own = settings.data_dir / "models"  # there once `galsynth up` has run
    environ = dict(settings.environ) | {"GALSYNTH_MODELS_DIRS": settings.models_dirs or (str(own) if own.is_dir() else "")}
    command = [*python_module("models"), *arguments]
    process = subprocess.run(command, env=environ, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)
    typer.echo(re.sub("^models: ", "galsynth: ", process.stderr, flags=re.MULTILINE), err=True, nl=False)
    return process


def _from_store(*arguments: str) -> tuple[dict[str, Any], int]:
    """What ``python -m models`` answers, and its exit status."""
    process = _models(*arguments, stdout=subprocess.PIPE)
    if not process.stdout:
        raise typer.Exit(process.returncode or 1)
    document: dict[str, Any] = json.loads(process.stdout)
    return document, process.returncode


def _over_http(url: str, path: str) -> tuple[dict[str, Any], int]:
    with Client(url) as client:
        return client.document(path), 0
