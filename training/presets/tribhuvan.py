"""Tribhuvan review (2021): DCGAN at 28 × 28 greyscale and 64 × 64 colour (rows T1 and T2).

Printed: batch 32, 20 epochs, Adam 1e-3 with β1 = 0.5, binary cross-entropy with a real label of 0.9 (T1); batch 128, 200 epochs,
a rate of 2e-3 that decays exponentially from step 40,000 (T2). Not printed and chosen here: the set's size, so epochs are counted
on the 61,578 images of Galaxy Zoo 2; how fast T2's rate decays, here by half every 10,000 steps; β1 of T2, that of T1; the
average of the weights, over 2 kimg.

``tribhuvan-t2-cpu`` is a quarter as wide, at a tenth of the rates and without dropout, since with it or at the printed rates it
collapsed to one galaxy in short runs. Its discriminator has no batch norm after the first layer, which hides brightness and
contrast of the images from the layers behind it: with it, it made a few coarse kinds of galaxies only. The bundled
``gz1-64-tribhuvan@3`` was trained so in two goes: its rates had fallen to zero once, at 320 kimg.
"""

from __future__ import annotations

from dataclasses import replace

from training.architectures.tribhuvan import TribhuvanConfig
from training.config import TrainConfig
from training.presets.fussell_moews import EPOCH_KIMG
from training.presets.preset import Preset

WORK = "Tribhuvan University review (2021)"

T1 = TrainConfig(
    preset="tribhuvan-t1",
    architecture="tribhuvan",
    network=TribhuvanConfig(resolution=28, bands=1),
    kimg=20 * EPOCH_KIMG,
    batch=32,
    lr_generator=1e-3,
    lr_discriminator=1e-3,
    beta1=0.5,
    beta2=0.999,
    loss="bce-0.9",
    r1_gamma=0.0,
    dihedral=False,
    ema_kimg=2.0,
)

T2 = replace(
    T1,
    preset="tribhuvan-t2",
    network=TribhuvanConfig(resolution=64, bands=3),
    kimg=200 * EPOCH_KIMG,
    batch=128,
    lr_generator=2e-3,
    lr_discriminator=2e-3,
    lr_halving_from_kimg=40.0 * 128,
    lr_halving_kimg=10.0 * 128,
    lr_halving_smooth=True,
    loss="logistic",
)

T2_CPU = replace(
    T2,
    preset="tribhuvan-t2-cpu",
    network=TribhuvanConfig(width=16, dropout=0.0, first_norm=False),
    kimg=700.0,
    batch=32,
    lr_generator=2e-4,
    lr_discriminator=2e-4,
    lr_halving_kimg=0.0,
    lr_decay_kimg=150.0,
    dihedral=True,
    ema_kimg=5.0,
    precision="bfloat16",
)

PRESETS: dict[str, Preset] = {
    "tribhuvan-t1": Preset(T1, f"{WORK}, row T1", "galaxies, 28 × 28, greyscale"),
    "tribhuvan-t2": Preset(T2, f"{WORK}, row T2", "galaxies, 64 × 64, colour"),
    "tribhuvan-t2-cpu": Preset(T2_CPU, "this project: row T2, narrow", "SDSS galaxies, or any archive"),
}
