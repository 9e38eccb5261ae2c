"""Presets and overrides resolve to one configuration, or to one clear error."""

from __future__ import annotations

from dataclasses import fields
from typing import get_args, get_type_hints

import pytest

from galaxies.errors import BadInput
from training.architectures import ARCHITECTURES, NetworkConfig
from training.architectures.stylegan2 import StyleGAN2Config
from training.config import BOUNDS, TrainConfig
from training.presets import PRESETS, resolve


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_fit_a_data_set_and_survive_json(preset: str) -> None:
    size = PRESETS[preset].config.network.resolution
    config = resolve(preset, [], bands=1, resolution=size, classes=6)
    assert config.preset == preset
    assert TrainConfig.from_json(config.to_json()) == config
    assert config.network.bands == 1
    assert config.batch % config.processes == 0
    assert isinstance(config.network, ARCHITECTURES[config.architecture].config)


def test_overrides_reach_run_and_network() -> None:
    config = resolve("dcgan-f1", ["kimg=12.5", "network.width=32", "dihedral=true"], bands=3, resolution=64, classes=6)
    assert (config.kimg, config.network.width, config.dihedral) == (12.5, 32, True)  # type: ignore[union-attr]
    assert config.network.classes == 0


@pytest.mark.parametrize(
    ("preset", "override", "message"),
    [
        ("stylegan9", "kimg=1", "preset 'stylegan9' is unknown; there are stylegan2-64-cpu"),
        ("eth-e3", "kimg=1", "preset 'eth-e3' is a scorer, which `python -m training score` trains"),
        ("dcgan-f1", "kimgs=1", "setting 'kimgs' is unknown; there are .*kimg"),
        ("dcgan-f1", "batch=1.5", "batch=1.5: a value of type int is needed"),
        ("dcgan-f1", "batch=true", "batch=True: a value of type int is needed"),
        ("dcgan-f1", "network.depth=3", "setting 'network.depth' is unknown; there are .*network.width"),
        ("dcgan-f1", "network.width=1.5", "network.width=1.5: a value of type int is needed"),
        ("dcgan-f1", "network.resolution=48", "resolution 48"),
        ("dcgan-f1", "architecture=stylegan2", "setting 'architecture' is unknown"),
        ("stylegan2-64-cpu", "network.resolution=50", "resolution 50"),
        ("stylegan2-64-cpu", "precision=float8", "precision 'float8'"),
        ("stylegan2-64-cpu", "batch=0", "batch 0"),
        ("fussell-moews-f3", "metrics_kimg=1", "metrics_kimg 1: stackgan refines images and has no samples of its own"),
        ("stylegan2-64-cpu", "batch=3", "batch 3 is not a multiple of processes 2"),
    ],
)
def test_bad_settings_name_the_value_and_what_is_allowed(preset: str, override: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        resolve(preset, [override], bands=3, resolution=64, classes=6)


@pytest.mark.parametrize(
    "owner", [TrainConfig, *(entry.config for entry in ARCHITECTURES.values())], ids=lambda owner: owner.__name__
)
def test_every_number_has_bounds(owner: type[TrainConfig | NetworkConfig]) -> None:
    """`kernel` is a choice of two."""
    kinds = get_type_hints(owner)
    numbers = {f.name for f in fields(owner) if {int, float} & {kinds[f.name], *get_args(kinds[f.name])}}
    assert numbers - {"kernel"} == (BOUNDS if owner is TrainConfig else owner.bounds).keys()  # type: ignore[union-attr]


def test_a_network_of_half_the_side_and_without_classes_is_allowed() -> None:
    settings = ["network.resolution=32", "network.bands=3", "network.classes=0"]
    network = resolve("stylegan2-64-cpu", settings, bands=3, resolution=64, classes=6).network
    assert (network.resolution, network.bands, network.classes) == (32, 3, 0)


def test_physical_values_are_not_stretched_twice() -> None:
    seen = [resolve("stylegan2-64", [], bands=3, resolution=64, classes=0, floats=floats).network for floats in (False, True)]
    assert isinstance(seen[0], StyleGAN2Config)
    assert isinstance(seen[1], StyleGAN2Config)
    assert seen[0].softening > 0
    assert seen[1].softening == 0
