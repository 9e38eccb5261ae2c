"""Our own presets, after the recipe for small images and few galaxies.

``-cpu`` presets are narrow networks for two cores; the others are for one GPU. Those for 8-bit images have a ``softening``: in
-1 … 1 a dark sky is all but constant (standard deviation about 0.1), so that the discriminator learns too slowly and the
generator moves too fast; stretched, pixels have about unit variance. R1's weight is then four times the rule
0.0002·resolution²/batch.

The 128 px presets are as wide as those of 64 px at every size that both have, so that ``--transfer`` of one of these grows into
them; ``stylegan2-128-cpu`` is as short as that allows.

The pair ``stylegan2-jwst-sim`` and ``stylegan2-jwst`` is a chain: simulated three-band galaxies first, then ``--transfer`` of
that run to the few real ones.
"""

from __future__ import annotations

from dataclasses import replace

from training.architectures.stylegan2 import StyleGAN2Config
from training.config import TrainConfig
from training.presets.preset import Preset

SOURCE = "this project, after Karras et al. (2020)"
SDSS = "SDSS galaxies with Galaxy Zoo 1 classes, or any archive"
SIMULATED = "simulated three-band galaxies"
JWST = "three-band JWST CEERS galaxies, or few images of any kind"

SOFTENING = 0.03
"""Of the range of 8-bit images: eight levels, some three times the noise of an SDSS sky."""

NARROW = StyleGAN2Config(channel_base=1024, channel_max=128)
WIDE = StyleGAN2Config(z_dim=512, w_dim=512, channel_base=8192, channel_max=256)

STYLEGAN2_64_CPU = TrainConfig(
    preset="stylegan2-64-cpu",
    architecture="stylegan2",
    network=replace(NARROW, softening=SOFTENING),
    batch=32,
    r1_gamma=0.1,
    ema_kimg=20.0,
    kimg=1200.0,
    augment="galaxy",
    lr_decay_kimg=400.0,
    precision="bfloat16",
    processes=2,
)
"""Adaptive augmentation costs nothing until r_t passes its target, which it does where a run is long or images are few."""

STYLEGAN2_64 = TrainConfig(
    preset="stylegan2-64",
    architecture="stylegan2",
    network=replace(WIDE, softening=SOFTENING),
    batch=64,
    r1_gamma=0.05,
    ema_kimg=20.0,
    kimg=2000.0,
    augment="galaxy",
    precision="bfloat16",
    lr_decay_kimg=300.0,
)

JWST_SIM_CPU = replace(
    STYLEGAN2_64_CPU,
    preset="stylegan2-jwst-sim-cpu",
    network=NARROW,
    r1_gamma=0.05,
    use_classes=False,
    augment="none",
    ema_kimg=10.0,
    kimg=400.0,
    ema_rampup=0.0,
    lr_decay_kimg=60.0,
)
JWST_SIM = replace(
    STYLEGAN2_64,
    preset="stylegan2-jwst-sim",
    network=WIDE,
    r1_gamma=0.0128,
    use_classes=False,
    kimg=1000.0,
    augment="none",
    lr_decay_kimg=150.0,
)


def few_real(before: TrainConfig, preset: str, kimg: float) -> TrainConfig:
    """A hundred real galaxies: low rates, strong augmentation, and the discriminator's first layers kept (Freeze-D)."""
    return replace(
        before,
        preset=preset,
        kimg=kimg,
        lr_generator=0.001,
        lr_discriminator=0.001,
        lr_decay_kimg=kimg / 3,
        augment="galaxy",
        augment_speed_kimg=50.0,
        freeze_discriminator=2,
        ema_kimg=5.0,
        ema_rampup=0.0,
        snapshot_kimg=5.0,
    )


PRESETS: dict[str, Preset] = {
    "stylegan2-64-cpu": Preset(STYLEGAN2_64_CPU, SOURCE, SDSS),
    "stylegan2-64": Preset(STYLEGAN2_64, SOURCE, SDSS),
    "stylegan2-128-cpu": Preset(
        replace(
            STYLEGAN2_64_CPU,
            preset="stylegan2-128-cpu",
            network=replace(NARROW, resolution=128, softening=SOFTENING),
            r1_gamma=0.4,
            ema_kimg=10.0,
            kimg=400.0,
            lr_decay_kimg=150.0,
        ),
        SOURCE + "; grown from stylegan2-64-cpu by --transfer",
        SDSS,
    ),
    "stylegan2-128": Preset(
        replace(
            STYLEGAN2_64,
            preset="stylegan2-128",
            network=replace(WIDE, resolution=128, softening=SOFTENING),
            r1_gamma=0.2,
        ),
        SOURCE,
        SDSS,
    ),
    "stylegan2-jwst-sim-cpu": Preset(JWST_SIM_CPU, SOURCE, SIMULATED),
    "stylegan2-jwst-cpu": Preset(few_real(JWST_SIM_CPU, "stylegan2-jwst-cpu", 60.0), SOURCE, JWST),
    "stylegan2-jwst-sim": Preset(JWST_SIM, SOURCE, SIMULATED),
    "stylegan2-jwst": Preset(few_real(JWST_SIM, "stylegan2-jwst", 120.0), SOURCE, JWST),
}
