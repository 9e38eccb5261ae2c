"""``study``: what Fussell & Moews vary in their DCGAN."""

# ruff: noqa: PLC0415 - training imports torch, which takes seconds

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def study(
    data: Annotated[Path, typer.Argument(help="archive made by prepare")],
    out: Annotated[Path, typer.Option(help="folder for the runs, study.md, .json and .svg; variants there are resumed")],
    settings: Annotated[list[str] | None, typer.Option("--set", help="for all variants, e.g. kimg=200")] = None,
    only: Annotated[list[str] | None, typer.Option(help="a variant's name, several times; default all")] = None,
    images: Annotated[int, typer.Option(min=10, max=50_000, help="samples for the FID at the end")] = 1000,
) -> None:
    """Train the DCGAN of Fussell & Moews (2019) with each thing that they vary, at one budget, to a table and a figure."""
    from training.study import study as run_study
    from training.study import table

    print(table(run_study(data, out, settings or [], only or [], images, print), settings or []))
