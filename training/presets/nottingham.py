"""Nottingham thesis (2021): StyleGAN2 in a first framework (row N1), then StyleGAN2-ADA with and without ADA (row N2).

Row N1's framework is a small rewrite of StyleGAN2 whose ``network capacity`` of 16 gives 2048 / side feature maps, at most 512.
Its hinge loss and two-sided gradient penalty are the logistic loss and R1 here, and its batches of 5, accumulated over 6, are one
of 32. The 150,000 steps, the FID of 12,800 images every 5,000 steps and the truncation of 0.75 that ``export`` takes are as
printed. What the thesis does not print is that framework's default. Its second FID, every 200 steps, is
``--set metrics_kimg=6.4``; it cycles its real images to 12,800, here each counts once.

Row N2 is the published ``paper256`` configuration: half of StyleGAN2's feature maps, γ 1, batch 64, mirrored images, 15,000 kimg;
its minibatch standard deviation over 8 images is over 4 here, as in all our networks. Its FID50k and KID50k are of 10,000 samples
here while it trains (``--set metrics_images=50000``; ``evaluate --count 50000`` of a model).
"""

from __future__ import annotations

from dataclasses import replace

from training.architectures.stylegan2 import StyleGAN2Config
from training.config import TrainConfig
from training.presets.preset import Preset

MERGERS = "2,581 mergers of the Galaxy Zoo 1 expert labels, 64 px"
EVERY_5000_STEPS = 160.0
N1_TRUNCATION = 0.75

N1 = TrainConfig(
    preset="stylegan2-n1",
    architecture="stylegan2",
    network=StyleGAN2Config(z_dim=512, w_dim=512, mapping_depth=8, channel_base=2048, channel_max=512),
    kimg=4800.0,
    batch=32,
    lr_generator=2e-4,
    lr_discriminator=3e-4,
    beta1=0.5,
    beta2=0.9,
    r1_gamma=10.0,
    r1_interval=4,
    pl_weight=2.0,
    pl_interval=32,
    ema_kimg=44.0,
    ema_rampup=0.0,
    dihedral=False,
    metrics_kimg=EVERY_5000_STEPS,
    metrics_images=12_800,
    snapshot_kimg=EVERY_5000_STEPS,
)

N2_ADA = TrainConfig(
    preset="stylegan2-ada-n2",
    architecture="stylegan2",
    network=StyleGAN2Config(z_dim=512, w_dim=512, mapping_depth=8, channel_base=16384, channel_max=512),
    kimg=15_000.0,
    batch=64,
    r1_gamma=1.0,
    pl_weight=2.0,
    ema_kimg=20.0,
    ema_rampup=0.0,
    dihedral=False,
    mirror=True,
    augment="published",
    augment_cap=1.0,
    augment_speed_kimg=500.0,
    precision="bfloat16",
    snapshot_kimg=200.0,
    metrics_kimg=200.0,
    metrics_images=10_000,
)

N2_ADA_CPU = replace(
    N2_ADA,
    preset="stylegan2-ada-n2-cpu",
    network=StyleGAN2Config(channel_base=1024, channel_max=128),
    kimg=300.0,
    batch=32,
    r1_gamma=0.05,
    pl_weight=0.0,
    augment_cap=0.8,
    augment_speed_kimg=50.0,
    processes=2,
    snapshot_kimg=20.0,
    metrics_kimg=0.0,
)

PRESETS: dict[str, Preset] = {
    "stylegan2-n1": Preset(N1, "Nottingham thesis (2021), row N1", MERGERS, truncation=N1_TRUNCATION),
    "stylegan2-n1-diffaugment": Preset(
        replace(N1, preset="stylegan2-n1-diffaugment", augment="diffaugment"),
        "Nottingham thesis (2021), row N1 with its DiffAugment option",
        MERGERS,
        truncation=N1_TRUNCATION,
    ),
    "stylegan2-ada-n2": Preset(N2_ADA, "Nottingham thesis (2021), row N2 with ADA", MERGERS),
    "stylegan2-n2": Preset(
        replace(N2_ADA, preset="stylegan2-n2", augment="none"), "Nottingham thesis (2021), row N2 without ADA", MERGERS
    ),
    "stylegan2-ada-n2-cpu": Preset(N2_ADA_CPU, "this project: row N2 with ADA, narrow", "SDSS mergers, or any archive"),
    "stylegan2-n2-cpu": Preset(
        replace(N2_ADA_CPU, preset="stylegan2-n2-cpu", augment="none"),
        "this project: row N2 without ADA, narrow",
        "SDSS mergers, or any archive",
    ),
}
