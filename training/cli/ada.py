"""``ada``: with and without adaptive augmentation on one class."""

# ruff: noqa: PLC0415 - training imports torch, which takes seconds

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def ada(
    data: Annotated[Path, typer.Argument(help="archive made by prepare, with classes")],
    out: Annotated[Path, typer.Option(help="folder for the runs, ada.json, ada.md and ada.svg; runs there are resumed")],
    class_: Annotated[str, typer.Option("--class", help="the class that is trained on alone")] = "merger",
    augment: Annotated[list[str] | None, typer.Option(help="an arm, several times; default none and published")] = None,
    preset: Annotated[str, typer.Option(help="of the network and its recipe")] = "stylegan2-64-cpu",
    kimg: Annotated[float, typer.Option(min=0.001, help="thousand images that every arm sees")] = 200,
    every_kimg: Annotated[float, typer.Option(min=0.001, help="FID and KID every so many thousand images")] = 20,
    images: Annotated[int, typer.Option(min=10, max=50_000, help="samples of each measurement")] = 1000,
    settings: Annotated[list[str] | None, typer.Option("--set", help="for all arms, e.g. seed=1")] = None,
) -> None:
    """Train on one class alone with and without adaptive augmentation; FID and KID over images seen, one figure."""
    from training.ada import AdaOptions, markdown
    from training.ada import ada as run_ada

    arms = tuple(augment) if augment else AdaOptions.augment
    options = AdaOptions(class_, arms, preset, kimg, every_kimg, images, settings or ())
    print(markdown(run_ada(data, out, options, print)))
