"""Concepción thesis (2023): StyleGAN at 256 px with progressive growing and WGAN-GP (row C1) and fine-tuning in a chain (row C2).

The chain is Illustris JPG → SDSS JPG → Illustris FITS → SDSS FITS. Each step is a run on its own archive that starts from the
one before: ``train RUN --data ARCHIVE --preset stylegan-c2-sdss-jpg --transfer RUN_BEFORE``. The thesis freezes the first 0 … 5
layers of the generator; the presets freeze none for simulated and 3 for real data, and ``--set freeze_generator=5`` varies it.
Its lengths are not printed. A step begins fully grown. The thesis brings each channel of a FITS file to its own minimum and
maximum: ``prepare --normalisation minmax`` does, where the default is an asinh.
"""

from __future__ import annotations

from dataclasses import replace

from training.architectures.stylegan import StyleGANConfig
from training.config import TrainConfig
from training.presets.preset import Preset

ILLUSTRIS = "6,897 simulated Illustris galaxies, then 149 SDSS galaxies, 256 px"

C1 = TrainConfig(
    preset="stylegan-c1",
    architecture="stylegan",
    network=StyleGANConfig(),
    kimg=12_000.0,
    batch=32,
    lr_generator=0.0015,
    lr_discriminator=0.0015,
    loss="wgan-gp",
    r1_gamma=0.0,
    ema_kimg=10.0,
    dihedral=False,
    augment="concepcion",
    augment_p=1.0,
    precision="bfloat16",
)
"""Network, loss and augmentation of the thesis; rates, batch and schedule, which it does not print, of Karras et al. (2018, 2019)
but for one learning rate at all sizes. Turned training images with black corners leave visible edges: set ``augment=galaxy``
for a model to use.
"""

C1_CPU = replace(
    C1,
    preset="stylegan-c1-cpu",
    network=StyleGANConfig(
        resolution=64, z_dim=128, w_dim=128, channel_base=1024, channel_max=128, stable_kimg=20.0, fade_kimg=20.0
    ),
    kimg=300.0,
    batch=16,
    dihedral=True,
    augment="none",
    augment_p=None,
    processes=2,
)

GROWN = StyleGANConfig(stable_kimg=0.0, fade_kimg=0.0)

C2_SIMULATED = replace(C1, preset="stylegan-c2-illustris-fits", network=GROWN, kimg=2000.0)
C2_REAL = replace(
    C1,
    preset="stylegan-c2-sdss-jpg",
    network=GROWN,
    kimg=500.0,
    lr_generator=0.001,
    lr_discriminator=0.001,
    augment="concepcion-reflect",
    freeze_generator=3,
)
THESIS_C2 = "Concepción thesis (2023), row C2"

PRESETS: dict[str, Preset] = {
    "stylegan-c1": Preset(C1, "Concepción thesis (2023), row C1", ILLUSTRIS),
    "stylegan-c1-cpu": Preset(C1_CPU, "this project: row C1, narrow, 64 px", "SDSS galaxies, or any archive"),
    "stylegan-c2-sdss-jpg": Preset(C2_REAL, f"{THESIS_C2}, step 2", "149 SDSS JPG images, 256 px"),
    "stylegan-c2-illustris-fits": Preset(C2_SIMULATED, f"{THESIS_C2}, step 3", "6,897 Illustris FITS images, 256 px"),
    "stylegan-c2-sdss-fits": Preset(
        replace(C2_REAL, preset="stylegan-c2-sdss-fits"), f"{THESIS_C2}, step 4", "149 SDSS FITS images, 256 px"
    ),
}
