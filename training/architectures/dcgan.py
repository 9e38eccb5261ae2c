"""DCGAN as Fussell & Moews (2019, MNRAS 485, 3203) print it for 64 × 64 galaxies (row F1), with their width setting.

Generator: transposed convolutions, kernel 4, channels 8W, 4W, 2W, W, bands (W = 128 as printed), padding 0, 1, 1, 1, 1 and
stride 1, 2, 2, 2, 2; batch normalisation except on the output layer, ReLU, tanh last. Discriminator: W, 2W, 4W, 8W, 1 with
LeakyReLU 0.2; the printed sigmoid is part of the loss. Weights start as N(0, 0.02).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from training.architectures import base


@dataclass(frozen=True)
class DCGANConfig(base.NetworkConfig):
    """Sizes of one DCGAN; ``width`` is W."""

    z_dim: int = 100
    width: int = 128

    def __post_init__(self) -> None:
        if self.resolution != 64:
            raise ValueError(f"resolution {self.resolution}: the DCGAN of row F1 makes 64 × 64 images")
        if self.classes:
            raise ValueError(f"classes {self.classes}: the DCGAN of row F1 has no class input")


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def _layout(x: Tensor, dtype: torch.dtype) -> Tensor:
    return x.to(dtype).contiguous(memory_format=torch.channels_last)


class Generator(base.Generator):
    """z (N, z_dim) → images (N, bands, 64, 64) in [-1, 1]."""

    config: DCGANConfig

    def __init__(self, config: DCGANConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.z_dim, *(config.width * k for k in (8, 4, 2, 1))]
        layers: list[nn.Module] = []
        for stage, (a, b) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
            stride, padding = (1, 0) if stage == 0 else (2, 1)
            layers += [nn.ConvTranspose2d(a, b, 4, stride, padding, bias=False), nn.BatchNorm2d(b), nn.ReLU()]
        layers += [nn.ConvTranspose2d(widths[-1], config.bands, 4, 2, 1), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        self.apply(_initialise)

    def forward(self, z: Tensor) -> Tensor:
        return cast(Tensor, self.layers(z[:, :, None, None]))  # 4, 8, 16, 32, 64

    def draw(self, n: int, rng: torch.Generator) -> dict[str, Tensor]:
        """The random inputs of ``n`` training images."""
        return {"z": torch.randn(n, self.config.z_dim, generator=rng)}

    def training_images(self, draw: dict[str, Tensor], onehot: Tensor | None, dtype: torch.dtype) -> Tensor:
        """Images of one ``draw``, (N, bands, 64, 64) float32."""
        with torch.autocast(draw["z"].device.type, dtype, enabled=dtype != torch.float32):
            return cast(Tensor, self(draw["z"]).float())

    def sample(self, z: Tensor, onehot: Tensor | None, noise: Tensor | None = None) -> Tensor:
        """Images of latents ``z`` (N, z_dim); there is no class and no noise input."""
        return cast(Tensor, self(z))


class Discriminator(base.Discriminator):
    """Images (N, bands, 64, 64) → logits (N,)."""

    def __init__(self, config: DCGANConfig) -> None:
        super().__init__()
        w = config.width
        widths = [config.bands, w, 2 * w, 4 * w, 8 * w]
        layers: list[nn.Module] = []
        for stage, (a, b) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
            layers.append(nn.Conv2d(a, b, 4, 2, 1, bias=stage == 0))
            if stage:
                layers.append(nn.BatchNorm2d(b))
            layers.append(nn.LeakyReLU(0.2))
        layers.append(nn.Conv2d(8 * w, 1, 4, 1, 0))
        self.layers = nn.Sequential(*layers)
        self.apply(_initialise)

    def forward(self, images: Tensor, onehot: Tensor | None = None, dtype: torch.dtype = torch.float32) -> Tensor:
        with torch.autocast(images.device.type, dtype, enabled=dtype != torch.float32):
            return cast(Tensor, self.layers(_layout(images, torch.float32))).float().flatten()
