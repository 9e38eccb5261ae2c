"""ETH Zürich, Computational Intelligence Lab report (2020): 1000 × 1000 greyscale fields (rows E1, E2 and E4; E3 is a scorer).

Printed: networks, Adam (1e-4, β 0.5 and 0.9) and the Wasserstein loss with several critic steps for E1; a third of the parameters
of StyleGAN2 at 1024 px for E2; that a convolutional VAE and a DCGAN were tried for E4. Not printed and chosen here: batch sizes,
lengths, five critic steps and the gradient penalty (Gulrajani et al. 2017), its drift term of 0.001 (Karras et al. 2018; loss
``wgan-gp`` in E1 as everywhere here), everything else of E2 after Karras et al. (2020), and the sizes of E4: the VAE
decodes with the generator of E1, the DCGAN is E1's networks with batch normalisation in the generator and the logistic loss. That
weights were averaged is not printed either; here they are, over 1 kimg (E2: 10), and training is in bfloat16.

The report's augmentation is kept as symmetries of the square (rotations by 90° and flips); shifts and crops with black around
them are in the data: `training fields` puts objects everywhere, also across the border, on an almost black sky. E2's 17.6 million
parameters are 30 % of the 59.4 million of the published StyleGAN2 (channel base 32,768, at most 512): base 16,384, at most 256.
E2 is pretrained on a larger sky set and then fine-tuned: two runs of the preset, each on its own archive, the second one with
``--transfer`` of the first (commands in docs/training.md).
"""

from __future__ import annotations

from dataclasses import replace

from training.architectures.stylegan2 import StyleGAN2Config
from training.architectures.vae import VAEConfig
from training.architectures.wgan import WGANConfig
from training.config import TrainConfig
from training.presets.preset import Preset

WORK = "ETH Zürich, Computational Intelligence Lab report (2020)"
SKY = "1,200 labelled and 9,600 scored fields of the sky, 1000 × 1000, greyscale"

E1 = TrainConfig(
    preset="eth-e1",
    architecture="wgan",
    network=WGANConfig(),
    kimg=500.0,
    batch=16,
    lr_generator=1e-4,
    lr_discriminator=1e-4,
    beta1=0.5,
    beta2=0.9,
    loss="wgan-gp",
    critic_steps=5,
    r1_gamma=0.0,
    ema_kimg=1.0,
    precision="bfloat16",
)

E2 = TrainConfig(
    preset="eth-e2",
    architecture="stylegan2",
    network=StyleGAN2Config(
        resolution=1024, bands=1, z_dim=512, w_dim=512, mapping_depth=8, channel_base=16_384, channel_max=256
    ),
    kimg=5000.0,
    batch=8,
    lr_generator=0.002,
    lr_discriminator=0.002,
    r1_gamma=10.0,
    ema_kimg=10.0,
    precision="bfloat16",
)

E4_VAE = replace(
    E1,
    preset="eth-e4-vae",
    architecture="vae",
    network=VAEConfig(),
    lr_generator=1e-3,
    lr_discriminator=1e-3,
    beta1=0.9,
    beta2=0.999,
    loss="logistic",
    critic_steps=1,
)

E4_DCGAN = replace(
    E1,
    preset="eth-e4-dcgan",
    network=WGANConfig(batch_norm=True),
    lr_generator=2e-4,
    lr_discriminator=2e-4,
    beta2=0.999,
    loss="logistic",
    critic_steps=1,
)

PRESETS: dict[str, Preset] = {
    "eth-e1": Preset(E1, f"{WORK}, row E1", SKY),
    "eth-e2": Preset(E2, f"{WORK}, row E2", SKY),
    "eth-e4-vae": Preset(E4_VAE, f"{WORK}, row E4", SKY),
    "eth-e4-dcgan": Preset(E4_DCGAN, f"{WORK}, row E4", SKY),
}
