"""WGAN for 1000 × 1000 greyscale fields of the sky (row E1; ETH Zürich, Computational Intelligence Lab report, 2020).

Generator: z (200) → dense 8192 without bias → 8 × 8 × 128 → transposed convolutions of stride 2, kernel 5 to 128, 64, 64 and
kernel 7 to 32 channels (128 × 128), crop to 125 × 125, kernel 7 to 16, 8 and 1 (1000 × 1000): 2,487,617 parameters.

Critic: two 3 × 3 convolutions of 8, max pool, three "mixed blocks" that join small pooled with large strided convolutions for
(A, B) = (16, 32), (32, 64), (64, 128), dense 1: 2,283,977 parameters. The kernel sizes of the blocks are not printed; the printed
parameters of each block (48,784; 283,936; 1,938,048) are met exactly by: 3 × 3 convolutions A, A, pool, B, B, pool beside two
7 × 7 convolutions of stride 2 with A, B channels (B, B in the last block), joined to 2B channels. So every printed count is met.

Not printed and chosen here: LeakyReLU 0.2, tanh last, and Glorot initialisation (the default of Keras, whose way of counting the
report uses). The Lipschitz condition is the gradient penalty, which the printed Adam (1e-4, β 0.5 and 0.9) belongs to.

Other sides than 1000 that 8 divides work alike: the dense layer makes the smallest square that covers side / 8 after four
doublings, and a critic of fewer blocks judges small images. ``batch_norm`` in the generator makes it the DCGAN of row E4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.architectures import base
from training.bounds import SIZE, Bounds, Range

MIXED = ((2, 4, 2), (4, 8, 4), (8, 16, 16))
"""A, B and the channels of the first large convolution of every block, in units of the critic's width."""


@dataclass(frozen=True)
class WGANConfig(base.NetworkConfig):
    """Sizes of one WGAN. ``width`` and ``critic_width`` are the first numbers of channels; ``blocks`` are the critic's."""

    resolution: int = 1000
    bands: int = 1
    z_dim: int = 200
    width: int = 128
    critic_width: int = 8
    blocks: int = 3
    batch_norm: bool = False

    bounds: ClassVar[Bounds] = base.NetworkConfig.bounds | {
        "width": SIZE,
        "critic_width": SIZE,
        "blocks": Range(1, len(MIXED)),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        least: int = 2 * 4**self.blocks
        if self.resolution < least or self.resolution % 8:
            raise ValueError(
                f"resolution {self.resolution}: a multiple of 8, {least} or more for {self.blocks} blocks, is needed"
            )
        if self.width % 16:
            raise ValueError(f"width {self.width}: a multiple of 16 is needed")

    @property
    def crop(self) -> int:
        """Side of the feature maps before the last three doublings."""
        return self.resolution // 8

    @property
    def first_side(self) -> int:
        """Side of the square that the dense layer makes."""
        return -(-self.crop // 16)


def initialise(module: nn.Module) -> None:
    """Glorot uniform weights and no bias, the default of Keras."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class Generator(base.LatentGenerator):
    """z (N, z_dim) → images (N, bands, H, W) in [-1, 1]."""

    config: WGANConfig

    def __init__(self, config: WGANConfig) -> None:
        super().__init__()
        self.config = config
        w = config.width
        self.dense = nn.Linear(config.z_dim, w * config.first_side**2, bias=False)
        self.before_crop = nn.Sequential(
            *self._up(w, w, 5), *self._up(w, w // 2, 5), *self._up(w // 2, w // 2, 5), *self._up(w // 2, w // 4, 7)
        )
        self.after_crop = nn.Sequential(
            *self._up(w // 4, w // 8, 7),
            *self._up(w // 8, w // 16, 7),
            nn.ConvTranspose2d(w // 16, config.bands, 7, 2, 3, output_padding=1),
            nn.Tanh(),
        )
        self.apply(initialise)

    def _up(self, a: int, b: int, kernel: int) -> list[nn.Module]:
        norm: list[nn.Module] = [nn.BatchNorm2d(b)] if self.config.batch_norm else []
        return [nn.ConvTranspose2d(a, b, kernel, 2, kernel // 2, output_padding=1), *norm, nn.LeakyReLU(0.2)]

    def forward(self, z: Tensor) -> Tensor:
        config = self.config
        x = F.leaky_relu(self.dense(z), 0.2).reshape(-1, config.width, config.first_side, config.first_side)
        x = self.before_crop(x)  # (N, W/4, 128, 128)
        return cast(Tensor, self.after_crop(x[:, :, : config.crop, : config.crop]))  # 125, 250, 500, 1000


class MixedBlock(nn.Module):
    """(N, cin, S, S) → (N, 2B, S // 4, S // 4): small pooled convolutions beside large strided ones."""

    one_row = True

    def __init__(self, channels_in: int, a: int, b: int, large: int, side: int) -> None:
        super().__init__()
        self.small = nn.Sequential(
            *_convolution(channels_in, a, 3), *_convolution(a, a, 3), nn.MaxPool2d(2),
            *_convolution(a, b, 3), *_convolution(b, b, 3), nn.MaxPool2d(2),
        )  # fmt: skip
        self.large = nn.Sequential(*_halving(channels_in, large, side), *_halving(large, b, side // 2))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.small(x), self.large(x)], dim=1)


def _convolution(a: int, b: int, kernel: int) -> list[nn.Module]:
    return [nn.Conv2d(a, b, kernel, padding=kernel // 2), nn.LeakyReLU(0.2)]


def _halving(a: int, b: int, side: int) -> list[nn.Module]:
    """A 7 × 7 convolution of stride 2 whose output has side // 2, as pooling gives."""
    return [nn.Conv2d(a, b, 7, 2, padding=3 - side % 2), nn.LeakyReLU(0.2)]


class Trunk(nn.Module):
    """The critic without its last layer: images (N, bands, H, W) → features, (N, 256, 7, 7) at 1000 px."""

    def __init__(self, config: WGANConfig) -> None:
        super().__init__()
        c, side = config.critic_width, config.resolution // 2
        self.first = nn.Sequential(*_convolution(config.bands, c, 3), *_convolution(c, c, 3), nn.MaxPool2d(2))
        blocks: list[nn.Module] = []
        channels = 1
        for a, b, large in MIXED[: config.blocks]:
            blocks.append(MixedBlock(channels * c, a * c, b * c, large * c, side))
            channels, side = 2 * b, side // 4
        self.blocks = nn.Sequential(*blocks)
        self.features, self.side = channels * c, side
        self.apply(initialise)

    def forward(self, images: Tensor) -> Tensor:
        return cast(Tensor, self.blocks(self.first(images)))  # sides 500, 125, 31, 7


class Discriminator(base.Discriminator):
    """Images (N, bands, H, W) → the critic's values (N,)."""

    def __init__(self, config: WGANConfig) -> None:
        super().__init__()
        self.trunk = Trunk(config)
        self.dense = nn.Linear(self.trunk.features * self.trunk.side**2, 1)
        initialise(self.dense)

    def forward(self, images: Tensor, onehot: Tensor | None = None, dtype: torch.dtype = torch.float32) -> Tensor:
        with base.autocast(images, dtype):
            return cast(Tensor, self.dense(self.trunk(base.channels_last(images)).flatten(1))).float().flatten()
