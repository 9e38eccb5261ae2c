"""``train`` and ``presets``."""

# ruff: noqa: PLC0415 - starting a run imports the whole of torch; refusing one should not

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from galaxies.errors import BadInput
from training import checkpoints
from training.data import archive
from training.presets import PRESETS, resolve


def presets() -> None:
    """List the presets."""
    for name, preset in PRESETS.items():
        config = preset.config
        print(f"{name:20} {config.architecture:10} {config.network.resolution} px, {config.kimg:g} kimg, batch {config.batch}")


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
