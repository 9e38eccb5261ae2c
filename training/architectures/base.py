"""What the loop, the export and the tests ask of every architecture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import ClassVar, Self, cast

import torch
from torch import Tensor, nn

from training.architectures.layers import EqualLinear, lrelu, normalise_2nd_moment
from training.bounds import COUNT, SHARE, SIZE, ZERO_OR_MORE, Bounds, check


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes that every architecture has; each adds its own fields. ``classes`` 0 is a network without a class input."""

    resolution: int = 64
    bands: int = 3
    z_dim: int = 128
    classes: int = 0

    conditional: ClassVar[bool] = False
    """Whether the networks can take classes; where not, the labels of a data set are not used."""
    bounds: ClassVar[Bounds] = {"resolution": SIZE, "bands": SIZE, "z_dim": SIZE, "classes": ZERO_OR_MORE}
    """What the numbers among the fields may be; each architecture adds its own."""

    def __post_init__(self) -> None:
        check(self, self.bounds)
        if self.classes and not self.conditional:
            raise ValueError(f"classes {self.classes}: this architecture has no class input, 0 is allowed")

    def grown(self) -> Self:
        """The same sizes without progressive growing: the whole network from the first step on."""
        return self


@dataclass(frozen=True)
class StyleConfig(NetworkConfig):
    """Sizes of a generator with a mapping network and one style a layer."""

    w_dim: int = 128
    mapping_depth: int = 2
    style_mixing: float = 0.9
    """Share of training images whose later layers take the style of a second latent."""

    conditional: ClassVar[bool] = True
    bounds: ClassVar[Bounds] = NetworkConfig.bounds | {"w_dim": SIZE, "mapping_depth": COUNT, "style_mixing": SHARE}

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

    refines: ClassVar[bool] = False
    """Whether it makes images from images (`given`) and not from latents."""

    @abstractmethod
    def draw(self, n: int, rng: torch.Generator) -> dict[str, Tensor]:
        """The random inputs of ``n`` training images; each tensor has ``n`` rows."""

    @abstractmethod
    def training_images(self, draw: dict[str, Tensor], onehot: Tensor | None, dtype: torch.dtype) -> Tensor:
        """Images of one ``draw``, computed in ``dtype``."""

    @abstractmethod
    def sample(self, z: Tensor, onehot: Tensor | None, noise: Tensor | None = None) -> Tensor:
        """Images of latents ``z`` (N, z_dim) without truncation; ``noise`` None takes constants where there is noise."""

    def given(self, real: Tensor) -> dict[str, Tensor]:
        """What of the real batch ``training_images`` needs beside the draw; most generators need nothing."""
        return {}

    def objective(self, adversarial: Tensor, images: Tensor, draw: dict[str, Tensor]) -> Tensor:
        """What the generator minimises, from the ``adversarial`` loss of ``images``."""
        return adversarial

    def frozen_first(self) -> list[nn.Module]:
        """Layers in the order in which a fine-tuned network keeps them, from the input; empty where freezing makes no sense."""
        return []

    def advance(self, kimg: float) -> None:
        """Told before every step and after loading how many thousand images were seen; progressive networks follow it."""


class LatentGenerator(Generator):
    """A generator whose only input is z (N, z_dim): ``forward(z)`` gives images."""

    def draw(self, n: int, rng: torch.Generator) -> dict[str, Tensor]:
        """Latents."""
        return {"z": torch.randn(n, self.config.z_dim, generator=rng)}

    def training_images(self, draw: dict[str, Tensor], onehot: Tensor | None, dtype: torch.dtype) -> Tensor:
        """Images of one ``draw``, (N, bands, H, W) float32."""
        with autocast(draw["z"], dtype):
            return cast(Tensor, self(draw["z"])).float()

    def sample(self, z: Tensor, onehot: Tensor | None, noise: Tensor | None = None) -> Tensor:
        """Images of ``z``; there is no class and no noise input."""
        return cast(Tensor, self(z))


class Mapping(nn.Module):
    """z (N, z_dim) and one-hot class (N, classes) → w (N, w_dim)."""

    def __init__(self, config: StyleConfig) -> None:
        super().__init__()
        self.embed = EqualLinear(config.classes, config.w_dim) if config.classes else None
        fan_in = config.z_dim + (config.w_dim if config.classes else 0)
        sizes = [fan_in] + [config.w_dim] * config.mapping_depth
        self.layers = nn.ModuleList(EqualLinear(a, b, lr_mul=0.01) for a, b in zip(sizes[:-1], sizes[1:], strict=True))

    def forward(self, z: Tensor, onehot: Tensor | None = None) -> Tensor:
        x = normalise_2nd_moment(z)
        if self.embed is not None and onehot is not None:
            x = torch.cat([x, normalise_2nd_moment(self.embed(onehot))], dim=1)
        for layer in self.layers:
            x = lrelu(layer(x))
        return x


class Synthesis(nn.Module):
    """ws (N, num_ws, w_dim) and noise (N, noise_size) → images; ``noise_const`` (noise_size,) is the noise of a still image."""

    noise_const: Tensor


class StyleGenerator(Generator):
    """A generator of two parts: ``mapping(z, onehot)`` → w (N, w_dim) and ``synthesis(ws, noise)`` → images."""

    config: StyleConfig
    mapping: Mapping
    synthesis: Synthesis

    def draw(self, n: int, rng: torch.Generator) -> dict[str, Tensor]:
        """The random inputs of ``n`` training images: two latents, the layer where the second takes over, noise."""
        layers = self.config.num_ws
        crossover = torch.randint(1, layers, (n,), generator=rng)
        mixed = torch.rand(n, generator=rng) < self.config.style_mixing
        return {
            "z": torch.randn(n, self.config.z_dim, generator=rng),
            "z_other": torch.randn(n, self.config.z_dim, generator=rng),
            "crossover": torch.where(mixed, crossover, layers),
            "noise": torch.randn(n, self.config.noise_size, generator=rng),
        }

    def styles(self, draw: dict[str, Tensor], onehot: Tensor | None) -> Tensor:
        """Styles (N, num_ws, w_dim) of one ``draw``, with style-mixing regularisation."""
        both = None if onehot is None else torch.cat([onehot, onehot])
        w, other = self.mapping(torch.cat([draw["z"], draw["z_other"]]), both).chunk(2)
        first = torch.arange(self.config.num_ws, device=w.device) < draw["crossover"][:, None]  # (N, num_ws)
        return torch.where(first[:, :, None], w[:, None], other[:, None])

    def training_images(self, draw: dict[str, Tensor], onehot: Tensor | None, dtype: torch.dtype) -> Tensor:
        """Images of one ``draw``, (N, bands, H, W)."""
        return cast(Tensor, self.synthesis(self.styles(draw, onehot), draw["noise"], dtype))

    def sample(self, z: Tensor, onehot: Tensor | None, noise: Tensor | None = None) -> Tensor:
        """Images of latents ``z`` (N, z_dim) without truncation; ``noise`` None takes the constant buffers."""
        w = self.mapping(z, onehot)[:, None].expand(-1, self.config.num_ws, -1)
        if noise is None:
            noise = self.synthesis.noise_const.expand(len(z), -1)
        return cast(Tensor, self.synthesis(w, noise))


class Discriminator(nn.Module, ABC):
    """Images (N, bands, H, W) and one-hot class (N, classes) → logits (N,)."""

    @abstractmethod
    def forward(self, images: Tensor, onehot: Tensor | None = None, dtype: torch.dtype = torch.float32) -> Tensor:
        """Logits, computed in ``dtype``."""

    def frozen_first(self) -> list[nn.Module]:
        """Layers in the order in which a fine-tuned network keeps them, from the image."""
        return []

    def advance(self, kimg: float) -> None:
        """As `Generator.advance`."""

    def real_images(self, images: Tensor) -> Tensor:
        """Real images (N, bands, H, W) as this network is to see them in training, before any augmentation."""
        return images


@dataclass(frozen=True)
class Architecture:
    """One entry of the registry: the dataclass of sizes and the networks that are built from it."""

    config: type[NetworkConfig]
    generator: type[Generator]
    discriminator: type[Discriminator] | None


def autocast(x: Tensor, dtype: torch.dtype) -> AbstractContextManager[object]:
    """Mixed precision on the device of ``x``; nothing at float32."""
    return nullcontext() if dtype == torch.float32 else torch.autocast(x.device.type, dtype)


def channels_last(x: Tensor) -> Tensor:
    """``x`` as float32 in the layout that convolutions like best."""
    return x.float().contiguous(memory_format=torch.channels_last)
