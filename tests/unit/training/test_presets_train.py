"""Every preset trains for real: its losses, rates, schedules and augmentation, on networks cut down to seconds."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest

from tests.unit.training.conftest import TINY
from training import checkpoints
from training.architectures import NetworkConfig
from training.data.archive import read
from training.loop import train
from training.presets import PRESETS

SIZES = (
    "resolution", "bands", "z_dim", "w_dim", "classes", "width", "discriminator_width", "channels", "blocks", "critic_width",
    "channel_base", "channel_max", "mapping_depth", "stable_kimg", "fade_kimg",
)  # fmt: skip
"""Fields of a network that are cut down; everything else stays the preset's."""


def shrunk(network: NetworkConfig, tiny: NetworkConfig) -> NetworkConfig:
    names = {field.name for field in fields(network)} & set(SIZES)
    return replace(network, **{name: getattr(tiny, name) for name in names})


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_trains(preset: str, archives: dict[int, Path], tmp_path: Path) -> None:
    config = PRESETS[preset].config
    network = shrunk(config.network, TINY[config.architecture][0])
    data = read(archives[16 if network.resolution == 16 else 64])
    kimg = 0.004 * max(2, config.critic_steps)  # so that the generator moves too
    short = replace(config, network=network, batch=4, processes=1, kimg=kimg, snapshot_kimg=kimg, metrics_kimg=0.0, transfer="")
    train(replace(short, generator_from_kimg=0.0), data, tmp_path)
    state = checkpoints.read_state(checkpoints.list_checkpoints(tmp_path)[-1])
    assert state["images_seen"] == 1000 * kimg
    assert "loss_g" in json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert state["config"]["preset"] == preset
    assert list((tmp_path / "samples").glob("*.png"))
