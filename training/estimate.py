"""``train --dry-run``: what a run would cost, from its networks and a few real steps."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from galaxies.errors import GalaxyError
from training.architectures import build
from training.config import TrainConfig
from training.journal import read_log
from training.launch import launch

FEWEST_STEPS = 8
"""That are measured."""


@dataclass(frozen=True)
class Estimate:
    """What was measured, of a network that grows at its full size.

    ``seconds`` are for the whole run without metrics, ``memory_gb`` for each process.
    """

    images_per_second: float
    seconds: float
    memory_gb: float
    on_gpu: bool


def parameters(config: TrainConfig) -> dict[str, int]:
    """Trained numbers of each network; listings of presets count as Keras does, running statistics included."""
    with torch.device("meta"):
        networks = dict(zip(("generator", "discriminator"), build(config.network), strict=True))
    return {name: sum(p.numel() for p in network.parameters()) for name, network in networks.items() if network is not None}


def estimate(config: TrainConfig, data: Path) -> Estimate:
    """Train for a few steps in a folder that is thrown away; the first half warms up, the second is measured.

    Each half is one or more whole `period`s. A network that grows is whole from the start: its last steps take longest and need
    the most memory.

    Raises
    ------
    GalaxyError : the steps fail, as they would in the run, or are told to stop.
    """
    steps = period(config) * math.ceil(FEWEST_STEPS / period(config))
    half = steps * config.batch / 1000
    short = replace(
        config,
        network=config.network.grown(),
        kimg=2 * half,
        snapshot_kimg=half,
        metrics_kimg=0.0,
        transfer="",
        generator_from_kimg=0.0,
        lr_decay_kimg=0.0,
    )
    with tempfile.TemporaryDirectory() as folder:
        launch(short, data, Path(folder))
        rows = read_log(Path(folder))
    middle, last = (next((row for row in rows if row["kimg"] >= kimg - 1e-9), None) for kimg in (half, 2 * half))
    if middle is None or last is None:
        raise GalaxyError("the dry run was told to stop before it had measured anything")
    speed = (last["kimg"] - middle["kimg"]) * 1000 / (last["seconds"] - middle["seconds"])
    return Estimate(speed, config.kimg * 1000 / speed, last["memory_gb"], torch.cuda.is_available())


def period(config: TrainConfig) -> int:
    """After so many steps R1, path lengths and the generator's update have each come as often as they do in the run."""
    lazy = (config.r1_interval, config.penalises_lazily), (config.pl_interval, config.regularises_paths)
    return math.lcm(config.critic_steps, *(interval for interval, used in lazy if used))
