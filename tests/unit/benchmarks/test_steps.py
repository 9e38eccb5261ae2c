"""The step that is measured has everything in it."""

from __future__ import annotations

import json
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

ROOT = Path(__file__).parents[3]
SHOWN_WHILE_GROWING = ("synthesis", "from_bands")


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
    idle = [
        name
        for network in (trainer.generator, trainer.discriminator)
        for name, parameter in (network.named_parameters() if network is not None else ())
        if parameter.requires_grad and not (trainer.optimiser_g.state.get(parameter) or trainer.optimiser_d.state.get(parameter))
    ]
    assert all(name.split(".")[0] in SHOWN_WHILE_GROWING for name in idle), idle
    assert len(idle) == 0 or config.architecture == "stylegan"
    before = [parameter.clone() for parameter in trainer.generator.parameters()]
    logs = whole_step(trainer)
    assert config.loss != "wgan-gp" or "gp" in logs
    assert not config.penalises_lazily or "r1" in logs
    assert any((a != b).any() for a, b in zip(before, trainer.generator.parameters(), strict=True))


def test_the_guide_states_the_memory_of_every_preset() -> None:
    measured = json.loads((ROOT / "benchmarks/reports/steps-cpu.json").read_text())["steps"]
    assert measured.keys() == set(MEASURED)
    guide = (ROOT / "docs/training.md").read_text()
    for preset, found in measured.items():
        assert (found["batch"], found["precision"]) == (find(preset).config.batch, find(preset).config.precision)
        assert f"| `{preset}` | {found['batch']} | {found['precision']} | {found['gigabytes']:.1f} |\n" in guide
