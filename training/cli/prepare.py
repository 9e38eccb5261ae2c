"""``prepare``: images to an archive."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from galaxies.errors import BadInput
from training.cli.console import assignment, bar, console, number, pair
from training.data.prepare import PrepareOptions
from training.data.prepare import prepare as prepare_archive


def prepare(
    source: Annotated[Path, typer.Argument(help="folder or zip of PNG, JPEG or TIFF images")],
    out: Annotated[Path, typer.Option(help="new folder for the archive")],
    resolution: Annotated[
        int, typer.Option(min=4, max=4096, help="side in pixels; larger images are averaged down by area")
    ] = 64,
    csv: Annotated[Path | None, typer.Option(help="table that selects and labels the files")] = None,
    file_column: Annotated[str, typer.Option(help="column with the path inside SOURCE")] = "file",
    class_column: Annotated[str | None, typer.Option(help="column with the class")] = None,
    object_column: Annotated[str | None, typer.Option(help="column that decides the train / held-out split")] = None,
    max_where: Annotated[str | None, typer.Option("--max", help="keep rows with COLUMN=VALUE or less, e.g. mean_luma=60")] = None,
    mirror: Annotated[list[str] | None, typer.Option(help="classes that mirroring swaps, e.g. spiral_cw:spiral_acw")] = None,
    held_out: Annotated[float, typer.Option(min=0, max=0.9, help="share of objects kept from training")] = 0.1,
    pixel_scale: Annotated[float | None, typer.Option(help="arcsec per prepared pixel, where known")] = None,
    bands: Annotated[str | None, typer.Option(help="comma-separated band names; default red,green,blue or grey")] = None,
    name: Annotated[str, typer.Option(help="name of the data set in cards; default the folder's")] = "",
    credits: Annotated[str, typer.Option(help="whom to credit in cards and reports")] = "",
    on_error: Annotated[str, typer.Option(help="a broken file: fail or skip")] = "fail",
) -> None:
    """Images in a folder or zip, with labels from a CSV, to one archive with a manifest."""
    if on_error not in ("fail", "skip"):
        raise BadInput(f"--on-error {on_error!r}: fail or skip is allowed")
    column, value = assignment("--max", max_where) if max_where else (None, "0")
    options = PrepareOptions(
        source=source,
        out=out,
        resolution=resolution,
        csv=csv,
        file_column=file_column,
        class_column=class_column,
        object_column=object_column,
        held_out=held_out,
        on_error=on_error,
        name=name,
        credits=credits,
        band_names=tuple(bands.split(",")) if bands else (),
        pixel_scale_arcsec=pixel_scale,
        mirror_pairs=tuple(pair(text) for text in mirror or []),
        max_column=column,
        max_value=number("--max", value),
    )
    with bar() as progress:
        task = progress.add_task("reading")
        made = prepare_archive(options, lambda done, total: progress.update(task, completed=done, total=total))
    manifest = made.manifest
    for message in manifest["broken"]:
        console.print(f"skipped: {message}", style="yellow", markup=False)
    print(f"{out}: {manifest['training_count']} training and {manifest['held_out_count']} held-out images, {manifest['digest']}")
