"""Our own presets, after the recipe for small images and few galaxies."""

from __future__ import annotations

from training.architectures.stylegan2 import StyleGAN2Config
from training.config import TrainConfig
from training.presets.preset import Preset

SOURCE = "this project, after Karras et al. (2020)"
SDSS = "SDSS galaxies with Galaxy Zoo 1 classes, or any archive"

PRESETS: dict[str, Preset] = {
    "stylegan2-64-cpu": Preset(
        TrainConfig(
            preset="stylegan2-64-cpu",
            architecture="stylegan2",
            network=StyleGAN2Config(channel_base=1024, channel_max=128),
            batch=16,
            r1_gamma=0.05,
            precision="bfloat16",
            processes=2,
        ),
        SOURCE,
        SDSS,
    ),
    "stylegan2-64": Preset(
        TrainConfig(
            preset="stylegan2-64",
            architecture="stylegan2",
            network=StyleGAN2Config(z_dim=512, w_dim=512, channel_base=8192, channel_max=256),
            batch=64,
            r1_gamma=0.0128,
            ema_kimg=20.0,
            kimg=2000.0,
            precision="bfloat16",
        ),
        SOURCE,
        SDSS,
    ),
}
