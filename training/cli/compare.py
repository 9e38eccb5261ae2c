"""``compare``: one table of all published models."""

# ruff: noqa: PLC0415 - the figures import torch, which takes seconds

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def compare(
    stores: Annotated[list[Path], typer.Argument(help="model stores, such as models/zoo")],
    out: Annotated[Path, typer.Option(help="path of the table; .md, .json and .svg are written")] = Path("docs/systems"),
    only: Annotated[list[str] | None, typer.Option(help="a model's name, several times; default all")] = None,
    seconds: Annotated[float, typer.Option(min=0.01, help="that each model serves for in each round")] = 1.0,
    rounds: Annotated[int, typer.Option(min=1, help="of timing; the median counts")] = 5,
    batch: Annotated[int, typer.Option(min=1, max=512, help="galaxies a batch")] = 8,
    threads: Annotated[int, typer.Option(min=1, help="of ONNX Runtime")] = 1,
) -> None:
    """Compare published models by their reports, parameters and speed; serving is measured here, all in turn."""
    from training.compare import CompareOptions
    from training.compare import compare as compare_models
    from training.report.systems import markdown

    options = CompareOptions(only or (), seconds, rounds, batch, threads)
    print(markdown(compare_models(stores, out, options, lambda text: typer.echo(text, err=True)), f"{out.name}.svg"))
