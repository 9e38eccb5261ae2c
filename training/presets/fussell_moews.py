"""Fussell & Moews (2019, MNRAS 485, 3203): DCGAN at 64 px (row F1)."""

from __future__ import annotations

from dataclasses import replace

from training.architectures.dcgan import DCGANConfig
from training.config import TrainConfig
from training.presets.preset import Preset

GALAXY_ZOO_2 = "61,578 Galaxy Zoo 2 images, downsampled from 424 px"

F1 = TrainConfig(
    preset="dcgan-f1",
    architecture="dcgan",
    network=DCGANConfig(width=128),
    batch=32,
    lr_generator=2e-4,
    lr_discriminator=2e-4,
    beta1=0.5,
    beta2=0.999,
    r1_gamma=0.0,
    dihedral=False,
    flips=True,
    ema_kimg=2.0,
)

F1_CPU = replace(
    F1,
    preset="dcgan-f1-cpu",
    network=DCGANConfig(width=32),
    dihedral=True,
    flips=False,
    ema_kimg=5.0,
    kimg=400.0,
    precision="bfloat16",
)

PRESETS: dict[str, Preset] = {
    "dcgan-f1": Preset(F1, "Fussell & Moews (2019), row F1", GALAXY_ZOO_2),
    "dcgan-f1-cpu": Preset(F1_CPU, "this project: row F1, narrow", "SDSS galaxies, or any archive"),
}
