"""``galsynth keys create|list|revoke``: the API keys of a service on this machine; `python -m app.keys` does the work."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from galsynth.local import python_module
from galsynth.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Who may call the service: API keys, kept as hashes.")
File = Annotated[
    Path | None,
    typer.Option(help="File of keys. [default: GALSYNTH_KEYS_FILE, else keys.json in the data folder]", dir_okay=False),
]


@app.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="Whose key it is; keys of one name belong to one caller.")],
    requests_per_minute: Annotated[int | None, typer.Option(min=0, help="Requests a minute; 0: any.")] = None,
    unfinished_jobs: Annotated[int | None, typer.Option(min=0, help="Jobs that wait or run at a time; 0: any.")] = None,
    daily_pixels: Annotated[int | None, typer.Option(min=0, help="Pixels a day; 0: any.")] = None,
    file: File = None,
) -> None:
    """Make a key and print it, this once: only its hash is kept."""
    bounds = {"requests-per-minute": requests_per_minute, "unfinished-jobs": unfinished_jobs, "daily-pixels": daily_pixels}
    given = [f"--{option}={value}" for option, value in bounds.items() if value is not None]
    raise typer.Exit(_run(file, "create", *given, "--", name).returncode)


@app.command("list")
def list_keys(file: File = None, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List every key, revoked ones too; no secrets."""
    done = _run(file, "list", stdout=subprocess.PIPE)
    if done.returncode == 0:
        keys: list[dict[str, Any]] = json.loads(done.stdout)
        if as_json:
            typer.echo(json.dumps(keys, indent=2))
        else:
            Console().print(_table(keys))
    raise typer.Exit(done.returncode)


@app.command("revoke")
def revoke_key(which: Annotated[str, typer.Argument(help="Id of a key, or name: all its keys.")], file: File = None) -> None:
    """End a key: it is refused within a second."""
    raise typer.Exit(_run(file, "revoke", "--", which).returncode)


@app.command("webhook-secret")
def webhook_secret(
    name: Annotated[str, typer.Argument(help="The caller; none where the service asks for no keys.")] = "",
) -> None:
    """Print what webhooks to a caller are signed with."""
    raise typer.Exit(_run(None, "webhook-secret", "--", *([name] if name else [])).returncode)


def _run(file: Path | None, *arguments: str, stdout: int | None = None) -> subprocess.CompletedProcess[str]:
    settings = Settings.read()
    environ = dict(settings.environ) | {"GALSYNTH_KEYS_FILE": str(file or settings.keys_file)}
    return subprocess.run([*python_module("app.keys"), *arguments], env=environ, stdout=stdout, text=True, check=False)


def _table(keys: list[dict[str, Any]]) -> Table:
    table = Table(
        "id", "name", "made", "revoked", "requests/min", "unfinished jobs", "pixels a day", box=None, header_style="bold"
    )
    for key in keys:
        bounds = [str(key[name] or "any") for name in ("requests_per_minute", "unfinished_jobs", "daily_pixels")]
        table.add_row(key["id"], key["name"], key["created"], key["revoked"] or "", *bounds)
    return table
