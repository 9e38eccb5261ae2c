"""What the works print of their training, as literal numbers: a preset that strays from its row fails here."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from training.architectures import NetworkConfig, build
from training.architectures.chain import ChainConfig
from training.architectures.dcgan import DCGANConfig
from training.architectures.stackgan import StackGANConfig
from training.chaining import FIRST, SECOND, stages
from training.config import TrainConfig
from training.losses import LOSSES, Smoothed
from training.presets import PRESETS
from training.score import ensemble, wavelets

GALAXY_ZOO_2 = 61.578
"""Thousand images: an epoch of rows F and T."""

STYLEGAN2 = {"network.z_dim": 512, "network.w_dim": 512, "network.mapping_depth": 8}
N1 = STYLEGAN2 | {
    "steps": 150_000, "batch": 32, "every_steps": 5000, "metrics_images": 12_800, "truncation": 0.75, "loss": "logistic",
    "dihedral": False, "flips": False, "mirror": False,
}  # fmt: skip
N2 = STYLEGAN2 | {
    "kimg": 15_000, "mirror": True, "dihedral": False, "flips": False, "batch": 64, "r1_gamma": 1.0, "lr_generator": 0.0025,
    "lr_discriminator": 0.0025, "beta1": 0.0, "beta2": 0.99, "ema_kimg": 20.0, "network.channel_base": 16_384,
    "metrics_images": 10_000,
}  # fmt: skip
C1 = {
    "network.resolution": 256, "network.z_dim": 512, "network.w_dim": 512, "network.mapping_depth": 8, "network.grow_from": 8,
    "loss": "wgan-gp", "augment": "concepcion", "augment_p": 1.0,
}  # fmt: skip
C2 = C1 | {"grown from the start": True}
C2_REAL = C2 | {"augment": "concepcion-reflect", "freeze_generator": 3}
F1 = {
    "batch": 32, "lr_generator": 2e-4, "lr_discriminator": 2e-4, "beta1": 0.5, "beta2": 0.999, "flips": True, "dihedral": False,
    "mirror": False, "loss": "logistic", "r1_gamma": 0.0, "critic_steps": 1, "lr_halving_kimg": 0.0, "network.z_dim": 100,
    "network.width": 128, "network.kernel": 4, "network.batch_norm": True, "network.dropout_in": "none", "network.dropout": 0.5,
    "network.resolution": 64, "network.bands": 3, "network.last_dropout": 0.0,
}  # fmt: skip
F2 = F1 | {
    "network.resolution": 128, "network.discriminator_width": 32, "network.last_dropout": 0.5,
    "network.last_dropout_kimg": 200 * GALAXY_ZOO_2,
}  # fmt: skip
F3 = {
    **{name: value for name, value in F1.items() if not name.startswith("network.")},
    "batch": 64, "epochs": 150, "lr_halving_kimg": 80 * GALAXY_ZOO_2, "lr_halving_smooth": False, "network.resolution": 128,
    "network.bands": 3, "network.channels": 128, "network.blocks": 6,
}  # fmt: skip
F4 = F3 | {"network.z_dim": 100, "network.width": 128, "network.kernel": 4, "network.batch_norm": True}
E1 = {
    "lr_generator": 1e-4, "lr_discriminator": 1e-4, "beta1": 0.5, "beta2": 0.9, "loss": "wgan-gp", "critic_steps": 5,
    "dihedral": True, "network.z_dim": 200, "network.resolution": 1000, "network.bands": 1, "network.batch_norm": False,
}  # fmt: skip
E4 = {"network.resolution": 1000, "network.bands": 1, "dihedral": True, "critic_steps": 1, "loss": "logistic"}
T1 = {
    "batch": 32, "epochs": 20, "lr_generator": 1e-3, "lr_discriminator": 1e-3, "beta1": 0.5, "loss": "bce-0.9",
    "lr_halving_kimg": 0.0, "dihedral": False, "flips": False, "mirror": False, "critic_steps": 1, "network.resolution": 28,
    "network.bands": 1, "network.width": 64,
}  # fmt: skip
T2 = {
    "batch": 128, "epochs": 200, "lr_generator": 2e-3, "lr_discriminator": 2e-3, "steps before decay": 40_000,
    "lr_halving_smooth": True, "dihedral": False, "flips": False, "mirror": False, "critic_steps": 1, "network.resolution": 64,
    "network.bands": 3, "network.width": 64,
}  # fmt: skip

PRINTED: dict[str, dict[str, Any]] = {
    "stylegan2-n1": N1 | {"augment": "none"},
    "stylegan2-n1-diffaugment": N1 | {"augment": "diffaugment"},
    "stylegan2-ada-n2": N2 | {"augment": "published", "augment_target": 0.6, "augment_interval": 4, "augment_cap": 1.0},
    "stylegan2-n2": N2 | {"augment": "none"},
    "stylegan-c1": C1 | {"freeze_generator": 0},
    "stylegan-c2-sdss-jpg": C2_REAL,
    "stylegan-c2-illustris-fits": C2 | {"freeze_generator": 0},
    "stylegan-c2-sdss-fits": C2_REAL,
    "fussell-moews-f1": F1,
    "dcgan-f1": F1,
    "fussell-moews-f2": F2,
    "fussell-moews-f3": F3 | {"network.adversarial_weight": 0.001, "network.pixel_weight": 1.0},
    "fussell-moews-f4": F4,
    "eth-e1": E1,
    "eth-e2": {"network.resolution": 1024, "network.bands": 1, "dihedral": True},
    "eth-e4-vae": E4 | {"network.z_dim": 200},
    "eth-e4-dcgan": E4 | {"network.batch_norm": True},
    "tribhuvan-t1": T1,
    "tribhuvan-t2": T2,
}
"""By preset: settings, and what follows from them in the words of the work (`found`)."""


def found(preset: str, name: str) -> object:
    config: TrainConfig = PRESETS[preset].config
    network: Any = config.network
    if name.startswith("network."):
        return getattr(network, name.removeprefix("network."))
    derived = {
        "steps": config.kimg * 1000 / config.batch,
        "every_steps": config.metrics_kimg * 1000 / config.batch,
        "steps before decay": config.lr_halving_from_kimg * 1000 / config.batch,
        "epochs": config.kimg / GALAXY_ZOO_2,
        "truncation": PRESETS[preset].truncation,
    }
    if name == "grown from the start":
        return network.level(0.0) == math.log2(network.resolution)
    return derived[name] if name in derived else getattr(config, name)


@pytest.mark.parametrize(("preset", "name"), [(preset, name) for preset, row in PRINTED.items() for name in row])
def test_a_preset_has_what_its_row_prints(preset: str, name: str) -> None:
    assert found(preset, name) == pytest.approx(PRINTED[preset][name])


def test_every_preset_of_a_published_row_is_in_the_table() -> None:
    published = {name for name, preset in PRESETS.items() if not preset.source.startswith("this project")}
    assert published == PRINTED.keys()


def test_labels_of_real_images_are_0_9_in_t1() -> None:
    assert LOSSES["bce-0.9"] == Smoothed(low=0.9, high=0.9)
    assert LOSSES["bce-smooth"] == Smoothed(low=0.7, high=1.3), "F's label smoothing, 1 ± 0.3"


def test_both_stages_of_f4_are_f1_and_f3() -> None:
    f1, f3, f4 = (PRESETS[f"fussell-moews-f{row}"].config for row in (1, 3, 4))
    found = stages(f4)
    assert found[FIRST].kimg == pytest.approx(f1.kimg)
    assert found == {FIRST: replace(f1, kimg=found[FIRST].kimg), SECOND: f3}


def test_the_scorer_of_e3_is_trained_as_printed() -> None:
    assert (ensemble.HEAD_RATE, ensemble.JOINT_RATE, ensemble.PLAIN_RATE) == (2e-3, 3e-4, 1e-3)
    assert (ensemble.ScoreOptions().members, ensemble.VALIDATION) == (5, 10), "an ensemble of 5, splits of 90/10"
    assert (wavelets.ITERATIONS, wavelets.LEAVES, wavelets.MOST_LEVELS) == (500, 100, 10)


@pytest.mark.parametrize(
    "config",
    [
        DCGANConfig(width=16),
        StackGANConfig(channels=32, blocks=1, discriminator_width=16),
        ChainConfig(width=16, channels=32, blocks=1, discriminator_width=16),
    ],
)
def test_weights_of_rows_f_start_as_normal_numbers_of_deviation_0_02(config: NetworkConfig) -> None:
    torch.manual_seed(0)
    for network in filter(None, build(config)):
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.weight.numel() > 2000:
                assert float(module.weight.std().detach()) == pytest.approx(0.02, rel=0.1)
                assert float(module.weight.mean().detach()) == pytest.approx(0.0, abs=0.002)
                assert float(module.weight.abs().max().detach()) > 0.05, "normal, not uniform"


GENERATORS: dict[str, list[tuple[object, ...]]] = {
    "fussell-moews-f1": [
        ("up", 1024, 4, 1, 0), ("norm",), ("up", 512, 4, 2, 1), ("norm",), ("up", 256, 4, 2, 1), ("norm",), ("up", 128, 4, 2, 1),
        ("norm",), ("up", 3, 4, 2, 1), ("tanh",),
    ],
    "tribhuvan-t1": [
        ("dense", 6272), ("norm",), ("up", 256, 5, 2, 2), ("norm",), ("up", 128, 5, 2, 2), ("norm",), ("up", 64, 5, 1, 2),
        ("norm",), ("conv", 1, 5, 1, 2), ("tanh",),
    ],
    "tribhuvan-t2": [
        ("dense", 4 * 4 * 1024), ("norm",), ("up", 1024, 5, 1, 2), ("norm",), ("up", 512, 5, 2, 2), ("norm",),
        ("up", 512, 5, 1, 2), ("norm",), ("up", 256, 5, 2, 2), ("norm",), ("up", 256, 5, 1, 2), ("norm",), ("up", 128, 5, 2, 2),
        ("norm",), ("up", 64, 5, 2, 2), ("norm",), ("conv", 3, 5, 1, 2), ("tanh",),
    ],
}  # fmt: skip
"""Transposed and plain convolutions as (kind, channels, kernel, stride, padding); ReLUs are left out.

T's kernels are not printed, and the strides that its sizes do not allow are chosen; see the architecture.
"""

DISCRIMINATORS: dict[str, list[tuple[object, ...]]] = {
    "fussell-moews-f1": [
        ("conv", 128, 4, 2, 1), ("leaky", 0.2), ("conv", 256, 4, 2, 1), ("norm",), ("leaky", 0.2), ("conv", 512, 4, 2, 1),
        ("norm",), ("leaky", 0.2), ("conv", 1024, 4, 2, 1), ("norm",), ("leaky", 0.2), ("conv", 1, 4, 1, 0),
    ],
    "tribhuvan-t1": [
        ("conv", 64, 5, 2, 2), ("leaky", 0.2), ("drop", 0.3), ("conv", 128, 5, 2, 2), ("leaky", 0.2), ("drop", 0.3),
        ("conv", 256, 5, 2, 2), ("leaky", 0.2), ("drop", 0.4), ("dense", 1),
    ],
    "tribhuvan-t2": [
        *(layer for channels, share in ((64, 0.3), (128, 0.3), (256, 0.3), (512, 0.3), (1024, 0.4))
          for layer in (("conv", channels, 5, 2, 2), ("norm",), ("leaky", 0.2), ("drop", share))),
        ("dense", 1),
    ],
}  # fmt: skip


def layers(network: nn.Module) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for module in network.modules():
        match module:
            case nn.ConvTranspose2d() | nn.Conv2d():
                kind = "up" if isinstance(module, nn.ConvTranspose2d) else "conv"
                rows.append((kind, module.out_channels, module.kernel_size[0], module.stride[0], module.padding[0]))  # type: ignore[arg-type]
            case nn.Linear():
                rows.append(("dense", module.out_features))
            case nn.BatchNorm2d():
                rows.append(("norm",))
            case nn.LeakyReLU():
                rows.append(("leaky", module.negative_slope))
            case nn.Dropout():
                rows.append(("drop", module.p))
            case nn.Tanh():
                rows.append(("tanh",))
    return rows


@pytest.mark.parametrize("preset", GENERATORS)
def test_layers_strides_and_dropouts_are_as_printed(preset: str) -> None:
    with torch.device("meta"):
        generator, discriminator = build(PRESETS[preset].config.network)
    assert discriminator is not None
    assert layers(generator) == GENERATORS[preset]
    assert layers(discriminator) == DISCRIMINATORS[preset]
