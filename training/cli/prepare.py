"""``prepare``: images to an archive."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from galaxies.cards import Band
from galaxies.errors import BadInput
from training.cli.console import assignment, console, number, pair, progress
from training.data.options import (
    MEGABYTE,
    BandAxis,
    Kind,
    Layout,
    NanPolicy,
    OnError,
    PrepareOptions,
    Reading,
    Resampling,
    Selection,
    choice,
)
from training.data.prepare import prepare as prepare_archive
from training.data.quality import filters_of
from training.data.simulate import PRESETS, Simulation, simulate

SHOWN_MESSAGES = 20
SOURCE, TABLE, PIXELS, VALUES, SIMULATOR = "Source", "Selection and labels", "Pixels", "Values", "Simulation"

Text = str | None
Texts = list[str] | None


def prepare(
    out: Annotated[Path, typer.Option(help="new folder for the archive")],
    source: Annotated[Path | None, typer.Argument(help="folder, zip, FITS, npy, npz or HDF5 file; none with --simulate")] = None,
    resolution: Annotated[int, typer.Option(min=4, max=4096, help="side of the prepared images in pixels")] = 64,
    on_error: Annotated[str, typer.Option(help="a broken file or row: fail, or skip and name it")] = "fail",
    jobs: Annotated[int, typer.Option(min=1, help="processes; default one a core")] = os.cpu_count() or 1,
    name: Annotated[str, typer.Option(help="name of the data set in cards; default the folder's")] = "",
    credits: Annotated[str, typer.Option(help="whom to credit in cards and reports")] = "",
    held_out: Annotated[float, typer.Option(min=0, max=0.9, help="share of objects kept from training")] = 0.1,
    pattern: Annotated[Text, typer.Option(help="several files an object, e.g. {id}_{band}.fits", rich_help_panel=SOURCE)] = None,
    layout: Annotated[str, typer.Option(help="FITS extensions are bands or objects", rich_help_panel=SOURCE)] = "bands",
    hdu: Annotated[
        Text, typer.Option(help="FITS extensions to take, by name or number, e.g. SCI", rich_help_panel=SOURCE)
    ] = None,
    band_axis: Annotated[
        str, typer.Option(help="bands of cubes and arrays: first, last, or auto (the shortest axis)", rich_help_panel=SOURCE)
    ] = "auto",
    key: Annotated[str, typer.Option(help="array with the images in npz and HDF5", rich_help_panel=SOURCE)] = "images",
    label_key: Annotated[Text, typer.Option(help="array with a label an image", rich_help_panel=SOURCE)] = None,
    object_key: Annotated[Text, typer.Option(help="array with an object name an image", rich_help_panel=SOURCE)] = None,
    max_megabytes: Annotated[int, typer.Option(min=1, help="most that one file may unpack to", rich_help_panel=SOURCE)] = 512,
    csv: Annotated[Path | None, typer.Option(help="table that selects and labels the files", rich_help_panel=TABLE)] = None,
    header: Annotated[bool, typer.Option(help="whether the table's first row names the columns", rich_help_panel=TABLE)] = True,
    file_column: Annotated[
        str, typer.Option(help="column with the path inside SOURCE; columns are names or 0-based numbers", rich_help_panel=TABLE)
    ] = "file",
    file_pattern: Annotated[str, typer.Option(help="path of a value, e.g. {}.tiff", rich_help_panel=TABLE)] = "{}",
    class_column: Annotated[Text, typer.Option(help="column with the class", rich_help_panel=TABLE)] = None,
    rename_class: Annotated[Texts, typer.Option(help="OLD=NEW name of a class, e.g. 1=merger", rich_help_panel=TABLE)] = None,
    object_column: Annotated[
        Text, typer.Option(help="column that decides the train / held-out split", rich_help_panel=TABLE)
    ] = None,
    where: Annotated[Texts, typer.Option(help="keep rows with COLUMN=VALUE", rich_help_panel=TABLE)] = None,
    minimum: Annotated[Texts, typer.Option("--min", help="keep rows with COLUMN=VALUE or more", rich_help_panel=TABLE)] = None,
    maximum: Annotated[Texts, typer.Option("--max", help="keep rows with COLUMN=VALUE or less", rich_help_panel=TABLE)] = None,
    mirror: Annotated[
        Texts, typer.Option(help="classes that mirroring swaps, e.g. spiral_cw:spiral_acw", rich_help_panel=TABLE)
    ] = None,
    crop: Annotated[int | None, typer.Option(min=4, help="central pixels to take first", rich_help_panel=PIXELS)] = None,
    grey: Annotated[
        bool,
        typer.Option("--grey", help="8-bit colour to one band of luminance (ITU-R BT.601)", rich_help_panel=PIXELS),
    ] = False,
    resample: Annotated[
        str, typer.Option(help="area (mean), sum (keeps the flux of counts) or nearest", rich_help_panel=PIXELS)
    ] = "area",
    nan: Annotated[str, typer.Option(help="pixels that are not finite: fail, zero or median", rich_help_panel=PIXELS)] = "fail",
    reject: Annotated[
        Texts,
        typer.Option(help="filter or filter=limit: empty, saturated, gradient, nonfinite, border, all", rich_help_panel=PIXELS),
    ] = None,
    saturation: Annotated[
        float | None, typer.Option(min=0, max=1e12, help="value of a full pixel", rich_help_panel=PIXELS)
    ] = None,
    bands: Annotated[Text, typer.Option(help="band names, comma-separated", rich_help_panel=VALUES)] = None,
    unit: Annotated[Text, typer.Option(help="unit of the values, e.g. MJy/sr", rich_help_panel=VALUES)] = None,
    zero_points: Annotated[Text, typer.Option(help="AB magnitude of one unit a band", rich_help_panel=VALUES)] = None,
    wavelengths: Annotated[Text, typer.Option(help="wavelength in µm of each band", rich_help_panel=VALUES)] = None,
    pixel_scale: Annotated[
        float | None,
        typer.Option(min=0, max=1e6, help="arcsec a prepared pixel, where headers do not say it", rich_help_panel=VALUES),
    ] = None,
    normalisation: Annotated[str, typer.Option(help="auto, display, asinh, minmax or linear", rich_help_panel=VALUES)] = "auto",
    softening: Annotated[
        float, typer.Option(min=0.01, max=1e6, help="asinh: linear up to so many σ of noise", rich_help_panel=VALUES)
    ] = 3.0,
    normalise_like: Annotated[
        Path | None, typer.Option(help="take the constants of another archive", rich_help_panel=VALUES)
    ] = None,
    simulate_: Annotated[
        Text, typer.Option("--simulate", help=f"make galaxies instead: {', '.join(PRESETS)}", rich_help_panel=SIMULATOR)
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="galaxies to make", rich_help_panel=SIMULATOR)] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="image i depends on seed and i only", rich_help_panel=SIMULATOR)] = 0,
    arms: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="part of the discs with spiral arms; default the preset's", rich_help_panel=SIMULATOR),
    ] = None,
    mergers: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="part of the galaxies that merge; default the preset's", rich_help_panel=SIMULATOR),
    ] = None,
) -> None:
    """Galaxies of any kind of file, selected and labelled by a CSV, or simulated ones, to one archive with a manifest."""
    reading = Reading(
        resolution=resolution,
        crop=crop,
        grey=grey,
        resample=cast(Resampling, choice("--resample", resample, Resampling)),
        nan=cast(NanPolicy, choice("--nan", nan, NanPolicy)),
        band_axis=cast(BandAxis, choice("--band-axis", band_axis, BandAxis)),
        hdu=_words(hdu),
        key=key,
        bands=_bands(bands, unit, zero_points, wavelengths),
        saturation=saturation,
        reject=filters_of(reject or []),
        limit_bytes=max_megabytes * MEGABYTE,
    )
    selection = Selection(
        csv=csv,
        header=header,
        file_column=file_column,
        file_pattern=file_pattern,
        class_column=class_column,
        object_column=object_column,
        where=tuple(assignment("--where", text) for text in where or []),
        minimum=tuple(_bound("--min", text) for text in minimum or []),
        maximum=tuple(_bound("--max", text) for text in maximum or []),
        rename=tuple(assignment("--rename-class", text, "OLD=NEW") for text in rename_class or []),
    )
    options = PrepareOptions(
        source=source or Path(simulate_ or ""),
        out=out,
        selection=selection,
        reading=reading,
        pattern=pattern,
        layout=cast(Layout, choice("--layout", layout, Layout)),
        label_key=label_key,
        object_key=object_key,
        held_out=held_out,
        on_error=cast(OnError, choice("--on-error", on_error, OnError)),
        jobs=jobs,
        name=name,
        credits=credits,
        pixel_scale_arcsec=pixel_scale,
        mirror_pairs=tuple(pair(text) for text in mirror or []),
        normalisation=cast(Kind, choice("--normalisation", normalisation, Kind)),
        softening=softening,
        like=normalise_like,
    )
    if (source is None) == (simulate_ is None):
        raise BadInput("prepare needs a SOURCE or --simulate PRESET, and not both")
    if simulate_ is None and (arms, mergers) != (None, None):
        raise BadInput("--arms and --mergers belong to --simulate")
    _run(options, Simulation(simulate_, count, seed, arms, mergers) if simulate_ else None)


def _run(options: PrepareOptions, simulation: Simulation | None) -> None:
    with progress() as tell:
        if simulation is None:
            made = prepare_archive(options, partial(tell, "reading"), _warn)
        else:
            made = simulate(options, simulation, partial(tell, "simulating"))
    _report(options.out, made.manifest)


def _report(out: Path, manifest: dict[str, Any]) -> None:
    for message in manifest["broken"][:SHOWN_MESSAGES]:
        _warn(f"skipped: {message}")
    left = len(manifest["broken"]) - SHOWN_MESSAGES
    if left > 0:
        _warn(f"… and {left} more: all are in {out / 'inputs.csv'}")
    for reason, count in manifest["rejected"].items():
        print(f"rejected: {count} {reason}")
    if "pixels" in manifest["nonfinite"]:
        mended = manifest["nonfinite"]
        print(f"mended ({mended['policy']}): {mended['pixels']} pixels that were not finite, in {mended['images']} images")
    print(f"{out}: {manifest['training_count']} training and {manifest['held_out_count']} held-out images, {manifest['digest']}")


def _warn(text: str) -> None:
    console.print(text, style="yellow", markup=False, highlight=False, soft_wrap=True)


def _bands(names: Text, unit: Text, zero_points: Text, wavelengths: Text) -> tuple[Band, ...]:
    """The bands as the options name them; every list has one entry a band (a unit alone is that of all)."""
    words = _words(names)
    if not words:
        if unit or zero_points or wavelengths:
            raise BadInput("--unit, --zero-points and --wavelengths belong to --bands: name the bands too")
        return ()
    if twice := sorted({word for word in words if words.count(word) > 1}):
        raise BadInput(f"--bands {names} has {', '.join(twice)} twice: every band needs a name of its own")
    nothing: list[None] = [None] * len(words)
    units: Sequence[Text] = _words(unit) or nothing
    units = [units[0]] * len(words) if len(units) == 1 else units
    zeros: Sequence[float | None] = [number("--zero-points", text) for text in _words(zero_points)] or nothing
    waves: Sequence[float | None] = [number("--wavelengths", text) for text in _words(wavelengths)] or nothing
    if any(wave is not None and wave <= 0 for wave in waves):
        raise BadInput(f"--wavelengths {wavelengths}: numbers above 0, in µm, are needed")
    for option, values in (("--unit", units), ("--zero-points", zeros), ("--wavelengths", waves)):
        if len(values) != len(words):
            raise BadInput(f"{option} has {len(values)} values for {len(words)} bands ({', '.join(words)})")
    return tuple(
        Band(name=name, unit=one, zero_point=zero, wavelength_um=wave)
        for name, one, zero, wave in zip(words, units, zeros, waves, strict=True)
    )


def _words(text: Text) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip()) if text else ()


def _bound(option: str, text: str) -> tuple[str, float]:
    column, value = assignment(option, text)
    return column, number(option, value)
