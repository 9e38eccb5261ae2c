"""``release``: all bundled models in one go."""

# ruff: noqa: PLC0415 - asks torch whether there is a GPU, and importing it takes seconds

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def release(
    sdss: Annotated[Path | None, typer.Option(help="SDSS set: PATH.zip and PATH.csv")] = None,
    jwst: Annotated[Path | None, typer.Option(help="JWST set: PATH.zip and PATH.csv")] = None,
    out: Annotated[Path, typer.Option(help="archives, runs and exported models go here")] = Path("runs/release"),
    store: Annotated[Path, typer.Option(help="root of the model store")] = Path("models/zoo"),
    version: Annotated[str, typer.Option(help="version of all models; published versions never change")] = "1",
    tiny: Annotated[bool, typer.Option("--tiny", help="the smallest networks and budgets: only to check the chain")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only print the commands")] = False,
) -> None:
    """Prepare, train, export, evaluate and publish every bundled model; the same command goes on where it stopped."""
    import torch

    from training.release import Options, steps
    from training.release import release as run_release

    options = Options(sdss, jwst, out, store, version, "cuda" if torch.cuda.is_available() else "cpu", tiny)
    if dry_run:
        for step in steps(options):
            print(step)
        return
    run_release(options)
