"""Convolutional variational autoencoder, the baseline of row E4 (ETH Zürich, Computational Intelligence Lab report, 2020).

The report prints no sizes. The decoder is the generator of its WGAN (`training.architectures.wgan`), so that the two compare; the
encoder halves the side with 5 × 5 convolutions (channels W/8, W/4, W/2, W, W …) down to eight pixels or less, then a dense layer
gives mean and log-variance of z. Loss (Kingma & Welling 2014): squared error summed over pixels / 2 + Kullback-Leibler
divergence, divided by the number of pixels. There it gave only black images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from training.architectures import base, wgan
from training.bounds import ZERO_OR_MORE, Bounds


@dataclass(frozen=True)
class VAEConfig(wgan.WGANConfig):
    """Sizes of one autoencoder; ``kl_weight`` scales the divergence (1 as published). ``critic_width`` is not used."""

    kl_weight: float = 1.0

    bounds: ClassVar[Bounds] = wgan.WGANConfig.bounds | {"kl_weight": ZERO_OR_MORE}


class Encoder(nn.Module):
    """Images (N, bands, H, W) → mean and log-variance of z, (N, z_dim) each."""

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels, side, stage = config.bands, config.resolution, 0
        while side > 8:
            wider = min(config.width * 2**stage // 8, config.width)
            layers += [nn.Conv2d(channels, wider, 5, 2, 2), nn.LeakyReLU(0.2)]
            channels, side, stage = wider, (side + 1) // 2, stage + 1
        self.layers = nn.Sequential(*layers)
        self.dense = nn.Linear(channels * side * side, 2 * config.z_dim)
        self.apply(wgan.initialise)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.dense(self.layers(images).flatten(1)).chunk(2, dim=1)
        return mean, log_variance


class Generator(base.LatentGenerator):
    """The decoder, z → images, and the encoder that training needs: a training image is a real one decoded again."""

    config: VAEConfig

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        self.config = config
        self.decoder = wgan.Generator(config)
        self.encoder = Encoder(config)

    def forward(self, z: Tensor) -> Tensor:
        return cast(Tensor, self.decoder(z))

    def given(self, real: Tensor) -> dict[str, Tensor]:
        mean, log_variance = self.encoder(base.channels_last(real))
        return {"target": real, "mean": mean, "log_variance": log_variance}

    def training_images(self, draw: dict[str, Tensor], onehot: Tensor | None, dtype: torch.dtype) -> Tensor:
        z = draw["mean"] + draw["z"] * (draw["log_variance"] / 2).exp()
        return super().training_images({"z": z}, onehot, dtype)

    def objective(self, adversarial: Tensor, images: Tensor, draw: dict[str, Tensor]) -> Tensor:
        return negative_evidence(images, draw["target"], draw["mean"], draw["log_variance"], self.config.kl_weight)


def negative_evidence(decoded: Tensor, real: Tensor, mean: Tensor, log_variance: Tensor, kl_weight: float) -> Tensor:
    """Half the squared error plus ``kl_weight`` times the divergence of N(mean, e^log_variance) from N(0, 1), a pixel."""
    pixels = real[0].numel()
    error = (decoded - real).square().sum() / 2
    divergence = (mean.square() + log_variance.exp() - 1 - log_variance).sum() / 2
    return (error + kl_weight * divergence) / (len(real) * pixels)
