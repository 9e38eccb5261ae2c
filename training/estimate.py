"""``train --dry-run``: what a run would cost, from its networks and a few real steps."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from training.architectures import build
from training.config import TrainConfig
from training.launch import launch


@dataclass(frozen=True)
class Estimate:
    """What was measured; ``seconds`` are for the whole run without metrics, ``memory_gb`` for each process."""

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

    Each half has one step with each lazy regulariser, as often as in the run.

    Raises
    ------
    GalaxyError : the steps fail, as they would in the run.
    """
    half = max(config.r1_interval, config.critic_steps) * config.batch / 1000
    short = replace(
        config, kimg=2 * half, snapshot_kimg=half, metrics_kimg=0.0, transfer="", generator_from_kimg=0.0, lr_decay_kimg=0.0
    )
    with tempfile.TemporaryDirectory() as folder:
        launch(short, data, Path(folder))
        record = json.loads((Path(folder) / "log.jsonl").read_text().splitlines()[-1])
    speed = record["images_per_second"]
    return Estimate(speed, config.kimg * 1000 / speed, record["memory_gb"], torch.cuda.is_available())
