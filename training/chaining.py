"""Row F4 (Fussell & Moews 2019): a first and a second stage, trained as two runs, become one generator z → 128 × 128."""

from __future__ import annotations

import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from galaxies.errors import BadInput
from training import checkpoints
from training.architectures import build
from training.architectures.chain import ChainConfig
from training.architectures.dcgan import DCGANConfig
from training.architectures.stackgan import StackGANConfig
from training.config import TrainConfig
from training.launch import launch
from training.presets.fussell_moews import F1, F3, F4

FIRST, SECOND = "first-stage", "second-stage"


def stages(config: TrainConfig) -> dict[str, TrainConfig]:
    """The two runs that the configuration of a chain stands for, by the name of their folder.

    What is set holds for both, but for what the work prints for one alone: the first stage sees as many more images than the
    second as there (300 epochs to our 150) in batches of 32 at most, and only the second one's rates are halved.

    Raises
    ------
    BadInput : a setting has no meaning for a chain of fresh stages.
    """
    network = config.network
    assert isinstance(network, ChainConfig)
    if config.transfer:
        raise BadInput(
            f"transfer {config.transfer}: both stages of a chain start afresh; train {F1.preset} and {F3.preset}, "
            "each with its own --transfer, and join them with `chain`",
            field="transfer",
        )
    try:
        first = replace(
            config,
            preset=F1.preset,
            architecture=F1.architecture,
            network=network.first(),
            kimg=config.kimg * F1.kimg / F3.kimg,
            batch=min(F1.batch, config.batch),
            lr_halving_kimg=F1.lr_halving_kimg,
        )
        second = replace(config, preset=F3.preset, architecture=F3.architecture, network=network.second())
    except ValueError as error:
        raise BadInput(f"a stage of the chain cannot take {error}") from None
    return {FIRST: first, SECOND: second}


def train_chain(config: TrainConfig, data: Path, run: Path) -> signal.Signals | None:
    """Train both stages in folders of ``run`` and join them; the same command again resumes.

    The first stage sees the images averaged down by two; see `stages`. Returns the signal that told to stop, as `launch` does.
    """
    for stage, settings in stages(config).items():
        told = launch(settings, data, run / stage)
        if not checkpoints.finished(run / stage, settings.kimg):
            return told
    join(run / FIRST, run / SECOND, run)
    return None


def join(first: Path, second: Path, run: Path) -> Path:
    """Write a checkpoint of both runs' newest weights as one generator into ``run``; it can be exported and trained on.

    The log of the second run goes along, for the curves of a report.

    Raises
    ------
    BadInput : a run has no checkpoint, is of another architecture, or the stages do not fit.
    """
    states = [_newest(path, kind) for path, kind in ((first, "dcgan"), (second, "stackgan"))]
    (one, state_one, config_one), (two, state_two, config_two) = states
    network = _network(config_one, config_two)
    config = replace(config_two, preset=F4.preset, architecture=F4.architecture, network=network)
    made: dict[str, dict[str, Tensor]] = {}
    networks = [checkpoints.load(folder, "networks") for folder in (one, two)]
    generators = [checkpoints.unflatten("generator", tensors) for tensors in networks]
    judge = checkpoints.unflatten("discriminator", networks[1])
    made["networks"] = {**checkpoints.flatten("generator", _joined(*generators)), **checkpoints.flatten("discriminator", judge)}
    made["ema"] = _joined(checkpoints.load(one, "ema"), checkpoints.load(two, "ema"))
    made["optimisers"] = {}
    generator, _ = build(network)
    checkpoints.load_into(generator, made["ema"], run)
    state = {
        **state_two,
        "config": config.to_json(),
        "seen_before": state_one["images_seen"],
        "seconds": round(state_one["seconds"] + state_two["seconds"], 1),
        "stages": {FIRST: state_one["config"], SECOND: state_two["config"]},
    }
    run.mkdir(parents=True, exist_ok=True)
    log = second / "log.jsonl"  # a checkpoint alone has none
    if log.is_file():
        shutil.copyfile(log, run / log.name)
    return checkpoints.save(run, state_two["images_seen"], made, state)


def _newest(run: Path, architecture: str) -> tuple[Path, dict[str, Any], TrainConfig]:
    folder = checkpoints.newest(run)
    state = checkpoints.read_state(folder)
    config = TrainConfig.from_json(state["config"])
    if config.architecture != architecture:
        raise BadInput(f"{run} is a run of {config.architecture}; {architecture} is needed here")
    return folder, state, config


def _network(first: TrainConfig, second: TrainConfig) -> ChainConfig:
    one, two = first.network, second.network
    assert isinstance(one, DCGANConfig)
    assert isinstance(two, StackGANConfig)
    if (2 * one.resolution, one.bands) != (two.resolution, two.bands):
        raise BadInput(
            f"a first stage of {one.bands} bands and {one.resolution} px does not fit a second one of {two.bands} bands and "
            f"{two.resolution} px: the side must double"
        )
    return ChainConfig(
        two.resolution,
        two.bands,
        one.z_dim,
        width=one.width,
        kernel=one.kernel,
        batch_norm=one.batch_norm,
        channels=two.channels,
        blocks=two.blocks,
        discriminator_width=two.discriminator_width,
        pixel=two.pixel,
    )


def _joined(first: dict[str, Tensor], second: dict[str, Tensor]) -> dict[str, Tensor]:
    refiner = {name.removeprefix("refiner."): tensor for name, tensor in second.items()}
    return {**checkpoints.flatten("first", first), **checkpoints.flatten("second", refiner)}
