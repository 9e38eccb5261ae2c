"""DCGAN as Fussell & Moews (2019, MNRAS 485, 3203) print it for 64 × 64 (row F1) and 128 × 128 galaxies (row F2).

Generator: transposed convolutions, kernel 4, channels 8W, 4W, 2W, W, bands (W = 128 as printed; one more of 16W in front at
128 px), padding 0, 1, 1, 1, 1 and stride 1, 2, 2, 2, 2; batch normalisation, ReLU, tanh last.
Discriminator: V, 2V, 4V, 8V, 1 with LeakyReLU 0.2 (V = 128 at 64 px; 32, 64, 128, 256, 512, 1 at 128 px, with dropout before the
last convolution in the first 200 epochs); the printed sigmoid is part of the loss. Weights start as N(0, 0.02).

Batch normalisation is printed as "not on input or output layer". That is read as in DCGAN (Radford et al. 2016): not on the
discriminator's input, where images enter, nor on the output of either network; the generator's first layer, fed by z, has it.

The padding of 3 that is printed for the last layer at 128 px does not fit: (64 - 1) · 2 - 2 · 3 + 4 = 124, not 128. Kernel and
stride stay as printed and the padding is 1, as in the other layers; the number of parameters is the same.

What the work varies is a setting: ``kernel`` 6 (padding grows by one everywhere, so the sizes stay), ``width``, ``batch_norm``,
``dropout`` (spatial, 0.5 there) in ``generator``, ``discriminator`` or ``both``; label smoothing is a loss (`training.losses`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from training.architectures import base
from training.bounds import SHARE, SIZE, ZERO_OR_MORE, Bounds

KERNELS = (4, 6)
PLACES = ("none", "generator", "discriminator", "both")


@dataclass(frozen=True)
class DCGANConfig(base.NetworkConfig):
    """Sizes of one DCGAN.

    ``width`` is W and ``discriminator_width`` V (0: the same). ``dropout_in`` says which network drops whole feature maps with
    probability ``dropout`` after each hidden layer; ``last_dropout`` acts before the discriminator's last convolution until
    ``last_dropout_kimg``.
    """

    z_dim: int = 100
    width: int = 128
    discriminator_width: int = 0
    kernel: int = 4
    batch_norm: bool = True
    dropout_in: str = "none"
    dropout: float = 0.5
    last_dropout: float = 0.0
    last_dropout_kimg: float = 0.0

    bounds: ClassVar[Bounds] = base.NetworkConfig.bounds | {
        "width": SIZE,
        "discriminator_width": ZERO_OR_MORE,
        "dropout": SHARE,
        "last_dropout": SHARE,
        "last_dropout_kimg": ZERO_OR_MORE,
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.resolution < 16 or self.resolution & (self.resolution - 1):
            raise ValueError(f"resolution {self.resolution}: a power of two, 16 or more, is needed")
        if self.kernel not in KERNELS:
            raise ValueError(f"kernel {self.kernel}: one of {', '.join(map(str, KERNELS))} is allowed")
        if self.dropout_in not in PLACES:
            raise ValueError(f"dropout_in {self.dropout_in!r}: one of {', '.join(PLACES)} is allowed")

    @property
    def doublings(self) -> int:
        """Layers of stride two: 4 at 64 px, 5 at 128 px."""
        return int(math.log2(self.resolution)) - 2

    def drops(self, network: str) -> bool:
        """Whether ``network`` has spatial dropout."""
        return self.dropout_in in (network, "both")


def initialise(module: nn.Module) -> None:
    """Convolutions N(0, 0.02), batch normalisation N(1, 0.02), as Radford et al. (2016)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


class Generator(base.LatentGenerator):
    """z (N, z_dim) → images (N, bands, H, W) in [-1, 1]."""

    config: DCGANConfig

    def __init__(self, config: DCGANConfig) -> None:
        super().__init__()
        self.config = config
        extra = (config.kernel - 4) // 2
        widths = [config.z_dim, *(config.width * 2**k for k in reversed(range(config.doublings)))]
        layers: list[nn.Module] = []
        for stage, (a, b) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
            stride, padding = (1, 0) if stage == 0 else (2, 1)
            layers.append(nn.ConvTranspose2d(a, b, config.kernel, stride, padding + extra, bias=not config.batch_norm))
            if config.batch_norm:
                layers.append(nn.BatchNorm2d(b))
            layers.append(nn.ReLU())
            if config.drops("generator"):
                layers.append(nn.Dropout2d(config.dropout))
        layers += [nn.ConvTranspose2d(widths[-1], config.bands, config.kernel, 2, 1 + extra), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        self.apply(initialise)

    def forward(self, z: Tensor) -> Tensor:
        return cast(Tensor, self.layers(z[:, :, None, None]))  # sides 4, 8, 16, 32, 64 (, 128)


class Discriminator(base.Discriminator):
    """Images (N, bands, H, W) → logits (N,)."""

    def __init__(self, config: DCGANConfig) -> None:
        super().__init__()
        self.last_dropout_kimg = config.last_dropout_kimg
        extra = (config.kernel - 4) // 2
        width = config.discriminator_width or config.width
        widths = [config.bands, *(width * 2**k for k in range(config.doublings))]
        layers: list[nn.Module] = []
        for stage, (a, b) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
            norm = config.batch_norm and stage > 0
            layers.append(nn.Conv2d(a, b, config.kernel, 2, 1 + extra, bias=not norm))
            if norm:
                layers.append(nn.BatchNorm2d(b))
            layers.append(nn.LeakyReLU(0.2))
            if config.drops("discriminator"):
                layers.append(nn.Dropout2d(config.dropout))
        layers.append(nn.Conv2d(widths[-1], 1, config.kernel, 1, extra))
        self.layers = nn.Sequential(*layers)
        self.last_dropout = nn.Dropout2d(config.last_dropout)
        self.apply(initialise)

    def forward(self, images: Tensor, onehot: Tensor | None = None, dtype: torch.dtype = torch.float32) -> Tensor:
        with base.autocast(images, dtype):
            x = self.last_dropout(self.layers[:-1](base.channels_last(images)))
            return cast(Tensor, self.layers[-1](x)).float().flatten()

    def advance(self, kimg: float) -> None:
        if kimg >= self.last_dropout_kimg:
            self.last_dropout.p = 0.0
