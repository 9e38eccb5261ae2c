"""Small real archives and the smallest networks that still have every part."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from training.architectures import NetworkConfig
from training.architectures.chain import ChainConfig
from training.architectures.dcgan import DCGANConfig
from training.architectures.stackgan import StackGANConfig
from training.architectures.stylegan import StyleGANConfig
from training.architectures.stylegan2 import StyleGAN2Config
from training.architectures.tribhuvan import TribhuvanConfig
from training.architectures.vae import VAEConfig
from training.architectures.wgan import WGANConfig
from training.config import TrainConfig
from training.data.archive import Archive
from training.data.options import PrepareOptions, Reading, Selection
from training.data.prepare import prepare

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Folders of archives made from the real test galaxies, by resolution."""
    found = {}
    for resolution in (16, 64):
        out = tmp_path_factory.mktemp("archives") / str(resolution)
        prepare(sdss_options(out, resolution), lambda done, total: None)
        found[resolution] = out
    return found


def sdss_options(out: Path, resolution: int) -> PrepareOptions:
    """How the test galaxies are prepared."""
    return PrepareOptions(
        source=DATA / "galaxies.zip",
        out=out,
        selection=Selection(csv=DATA / "galaxies.csv", class_column="gz1_class", object_column="sdss_dr7_objid"),
        reading=Reading(resolution=resolution),
        held_out=0.2,
        mirror_pairs=(("spiral_cw", "spiral_acw"),),
        pixel_scale_arcsec=51.2 / resolution,
        credits="SDSS",
    )


STYLE = {"resolution": 16, "z_dim": 8, "w_dim": 8, "channel_base": 64, "channel_max": 8}
DCGAN = {"lr_generator": 2e-4, "lr_discriminator": 2e-4, "beta1": 0.5, "beta2": 0.999, "dihedral": False, "flips": True}
WGAN = {"lr_generator": 1e-4, "lr_discriminator": 1e-4, "beta1": 0.5, "beta2": 0.9}
TINY: dict[str, tuple[NetworkConfig, dict[str, Any]]] = {
    "stylegan2": (StyleGAN2Config(**STYLE), {"r1_interval": 2, "r1_gamma": 0.0256}),
    "stylegan": (StyleGANConfig(**STYLE, stable_kimg=0.008, fade_kimg=0.016), {"loss": "wgan-gp"}),
    "dcgan": (DCGANConfig(z_dim=8, width=4), DCGAN),
    "stackgan": (StackGANConfig(resolution=32, channels=4, blocks=2, discriminator_width=4), DCGAN),
    "chain": (ChainConfig(resolution=32, z_dim=8, width=4, channels=4, blocks=2, discriminator_width=4), DCGAN),
    "wgan": (
        WGANConfig(resolution=64, bands=3, z_dim=8, width=16, critic_width=2, blocks=1),
        WGAN | {"loss": "wgan-gp", "critic_steps": 2},
    ),
    "vae": (VAEConfig(resolution=64, bands=3, z_dim=8, width=16, blocks=1), {"lr_generator": 1e-3}),
    "tribhuvan": (TribhuvanConfig(z_dim=8, width=4), DCGAN | {"loss": "bce-0.9"}),
}
"""By architecture: the smallest network with every part, and the settings that it differs in."""


def tiny_config(architecture: str, classes: int = 6) -> TrainConfig:
    """A configuration of the smallest network of ``architecture`` that tests can train in seconds."""
    network, settings = TINY[architecture]
    network = replace(network, classes=classes if network.conditional else 0)
    base = TrainConfig("tiny", architecture, network, batch=4, r1_gamma=0.0, ema_kimg=0.01, snapshot_kimg=0.008)
    return replace(base, **settings)


@pytest.fixture
def archive64(archives: dict[int, Path]) -> Archive:
    """The 64-pixel archive in memory."""
    from training.data.archive import read

    return read(archives[64])
