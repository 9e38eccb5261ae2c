"""The two DCGANs of the Tribhuvan review (2021): 28 × 28 greyscale (row T1) and 64 × 64 colour (row T2).

T1: dense 6272 → 7 × 7 × 128, batch norm, transposed convolutions 256, 128, 64, convolution to the bands, tanh; discriminator
convolutions 64, 128, 256 with dropout 0.3, 0.3, 0.4. T2: dense 4 · 4 · 1024, transposed 1024, 512, 512 (stride 1), 256, 256
(stride 1), 128, 64, convolution to the bands; discriminator 64, 128, 256, 512, 1024, kernel 5, stride 2, batch norm, dropout 0.3,
the last 0.4.

What cannot be as printed: T2 prints stride 1 for two of the seven transposed layers; the five others would reach 4 · 2⁵ = 128, so
the first one (1024) has stride 1 too. T1 needs two doublings from 7 to 28, so the last of its three has stride 1. Not printed and
chosen here: kernel 5 everywhere (printed for the discriminator of T2 only), 100 latent numbers, batch norm and ReLU after every
hidden layer of the generator, LeakyReLU 0.2 in the discriminator, N(0, 0.02) weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from training.architectures import base
from training.architectures.dcgan import initialise
from training.bounds import SHARE, SIZE, Bounds

KERNEL = 5


@dataclass(frozen=True)
class Table:
    """The printed layers: first side and channels, (channels, stride) of the transposed ones, (channels, dropout) of D."""

    side: int
    channels: int
    up: tuple[tuple[int, int], ...]
    down: tuple[tuple[int, float], ...]
    discriminator_norm: bool


TABLES = {
    28: Table(7, 128, ((256, 2), (128, 2), (64, 1)), ((64, 0.3), (128, 0.3), (256, 0.4)), False),
    64: Table(
        4,
        1024,
        ((1024, 1), (512, 2), (512, 1), (256, 2), (256, 1), (128, 2), (64, 2)),
        ((64, 0.3), (128, 0.3), (256, 0.3), (512, 0.3), (1024, 0.4)),
        True,
    ),
}
"""By resolution."""


@dataclass(frozen=True)
class TribhuvanConfig(base.NetworkConfig):
    """Sizes of one network of the review.

    ``width`` 64 is as printed, others scale every channel number; ``dropout`` 1 is as printed, others scale every probability.
    ``first_norm`` false leaves the discriminator's first layer without batch norm, as Radford et al. (2016) advise.
    """

    resolution: int = 64
    z_dim: int = 100
    width: int = 64
    dropout: float = 1.0
    first_norm: bool = True

    bounds: ClassVar[Bounds] = base.NetworkConfig.bounds | {"width": SIZE, "dropout": SHARE}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.resolution not in TABLES:
            raise ValueError(f"resolution {self.resolution}: one of {', '.join(map(str, TABLES))} is printed in the review")

    @property
    def table(self) -> Table:
        """The printed layers."""
        return TABLES[self.resolution]

    def scaled(self, channels: int) -> int:
        """``channels`` as printed → at this width."""
        return channels * self.width // 64


class Generator(base.LatentGenerator):
    """z (N, z_dim) → images (N, bands, H, W) in [-1, 1]."""

    config: TribhuvanConfig

    def __init__(self, config: TribhuvanConfig) -> None:
        super().__init__()
        self.config = config
        table, channels = config.table, config.scaled(config.table.channels)
        self.dense = nn.Linear(config.z_dim, channels * table.side**2)
        layers: list[nn.Module] = [nn.BatchNorm2d(channels), nn.ReLU()]
        for printed, stride in table.up:
            wide = config.scaled(printed)
            up = nn.ConvTranspose2d(channels, wide, KERNEL, stride, KERNEL // 2, output_padding=stride - 1, bias=False)
            layers += [up, nn.BatchNorm2d(wide), nn.ReLU()]
            channels = wide
        layers += [nn.Conv2d(channels, config.bands, KERNEL, padding=KERNEL // 2), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        self.apply(initialise)

    def forward(self, z: Tensor) -> Tensor:
        table = self.config.table
        square = self.dense(z).reshape(-1, self.config.scaled(table.channels), table.side, table.side)
        return cast(Tensor, self.layers(square))


class Discriminator(base.Discriminator):
    """Images (N, bands, H, W) → logits (N,)."""

    def __init__(self, config: TribhuvanConfig) -> None:
        super().__init__()
        table, channels, side = config.table, config.bands, config.resolution
        layers: list[nn.Module] = []
        for printed, dropout in table.down:
            wide = config.scaled(printed)
            norm = table.discriminator_norm and (config.first_norm or bool(layers))
            layers.append(nn.Conv2d(channels, wide, KERNEL, 2, KERNEL // 2))
            if norm:
                layers.append(nn.BatchNorm2d(wide))
            layers += [nn.LeakyReLU(0.2), nn.Dropout(dropout * config.dropout)]
            channels, side = wide, (side + 1) // 2
        self.layers = nn.Sequential(*layers)
        self.dense = nn.Linear(channels * side * side, 1)
        self.apply(initialise)

    def forward(self, images: Tensor, onehot: Tensor | None = None, dtype: torch.dtype = torch.float32) -> Tensor:
        with base.autocast(images, dtype):
            return cast(Tensor, self.dense(self.layers(base.channels_last(images)).flatten(1))).float().flatten()
