"""The step that is measured has everything in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.steps import MEASURED, whole_step
from tests.unit.training.conftest import tiny_config
from training.data.archive import Archive
from training.presets import find
from training.trainer import Trainer


@pytest.mark.parametrize("preset", MEASURED)
def test_both_networks_move_under_their_penalty_and_find_the_moments_of_adam(preset: str, tmp_path: Path) -> None:
    """On the smallest network of the preset's architecture, with everything that decides what a step does."""
    config = find(preset).config
    network = tiny_config(config.architecture, classes=0).network.grown()
    side, bands = network.resolution, network.bands
    pixels = np.random.default_rng(0).integers(0, 256, (4, bands, side, side), np.uint8)
    manifest = {"classes": [], "bands": ["g", "r", "i"][:bands], "resolution": side}
    noise = Archive(pixels, np.zeros(4, np.int64), np.zeros(4, bool), np.array(list("abcd")), manifest)
    small = replace(config, network=network, batch=2, processes=1)
    trainer = Trainer(small, noise, tmp_path, 0, torch.device("cpu"))
    whole_step(trainer)
    for optimiser in (trainer.optimiser_g, *([trainer.optimiser_d] if trainer.discriminator is not None else [])):
        used = [parameter for parameter in optimiser.param_groups[0]["params"] if parameter.grad is not None]
        assert len(optimiser.state) == len(used) > 0
    before = [parameter.clone() for parameter in trainer.generator.parameters()]
    logs = whole_step(trainer)
    assert config.loss != "wgan-gp" or "gp" in logs
    assert not config.penalises_lazily or "r1" in logs
    assert any((a != b).any() for a, b in zip(before, trainer.generator.parameters(), strict=True))
