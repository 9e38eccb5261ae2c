"""What the loop, the export and the tests ask of every architecture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes that every architecture has; each adds its own fields. ``classes`` 0 is a network without a class input."""

    resolution: int = 64
    bands: int = 3
    z_dim: int = 128
    classes: int = 0

    conditional: ClassVar[bool] = False
    """Whether the networks can take classes; where not, the labels of a data set are not used."""


@dataclass(frozen=True)
class StyleConfig(NetworkConfig):
    """Sizes of a generator with a mapping network and one style a layer."""

    w_dim: int = 128

    conditional: ClassVar[bool] = True

    @property
    def num_ws(self) -> int:
        """Styles of one image."""
        raise NotImplementedError

    @property
    def noise_shapes(self) -> list[int]:
        """Sides of the noise maps in the order of the layers."""
        raise NotImplementedError

    @property
    def style_sides(self) -> list[int]:
        """Side of the block that each style steers, ``num_ws`` of them."""
        raise NotImplementedError

    @property
    def noise_size(self) -> int:
        """Length of the flat noise input."""
        return sum(side * side for side in self.noise_shapes)


class Generator(nn.Module, ABC):
    """Latents → images (N, bands, H, W) float32 in about -1 … 1."""

    config: NetworkConfig

    @abstractmethod
    def draw(self, n: int, rng: torch.Generator) -> dict[str, Tensor]:
        """The random inputs of ``n`` training images; each tensor has ``n`` rows."""

    @abstractmethod
    def training_images(self, draw: dict[str, Tensor], onehot: Tensor | None, dtype: torch.dtype) -> Tensor:
        """Images of one ``draw``, computed in ``dtype``."""

    @abstractmethod
    def sample(self, z: Tensor, onehot: Tensor | None, noise: Tensor | None = None) -> Tensor:
        """Images of latents ``z`` (N, z_dim) without truncation; ``noise`` None takes constants where there is noise."""

    def advance(self, kimg: float) -> None:
        """Told before every step and after loading how many thousand images were seen; progressive networks follow it."""


class Synthesis(nn.Module):
    """ws (N, num_ws, w_dim) and noise (N, noise_size) → images; ``noise_const`` (noise_size,) is the noise of a still image."""

    noise_const: Tensor


class StyleGenerator(Generator):
    """A generator of two parts: ``mapping(z, onehot)`` → w (N, w_dim) and ``synthesis(ws, noise)`` → images."""

    config: StyleConfig
    mapping: nn.Module
    synthesis: Synthesis


class Discriminator(nn.Module, ABC):
    """Images (N, bands, H, W) and one-hot class (N, classes) → logits (N,)."""

    @abstractmethod
    def forward(self, images: Tensor, onehot: Tensor | None = None, dtype: torch.dtype = torch.float32) -> Tensor:
        """Logits, computed in ``dtype``."""

    def advance(self, kimg: float) -> None:
        """As `Generator.advance`."""


@dataclass(frozen=True)
class Architecture:
    """One entry of the registry: the dataclass of sizes and the two networks that are built from it."""

    config: type[NetworkConfig]
    generator: type[Generator]
    discriminator: type[Discriminator]
