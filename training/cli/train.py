"""``train``, ``chain`` and ``presets``."""

# ruff: noqa: PLC0415 - starting a run imports the whole of torch; refusing one should not

from __future__ import annotations

import json
import signal
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from galaxies.errors import BadInput
from training import checkpoints
from training.aside import check_folder, write_text
from training.claim import claimed
from training.cli.console import console
from training.config import TrainConfig
from training.data import archive
from training.logs import clock
from training.presets import replaced, resolve_for
from training.settings import place_of_torchrun


def presets(
    as_json: Annotated[bool, typer.Option("--json", help="as JSON, with every layer's output shape and parameters")] = False,
) -> None:
    """List the presets: source, data, resolution, and the parameters of each network."""
    from training.presets.listing import describe, total

    found = describe()
    if as_json:
        print(json.dumps({name: entry.to_json() for name, entry in found.items()}, indent=1, ensure_ascii=False))
        return
    for name, entry in found.items():
        print(f"{name} ({entry.what})")
        print(f"    source      {entry.source}")
        print(f"    data        {entry.data}")
        print(f"    parameters  {', '.join(f'{network} {total(rows):,}' for network, rows in entry.networks.items())}")


def train(
    run: Annotated[Path, typer.Argument(help="folder of the run; a run with checkpoints is resumed")],
    data: Annotated[Path, typer.Option(help="archive made by prepare")],
    preset: Annotated[str, typer.Option(help="a name listed by `presets`")] = "stylegan2-64-cpu",
    settings: Annotated[list[str] | None, typer.Option("--set", help="override, e.g. kimg=500 or network.width=32")] = None,
    transfer: Annotated[
        Path | None,
        typer.Option(help="start from the weights of a checkpoint, a run or a published StyleGAN2, of this size or smaller"),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="only say what would be done: configuration, parameters, memory, time")
    ] = False,
) -> None:
    """Train a preset on an archive; the same command again resumes. Ctrl-C and SIGTERM save first and end with 130 or 143."""
    from training import frozen
    from training.chaining import stages, train_chain
    from training.launch import launch

    place = place_of_torchrun()
    if dry_run and place is not None:
        raise BadInput(f"--dry-run starts processes of its own: run it without torchrun, with --set processes={place.world}")
    overrides = [*(settings or []), *([f"transfer={json.dumps(str(transfer))}"] if transfer else [])]
    overrides += [f"processes={place.world}"] if place else []
    source = archive.read(data)
    config = resolve_for(source, preset, overrides)
    check_folder(run, "the folder of a run")
    first = place is None or place.rank == 0
    if first and (line := replaced(config, source)):
        console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    found = checkpoints.list_checkpoints(run)
    parts = {"": config} if config.architecture != "chain" or found else stages(config)
    for part in parts.values():
        frozen.check(part)
    if dry_run:
        _dry_run(config, parts, data)
        return
    if found:
        state, digest = checkpoints.read_state(found[-1]), source.manifest["digest"]
        checkpoints.check_resumable(found[-1], state, config, digest)
        if checkpoints.finished(run, config.kimg):
            print(f"{run} has seen {state['images_seen']:,} images, so kimg={config.kimg:g} is done; a larger one goes on")
            return
        if first and (changed := checkpoints.changes(state, config, digest)):
            line = f"{run} goes on with other settings: it had {', '.join(changed)}"
            console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    with claimed(run) if first else nullcontext():
        if first:
            text = json.dumps(config.to_json(), indent=1)
            write_text(run / "config.json", text + "\n")
            print(text, flush=True)
        told = train_chain(config, data, run) if len(parts) > 1 else launch(config, data, run)
    if first and (line := _stopped(run, parts)):
        console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
        if place is None:  # torchrun would take another status for a failure
            raise typer.Exit(128 + (told or signal.SIGTERM))


def chain(
    first: Annotated[Path, typer.Argument(help="run of a DCGAN, such as preset fussell-moews-f1")],
    second: Annotated[Path, typer.Argument(help="run of a second stage, such as preset fussell-moews-f3")],
    out: Annotated[Path, typer.Option(help="new run folder of the chain, to export")],
) -> None:
    """Join a first and a second stage that were trained as two runs into one generator, z to images of twice the side."""
    from training.chaining import join

    if checkpoints.list_checkpoints(out):
        raise BadInput(f"{out} holds checkpoints already; choose another folder")
    print(f"joined in {join(first, second, out)}; export it with `python -m training export {out} …`")


def _stopped(run: Path, parts: dict[str, TrainConfig]) -> str:
    """How far the first of ``parts`` is that has not ended; empty where all have."""
    for name, part in parts.items():
        found = checkpoints.list_checkpoints(run / name)
        seen = checkpoints.read_state(found[-1])["images_seen"] / 1000 if found else 0.0
        if seen < part.kimg:
            return f"{run / name} stopped at {seen:g} of {part.kimg:g} kimg; the same command goes on"
    return ""


def _dry_run(config: TrainConfig, parts: dict[str, TrainConfig], data: Path) -> None:
    """Say what ``config`` would do; a chain is done in ``parts``, a run each."""
    from training.estimate import estimate, parameters

    print(json.dumps(config.to_json(), indent=1))
    seconds = 0.0
    for name, part in parts.items():
        if name:
            print(f"{name}:")
        for network, count in parameters(part).items():
            print(f"{network}: {count:,} parameters")
        print("a few steps …", flush=True)
        found = estimate(part, data)
        seconds += found.seconds
        grows = part.network.grown() != part.network
        longest = "at most " if grows else ""
        print(f"{found.images_per_second:.1f} images/s; {longest}{clock(found.seconds)} for {part.kimg:g} kimg (h:mm:ss)")
        if grows:
            print(f"measured at the full {part.network.resolution} px: until it has grown, steps are faster and take less memory")
        print(f"memory: {found.memory_gb:.2f} GB in each of {part.processes} processes{' (GPU)' if found.on_gpu else ''}")
    if len(parts) > 1:
        print(f"together: {clock(seconds)} (h:mm:ss)")
