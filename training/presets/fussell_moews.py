"""Fussell & Moews (2019, MNRAS 485, 3203): DCGAN at 64 and 128 px, StackGAN's second stage, both as a chain (rows F1 to F4).

Epochs are of their 61,578 images. Not printed and chosen here: the discriminator's rate (the generator's), 300 epochs for the
DCGANs, 0.5 for the dropout before the last convolution of F2. Their weights were not averaged; ours are, over 2 kimg.
They downsampled by the nearest pixel: ``prepare --resample nearest`` does, its default averages, and so does the input of F3.
"""

from __future__ import annotations

from dataclasses import replace

from training.architectures.chain import ChainConfig
from training.architectures.dcgan import DCGANConfig
from training.architectures.stackgan import StackGANConfig
from training.config import TrainConfig
from training.presets.preset import Preset

WORK = "Fussell & Moews (2019), MNRAS 485, 3203"
GALAXY_ZOO_2 = "61,578 Galaxy Zoo 2 images, downsampled from 424 px"
EPOCH_KIMG = 61.578

F1 = TrainConfig(
    preset="fussell-moews-f1",
    architecture="dcgan",
    network=DCGANConfig(width=128),
    kimg=300 * EPOCH_KIMG,
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

F2 = replace(
    F1,
    preset="fussell-moews-f2",
    network=DCGANConfig(resolution=128, width=128, discriminator_width=32, last_dropout=0.5, last_dropout_kimg=200 * EPOCH_KIMG),
)

F3 = replace(
    F1,
    preset="fussell-moews-f3",
    architecture="stackgan",
    network=StackGANConfig(),
    kimg=150 * EPOCH_KIMG,
    batch=64,
    lr_halving_kimg=80 * EPOCH_KIMG,
)

F4 = replace(F3, preset="fussell-moews-f4", architecture="chain", network=ChainConfig())

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

F4_CPU = replace(
    F4,
    preset="stackgan-f4-cpu",
    network=ChainConfig(width=32, channels=32, discriminator_width=16, pixel="bands"),
    dihedral=True,
    flips=False,
    ema_kimg=5.0,
    kimg=100.0,
    batch=32,
    precision="bfloat16",
)
"""Narrow, and with the pixel loss of each band: that of their sum leaves colours to the weak adversarial part."""

PRESETS: dict[str, Preset] = {
    "fussell-moews-f1": Preset(F1, f"{WORK}, row F1", GALAXY_ZOO_2),
    "fussell-moews-f2": Preset(F2, f"{WORK}, row F2", GALAXY_ZOO_2),
    "fussell-moews-f3": Preset(F3, f"{WORK}, row F3", GALAXY_ZOO_2),
    "fussell-moews-f4": Preset(F4, f"{WORK}, row F4", GALAXY_ZOO_2),
    "dcgan-f1": Preset(replace(F1, preset="dcgan-f1", kimg=1000.0), f"{WORK}, row F1", GALAXY_ZOO_2),
    "dcgan-f1-cpu": Preset(F1_CPU, "this project: row F1, narrow", "SDSS galaxies, or any archive"),
    "stackgan-f4-cpu": Preset(F4_CPU, "this project: row F4, narrow", "SDSS galaxies, or any archive"),
}
