"""DCGAN → StackGAN stage II as one generator, z → 128 × 128 (row F4; Fussell & Moews 2019, MNRAS 485, 3203).

The first stage is `training.architectures.dcgan` at half the side, the second `training.architectures.stackgan`. They are trained
as two runs and then joined (`training.chaining`); trained as one network, both stages learn from the adversarial loss alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, cast

from torch import Tensor

from training.architectures import base, dcgan, stackgan
from training.bounds import SIZE, ZERO_OR_MORE, Bounds


@dataclass(frozen=True)
class ChainConfig(base.NetworkConfig):
    """Sizes of both stages; the names are those of `DCGANConfig` and `StackGANConfig`."""

    resolution: int = 128
    z_dim: int = 100
    width: int = 128
    kernel: int = 4
    batch_norm: bool = True
    channels: int = 128
    blocks: int = 6
    discriminator_width: int = 32
    pixel: str = "sum"

    bounds: ClassVar[Bounds] = base.NetworkConfig.bounds | {
        "width": SIZE,
        "channels": SIZE,
        "blocks": ZERO_OR_MORE,
        "discriminator_width": SIZE,
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        self.first()
        self.second()

    def first(self) -> dcgan.DCGANConfig:
        """The first stage."""
        return dcgan.DCGANConfig(
            self.resolution // 2, self.bands, self.z_dim, self.classes, self.width, kernel=self.kernel, batch_norm=self.batch_norm
        )

    def second(self) -> stackgan.StackGANConfig:
        """The second stage."""
        return stackgan.StackGANConfig(
            self.resolution,
            self.bands,
            channels=self.channels,
            blocks=self.blocks,
            discriminator_width=self.discriminator_width,
            pixel=self.pixel,
        )


class Generator(base.LatentGenerator):
    """z (N, z_dim) → images (N, bands, H, W) in [-1, 1]."""

    config: ChainConfig

    def __init__(self, config: ChainConfig) -> None:
        super().__init__()
        self.config = config
        self.first = dcgan.Generator(config.first())
        self.second = stackgan.Refiner(config.bands, config.channels, config.blocks)

    def forward(self, z: Tensor) -> Tensor:
        return cast(Tensor, self.second(stackgan.to_unit(self.first(z))))


class Discriminator(dcgan.Discriminator):
    """Images (N, bands, H, W) → logits (N,), as the second stage's."""

    def __init__(self, config: ChainConfig) -> None:
        super().__init__(stackgan.discriminator_config(config.resolution, config.bands, config.discriminator_width))
