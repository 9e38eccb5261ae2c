"""Small real archives and the smallest networks that still have every part."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from training.architectures.dcgan import DCGANConfig
from training.architectures.stylegan import StyleGANConfig
from training.architectures.stylegan2 import StyleGAN2Config
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


def tiny_config(architecture: str, classes: int = 6) -> TrainConfig:
    """A configuration of the smallest network of ``architecture`` that tests can train in seconds."""
    if architecture == "stylegan2":
        network = StyleGAN2Config(resolution=16, z_dim=8, w_dim=8, classes=classes, channel_base=64, channel_max=8)
        return TrainConfig("tiny", "stylegan2", network, batch=4, r1_interval=2, ema_kimg=0.01, snapshot_kimg=0.008)
    if architecture == "stylegan":
        sizes = StyleGANConfig(
            resolution=16, z_dim=8, w_dim=8, classes=classes, channel_base=64, channel_max=8, stable_kimg=0.008, fade_kimg=0.016
        )
        return TrainConfig("tiny", "stylegan", sizes, batch=4, loss="wgan-gp", r1_gamma=0.0, ema_kimg=0.01, snapshot_kimg=0.008)
    base = TrainConfig("tiny", "dcgan", DCGANConfig(z_dim=8, width=4), batch=4, r1_gamma=0.0, ema_kimg=0.01, snapshot_kimg=0.008)
    return replace(base, lr_generator=2e-4, lr_discriminator=2e-4, beta1=0.5, beta2=0.999, dihedral=False, flips=True)


@pytest.fixture
def archive64(archives: dict[int, Path]) -> Archive:
    """The 64-pixel archive in memory."""
    from training.data.archive import read

    return read(archives[64])
