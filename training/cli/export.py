"""``export`` and ``publish``: a checkpoint to a model of the store."""

# ruff: noqa: PLC0415 - the ONNX exporter takes seconds to import, so only the command that needs it does

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from galaxies.errors import BadInput
from models.store import publish as publish_version
from training import checkpoints


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


def publish(
    model: Annotated[Path, typer.Argument(help="folder made by export")],
    store: Annotated[Path, typer.Option(help="root of the model store")] = Path("models/zoo"),
) -> None:
    """Verify an exported model and add it to the store; a running service lists it without a restart."""
    version = publish_version(model, store)
    print(f"published {version.card.reference} ({version.card.digest}) in {version.folder}")
