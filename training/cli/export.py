"""``export`` and ``publish``: a checkpoint to a model of the store."""

# ruff: noqa: PLC0415 - the ONNX exporter takes seconds to import, so only the command that needs it does

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from galaxies.errors import BadInput
from training import checkpoints
from training.publishing import publish as publish_version


def export(
    run: Annotated[
        Path, typer.Argument(help="run folder (its newest checkpoint), one checkpoint folder, or a folder made by score")
    ],
    out: Annotated[Path, typer.Option(help="new folder for the exported model or scorer")],
    name: Annotated[str, typer.Option(help="model name, as requests will use it")],
    version: Annotated[str, typer.Option(help="version; published versions never change")] = "1",
    title: Annotated[str, typer.Option(help="one line for people")] = "",
    description: Annotated[str, typer.Option(help="what it makes and from what")] = "",
    licence: Annotated[str, typer.Option(help="licence of the weights")] = "CC BY 4.0",
    truncation: Annotated[
        float | None,
        typer.Option(
            min=-2,
            max=2,
            help="default ψ of the model; default that of its preset: 0.75 of row N1, else 0.7; 1 without w, where it scales z",
        ),
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="store weights as float16; arithmetic stays float32")] = False,
    discriminator: Annotated[
        bool, typer.Option("--discriminator", help="bring the discriminator's weights too, for whoever trains on from the model")
    ] = False,
) -> None:
    """A checkpoint's EMA generator, or a score folder's ensemble, to ONNX with a card; measures the ONNX-torch difference."""
    from training.export import ExportOptions
    from training.export import export as export_model
    from training.score.export import export_scorer
    from training.score.folder import is_score_folder

    options = ExportOptions(name, version, title or name, description, licence, truncation, half, discriminator)
    for option, given in (("--discriminator", discriminator), ("--truncation", truncation is not None)):
        if given and is_score_folder(run):
            raise BadInput(f"{option} is for a model's checkpoint, and {run} is a scorer", field=option.lstrip("-"))
    card = export_scorer(run, out, options) if is_score_folder(run) else export_model(checkpoints.newest(run), out, options)
    worst, share, (low, high) = (card.parity[key] for key in ("max_abs_difference", "max_share", "range"))
    print(
        f"{out}: {card.reference}, greatest ONNX-torch difference {worst:.2e}; at most {share:.1e} of the range "
        f"{low:g} … {high:g}, or of a value where that is greater"
    )


def publish(
    model: Annotated[Path, typer.Argument(help="folder made by export")],
    store: Annotated[Path, typer.Option(help="root of the model store")] = Path("models/zoo"),
    allow_memorised: Annotated[
        bool, typer.Option("--allow-memorised", help="publish although images lie closer to training images than unseen ones do")
    ] = False,
    unevaluated: Annotated[bool, typer.Option("--unevaluated", help="publish although nothing was evaluated")] = False,
) -> None:
    """Verify an evaluated model, or a scorer, and add it to the store; a running service lists it without a restart."""
    version = publish_version(model, store, allow_memorised=allow_memorised, unevaluated=unevaluated)
    print(f"published {version.card.reference} ({version.card.digest}) in {version.folder}")
