"""Every architecture by name. A new one is one file and one line here; `base` says what it offers."""

from __future__ import annotations

from galaxies.errors import BadInput
from training.architectures import chain, dcgan, stackgan, stylegan, stylegan2, tribhuvan, vae, wgan
from training.architectures.base import Architecture, Discriminator, Generator, NetworkConfig, StyleConfig, StyleGenerator

__all__ = ["ARCHITECTURES", "Discriminator", "Generator", "NetworkConfig", "StyleConfig", "StyleGenerator", "build"]

ARCHITECTURES: dict[str, Architecture] = {
    "stylegan2": Architecture(stylegan2.StyleGAN2Config, stylegan2.Generator, stylegan2.Discriminator),
    "stylegan": Architecture(stylegan.StyleGANConfig, stylegan.Generator, stylegan.Discriminator),
    "dcgan": Architecture(dcgan.DCGANConfig, dcgan.Generator, dcgan.Discriminator),
    "stackgan": Architecture(stackgan.StackGANConfig, stackgan.Generator, stackgan.Discriminator),
    "chain": Architecture(chain.ChainConfig, chain.Generator, chain.Discriminator),
    "wgan": Architecture(wgan.WGANConfig, wgan.Generator, wgan.Discriminator),
    "vae": Architecture(vae.VAEConfig, vae.Generator, None),
    "tribhuvan": Architecture(tribhuvan.TribhuvanConfig, tribhuvan.Generator, tribhuvan.Discriminator),
}


def find(name: str) -> Architecture:
    """The architecture ``name``.

    Raises
    ------
    BadInput : there is none of this name.
    """
    if name not in ARCHITECTURES:
        raise BadInput(f"architecture {name!r} is unknown; there are {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name]


def build(config: NetworkConfig) -> tuple[Generator, Discriminator | None]:
    """Fresh networks of ``config``, generator and, where the architecture has one, discriminator."""
    entry = ARCHITECTURES[name_of(config)]
    return entry.generator(config), None if entry.discriminator is None else entry.discriminator(config)


def name_of(config: NetworkConfig) -> str:
    """The name of the architecture whose sizes ``config`` holds."""
    for name, entry in ARCHITECTURES.items():
        if type(config) is entry.config:
            return name
    raise TypeError(f"{type(config).__name__} belongs to no architecture; there are {', '.join(ARCHITECTURES)}")
