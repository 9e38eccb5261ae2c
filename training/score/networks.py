"""The similarity score of row E3 (ETH Zürich, Computational Intelligence Lab report, 2020): the scorer and its plain baseline.

Scorer: the critic of row E1 without its last layer, then valid 3 × 3 convolutions of 256 and 512 (590,080; 1,180,160 parameters)
and dense layers of 512, 1024 and 1 (2,359,808; 525,312; 1,025). The printed total of 6,937,033 is met with batch normalisation
after each of these but the last (9,216 numbers, counted as Keras does), which the report does not mention.

Plain CNN: kernel 5, stride 2, valid, channels 4, 8, 16, 32, 64, 128, 256, each with batch norm and LeakyReLU, dense 1: 1,098,737
parameters, 2,032 of them batch norm, as printed. LeakyReLU 0.2 is chosen here, for both.

``head_width`` is the first new layer's number of feature maps, 256 as printed; the others keep their proportions to it.

Sides other than 1000 work: the plain CNN takes as many of its layers as the image has room for, and the scorer pads its
convolutions where the critic's features are smaller than five.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from training.architectures import wgan

HEAD_WIDTH = 256
HEAD = (1, 2)
DENSE = (2, 4)
"""Numbers of features of the new layers, in units of the head's width."""
PLAIN = (4, 8, 16, 32, 64, 128, 256)
SIDE_OF_TWO_VALID_CONVOLUTIONS = 5


class Scorer(nn.Module):
    """Images (N, bands, H, W) in [-1, 1] → scores (N,)."""

    def __init__(self, config: wgan.WGANConfig, head_width: int = HEAD_WIDTH) -> None:
        super().__init__()
        self.trunk = wgan.Trunk(config)
        padding = 0 if self.trunk.side >= SIDE_OF_TWO_VALID_CONVOLUTIONS else 1
        channels, layers = self.trunk.features, list[nn.Module]()
        for wide in (factor * head_width for factor in HEAD):
            layers += [nn.Conv2d(channels, wide, 3, padding=padding), nn.BatchNorm2d(wide), nn.LeakyReLU(0.2)]
            channels = wide
        layers.append(nn.Flatten())
        channels *= (self.trunk.side - 2 * len(HEAD) * (1 - padding)) ** 2
        for wide in (factor * head_width for factor in DENSE):
            layers += [nn.Linear(channels, wide), nn.BatchNorm1d(wide), nn.LeakyReLU(0.2)]
            channels = wide
        self.head = nn.Sequential(*layers, nn.Linear(channels, 1))
        self.head.apply(wgan.initialise)

    def forward(self, images: Tensor) -> Tensor:
        """Scores."""
        return cast(Tensor, self.head(self.trunk(images))).flatten()


class PlainCNN(nn.Module):
    """Images (N, bands, H, W) in [-1, 1] → scores (N,); at 1000 px the sides are 498, 247, 122, 59, 28, 12, 4."""

    def __init__(self, bands: int, resolution: int) -> None:
        super().__init__()
        channels, side, layers = bands, resolution, list[nn.Module]()
        for wide in PLAIN:
            if side < 5:
                break
            layers += [nn.Conv2d(channels, wide, 5, 2), nn.BatchNorm2d(wide), nn.LeakyReLU(0.2)]
            channels, side = wide, (side - 5) // 2 + 1
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.dense = nn.Linear(channels * side * side, 1)
        self.apply(wgan.initialise)

    def forward(self, images: Tensor) -> Tensor:
        """Scores."""
        return cast(Tensor, self.dense(self.layers(images))).flatten()
