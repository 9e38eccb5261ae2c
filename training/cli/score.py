"""``score``: the similarity score of row E3 and its baselines."""

# ruff: noqa: PLC0415 - training imports torch, which takes seconds

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.cli.console import progress
from training.data import archive


def score(
    data: Annotated[Path, typer.Argument(help="archive of real galaxies, with held-out ones")],
    out: Annotated[Path, typer.Option(help="folder for the networks, score.json and score.md; finished networks are kept")],
    unknown: Annotated[Path | None, typer.Option(help="archive of frames without a galaxy (score 0), beside made ones")] = None,
    critic: Annotated[Path | None, typer.Option(help="run of a WGAN at this side whose critic the scorers start from")] = None,
    side: Annotated[int, typer.Option(min=8, max=4096, help="side of the images in pixels; 1000 as printed")] = 64,
    count: Annotated[int, typer.Option(min=50, help="examples to train on")] = 4000,
    held_out: Annotated[int, typer.Option(min=10, help="examples of held-out objects to judge on")] = 1000,
    members: Annotated[int, typer.Option(min=1, max=10, help="scorers, each with a split of its own")] = 5,
    head_epochs: Annotated[int, typer.Option(min=0, help="of the new layers alone, at 2e-3")] = 5,
    joint_epochs: Annotated[int, typer.Option(min=1, help="of all layers, at 3e-4")] = 15,
    plain_epochs: Annotated[int, typer.Option(min=1, help="of the plain CNN, at 1e-3")] = 20,
    batch: Annotated[int, typer.Option(min=2, help="images a step")] = 32,
    head_width: Annotated[
        int, typer.Option(min=1, max=4096, help="feature maps of the scorers' first new layer; the others in proportion")
    ] = 256,
    seed: Annotated[int, typer.Option(min=0, help="of examples, splits, weights and order")] = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
) -> None:
    """Train the similarity score (0 to 8) as an ensemble, with three baselines, to a table of held-out errors."""
    from training.score.ensemble import ScoreOptions
    from training.score.ensemble import score as run_score
    from training.score.table import markdown

    options = ScoreOptions(
        side=side,
        count=count,
        held_out=held_out,
        members=members,
        head_epochs=head_epochs,
        joint_epochs=joint_epochs,
        plain_epochs=plain_epochs,
        batch=batch,
        head_width=head_width,
        seed=seed,
        device=device,
        critic=critic,
    )
    galaxies, frames = archive.read(data), archive.read(unknown) if unknown else None
    with progress() as tell:
        report = run_score(galaxies, frames, out, options, tell)
    print(markdown(report))
