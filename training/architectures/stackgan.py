"""The second stage of StackGAN as Fussell & Moews (2019, MNRAS 485, 3203) train it: 64 → 128 pixels (row F3).

Convolution bands → 128, kernel 4, stride 2 (to 32 × 32), six residual blocks of two 3 × 3 convolutions, one more convolution with
a skip from the first layer, then two nearest upsamplings, each followed by a 3 × 3 convolution: to 512 channels, then to the
bands with tanh. Inputs lie in [0, 1], outputs in [-1, 1]. Equation 4 is the generator's loss: 0.001 · adversarial + 1 · pixel,
pixel being the mean squared difference of the band sums of the output and of the real image. The sums say nothing of colours,
which the weak adversarial part alone has to teach; ``pixel`` "bands" compares band by band.

Training pairs are real images and the same images averaged down to half the side. The discriminator is not printed in detail: it
is that of their DCGAN at 128 px (`training.architectures.dcgan`). Batch normalisation after the hidden convolutions follows
Zhang et al. (2017), whom the work takes the stage from. `training.architectures.chain` puts it behind a first stage.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from galaxies.errors import BadInput
from training.architectures import base, dcgan
from training.bounds import SIZE, ZERO_OR_MORE, Bounds


def pixel_loss(images: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference of the band sums of two stacks (N, bands, H, W) (equation 4)."""
    return (images.sum(dim=1) - target.sum(dim=1)).square().mean()


def band_loss(images: Tensor, target: Tensor) -> Tensor:
    """Squared difference of two stacks (N, bands, H, W), summed over bands and averaged over pixels."""
    return (images - target).square().sum(dim=1).mean()


PIXEL_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"sum": pixel_loss, "bands": band_loss}


@dataclass(frozen=True)
class StackGANConfig(base.NetworkConfig):
    """Sizes of one second stage; ``resolution`` is that of its output. It has no latent input, so ``z_dim`` is not used."""

    resolution: int = 128
    channels: int = 128
    blocks: int = 6
    discriminator_width: int = 32
    adversarial_weight: float = 0.001
    pixel_weight: float = 1.0
    pixel: str = "sum"
    """What the pixel loss compares: the sum of the bands as printed, or each of the "bands", which keeps colours."""

    bounds: ClassVar[Bounds] = base.NetworkConfig.bounds | {
        "channels": SIZE,
        "blocks": ZERO_OR_MORE,
        "discriminator_width": SIZE,
        "adversarial_weight": ZERO_OR_MORE,
        "pixel_weight": ZERO_OR_MORE,
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.resolution < 32 or self.resolution & (self.resolution - 1):
            raise ValueError(f"resolution {self.resolution}: a power of two, 32 or more, is needed")
        if self.pixel not in PIXEL_LOSSES:
            raise ValueError(f"pixel {self.pixel!r}: one of {', '.join(PIXEL_LOSSES)} is allowed")


def _hidden(a: int, b: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(a, b, 3, 1, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU())


class ResidualBlock(nn.Module):
    """Two 3 × 3 convolutions and the way around them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_hidden(channels, channels), nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.layers(x))


class Refiner(nn.Module):
    """Images (N, bands, H/2, W/2) in [0, 1] → images (N, bands, H, W) in [-1, 1]."""

    def __init__(self, bands: int, channels: int, blocks: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(bands, channels, 4, 2, 1), nn.ReLU())
        self.blocks = nn.Sequential(*(ResidualBlock(channels) for _ in range(blocks)))
        self.skipped = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels))
        self.wide = _hidden(channels, 4 * channels)
        self.last = nn.Sequential(nn.Conv2d(4 * channels, bands, 3, 1, 1), nn.Tanh())
        self.apply(dcgan.initialise)

    def forward(self, low: Tensor) -> Tensor:
        first = self.first(low)  # (N, C, H/4, W/4)
        x = F.relu(first + self.skipped(self.blocks(first)))
        x = self.wide(F.interpolate(x, scale_factor=2.0, mode="nearest"))  # (N, 4C, H/2, W/2)
        return cast(Tensor, self.last(F.interpolate(x, scale_factor=2.0, mode="nearest")))


class Generator(base.Generator):
    """The refiner, fed in training with real images at half the side."""

    config: StackGANConfig
    refines = True

    def __init__(self, config: StackGANConfig) -> None:
        super().__init__()
        self.config = config
        self.refiner = Refiner(config.bands, config.channels, config.blocks)

    def draw(self, n: int, rng: torch.Generator) -> dict[str, Tensor]:
        return {}

    def given(self, real: Tensor) -> dict[str, Tensor]:
        return {"low": to_unit(F.avg_pool2d(real, 2)), "target": real}

    def training_images(self, draw: dict[str, Tensor], onehot: Tensor | None, dtype: torch.dtype) -> Tensor:
        with base.autocast(draw["low"], dtype):
            return cast(Tensor, self.refiner(draw["low"])).float()

    def objective(self, adversarial: Tensor, images: Tensor, draw: dict[str, Tensor]) -> Tensor:
        pixels = PIXEL_LOSSES[self.config.pixel](images, draw["target"])
        return self.config.adversarial_weight * adversarial + self.config.pixel_weight * pixels

    def sample(self, z: Tensor, onehot: Tensor | None, noise: Tensor | None = None) -> Tensor:
        raise BadInput("a second stage refines images and has no latent input: join it to a first stage with `chain`")


def to_unit(images: Tensor) -> Tensor:
    """Images in [-1, 1] → [0, 1]."""
    return (images + 1) / 2


class Discriminator(dcgan.Discriminator):
    """Images (N, bands, H, W) → logits (N,), as the DCGAN's."""

    def __init__(self, config: StackGANConfig) -> None:
        super().__init__(discriminator_config(config.resolution, config.bands, config.discriminator_width))


def discriminator_config(resolution: int, bands: int, width: int) -> dcgan.DCGANConfig:
    """The sizes of the DCGAN whose discriminator judges second stages."""
    return dcgan.DCGANConfig(resolution=resolution, bands=bands, width=width)
