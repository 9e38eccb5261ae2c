"""``fields``: pictures of the sky from an archive's galaxies."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from training.cli.console import progress
from training.data import archive
from training.data.fields import FieldOptions, write_fields


def fields(
    data: Annotated[Path, typer.Argument(help="archive whose galaxies are used")],
    out: Annotated[Path, typer.Option(help="new zip of PNG files, for `prepare`")],
    count: Annotated[int, typer.Option(min=1, max=100_000, help="fields")] = 100,
    side: Annotated[int, typer.Option(min=64, max=4096, help="side of the fields in pixels")] = 1000,
    pad: Annotated[int, typer.Option(min=0, max=4096, help="side of the black square around them, such as 1024; 0 for none")] = 0,
    galaxies: Annotated[float, typer.Option(min=0, max=10_000, help="galaxies in a field, on average")] = 40.0,
    stars: Annotated[float, typer.Option(min=0, max=10_000, help="stars in a field, on average")] = 60.0,
    seed: Annotated[int, typer.Option(min=0, help="the same seed gives the same fields")] = 0,
) -> None:
    """Fields of many small real galaxies and simulated stars on a dark sky, greyscale, for the systems of row E."""
    options = FieldOptions(count, side, pad, galaxies, stars, seed=seed, largest=min(64, side))
    with progress() as tell:
        write_fields(archive.read(data), out, options, partial(tell, "fields"))
    print(f"{out}: {count} fields; make an archive of them with `python -m training prepare {out} --resolution {pad or side} …`")
