"""Every architecture by name: a module with ``Generator`` and ``Discriminator``, and the dataclass of its sizes.

A generator offers ``draw(n, rng)`` (the random inputs of a training batch), ``training_images(draw, onehot, dtype)`` and
``sample(z, onehot, noise)``; a discriminator is called as ``D(images, onehot, dtype)`` and gives logits.
"""

from __future__ import annotations

from training.architectures import dcgan, stylegan2

NetworkConfig = stylegan2.StyleGAN2Config | dcgan.DCGANConfig
Generator = stylegan2.Generator | dcgan.Generator
Discriminator = stylegan2.Discriminator | dcgan.Discriminator

CONFIGS: dict[str, type[NetworkConfig]] = {
    "stylegan2": stylegan2.StyleGAN2Config,
    "dcgan": dcgan.DCGANConfig,
}


def build(config: NetworkConfig) -> tuple[Generator, Discriminator]:
    """Fresh networks of ``config``."""
    if isinstance(config, stylegan2.StyleGAN2Config):
        return stylegan2.Generator(config), stylegan2.Discriminator(config)
    return dcgan.Generator(config), dcgan.Discriminator(config)
