"""StyleGAN2 (Karras et al. 2020) with a class-conditional mapping network, in the form that exports and that CPUs like.

Modulated convolution scales the input channels by the style, convolves with the shared weight and scales the output channels
by the demodulation factor; this equals the grouped form to rounding and keeps the batch axis free. Noise enters as one flat
input, so an image never depends on its batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.architectures import base
from training.architectures.layers import (
    EPSILON,
    EqualConv,
    EqualLinear,
    FirUp,
    equal_conv_weight,
    layout,
    lrelu,
    minibatch_std,
    normalise_2nd_moment,
)
from training.bounds import SHARE, SIZE, Bounds


@dataclass(frozen=True)
class StyleGAN2Config(base.StyleConfig):
    """Sizes of one StyleGAN2; ``channel_base`` and ``channel_max`` give min(base // resolution, max) feature maps."""

    channel_base: int = 1024
    channel_max: int = 128
    softening: float = 0.0
    """More than 0: both networks see 8-bit pixels through `stretched` with this softening, so that faint sky counts."""

    bounds: ClassVar[Bounds] = base.StyleConfig.bounds | {"channel_base": SIZE, "channel_max": SIZE, "softening": SHARE}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.first_side > 7 or self.first_side == self.resolution:
            raise ValueError(f"resolution {self.resolution}: 4, 5, 6 or 7 times a power of two (8, 10, 12, 14, 16, …) is needed")

    @property
    def first_side(self) -> int:
        """Side of the first block: the resolution halved while it is even and 8 or more."""
        side = self.resolution
        while side >= 8 and side % 2 == 0:
            side //= 2
        return side

    def channels(self, resolution: int) -> int:
        """Feature maps at ``resolution``, one at least."""
        return max(1, min(self.channel_base // resolution, self.channel_max))

    @property
    def resolutions(self) -> list[int]:
        """Sides of the blocks, base … resolution."""
        return [self.first_side * 2**k for k in range((self.resolution // self.first_side).bit_length())]

    @property
    def num_ws(self) -> int:
        """Styles of one image: two a block (the last ``ToRGB`` has its own)."""
        return 2 * len(self.resolutions)

    @property
    def noise_shapes(self) -> list[int]:
        """Sides of the noise maps in the order of the layers: one at the first block, two at every other."""
        return [side for side in self.resolutions for _ in range(1 if side == self.first_side else 2)]

    @property
    def style_sides(self) -> list[int]:
        """Side of the block that each style steers: the first of a block makes it, the last ``ToBands`` shows the image."""
        return [side for side in self.resolutions for _ in range(1 if side == self.first_side else 2)] + [self.resolution]


STRETCHED_RANGE = 6.0
"""Black is at -1 and white at 5 after `stretched`; dark images of galaxies then have about zero mean and unit variance."""


def stretched(images: Tensor, softening: float) -> Tensor:
    """Pixels in -1 … 1 through an asinh that is linear up to ``softening`` (a share of the range) above black: -1 … 5."""
    return torch.asinh((images + 1) / (2 * softening)) * (STRETCHED_RANGE / math.asinh(1 / softening)) - 1


def unstretched(values: Tensor, softening: float) -> Tensor:
    """Inverse of `stretched`, by exponentials because ONNX Runtime has no sinh on GPUs."""
    angle = (values + 1) * (math.asinh(1 / softening) / STRETCHED_RANGE)
    return (torch.exp(angle) - torch.exp(-angle)) * softening - 1


class ModulatedConv(nn.Module):
    """Style-modulated 3 × 3 convolution with noise, bias and leaky ReLU; ``up`` doubles the size."""

    def __init__(self, channels_in: int, channels_out: int, w_dim: int, *, up: bool = False) -> None:
        super().__init__()
        self.affine = EqualLinear(w_dim, channels_in, bias_init=1.0)
        self.weight, self.gain = equal_conv_weight(channels_out, channels_in, 3)
        self.bias = nn.Parameter(torch.zeros(channels_out))
        self.noise_strength = nn.Parameter(torch.zeros([]))
        self.fir = FirUp(channels_out) if up else None

    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        style = self.affine(w)  # (N, Cin)
        if x.dtype == torch.float16:  # the demodulation takes the factor back; without it sums may pass 65504
            style = style / style.abs().amax(dim=1, keepdim=True).clamp(min=1e-8)
        weight = self.weight * self.gain
        energy = weight.square().sum(dim=(2, 3))  # (Cout, Cin)
        demodulation = (style.square() @ energy.t() + EPSILON).rsqrt()  # (N, Cout)
        x = x * style.to(x.dtype)[:, :, None, None]
        weight = weight.to(x.dtype)
        if self.fir is None:
            x = F.conv2d(x, weight, padding=1)
        else:
            x = self.fir(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2))
        x = x * demodulation.to(x.dtype)[:, :, None, None]
        x = x + (noise * self.noise_strength).to(x.dtype) + self.bias.to(x.dtype)[:, None, None]
        return lrelu(x)


class ToBands(nn.Module):
    """Modulated 1 × 1 convolution without demodulation: feature maps → image bands."""

    def __init__(self, channels_in: int, bands: int, w_dim: int) -> None:
        super().__init__()
        self.affine = EqualLinear(w_dim, channels_in, bias_init=1.0)
        self.weight, self.gain = equal_conv_weight(bands, channels_in, 1)
        self.bias = nn.Parameter(torch.zeros(bands))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        style = self.affine(w) * self.gain
        return F.conv2d(x * style.to(x.dtype)[:, :, None, None], self.weight.to(x.dtype), self.bias.to(x.dtype))


class Synthesis(base.Synthesis):
    """w (N, num_ws, w_dim) and noise (N, noise_size) → images (N, bands, H, W) float32, data range about [-1, 1]."""

    def __init__(self, config: StyleGAN2Config) -> None:
        super().__init__()
        self.config = config
        self.const = nn.Parameter(torch.randn(config.channels(config.first_side), config.first_side, config.first_side))
        self.convs = nn.ModuleList()
        self.to_bands = nn.ModuleList()
        previous = config.channels(config.first_side)
        for side in config.resolutions:
            channels = config.channels(side)
            if side > config.first_side:
                self.convs.append(ModulatedConv(previous, channels, config.w_dim, up=True))
            self.convs.append(ModulatedConv(channels, channels, config.w_dim))
            self.to_bands.append(ToBands(channels, config.bands, config.w_dim))
            previous = channels
        self.register_buffer("noise_const", torch.randn(config.noise_size))

    def forward(self, ws: Tensor, noise: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        images = self.as_seen(ws, noise, dtype)
        return unstretched(images, self.config.softening) if self.config.softening else images

    def as_seen(self, ws: Tensor, noise: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Images as the discriminator sees them: stretched where the configuration has a ``softening``."""
        n = ws.shape[0]
        maps = torch.split(noise, [side * side for side in self.config.noise_shapes], dim=1)
        noises = [m.reshape(n, 1, s, s) for m, s in zip(maps, self.config.noise_shapes, strict=True)]
        x = self.const.to(dtype)[None].expand(n, -1, -1, -1).contiguous(memory_format=layout(dtype))
        image: Tensor | None = None
        layer = 0
        for block, to_bands in enumerate(self.to_bands):
            for _ in range(1 if block == 0 else 2):
                x = self.convs[layer](x, ws[:, layer], noises[layer])
                layer += 1
            y = to_bands(x, ws[:, layer])
            image = y if image is None else y + F.interpolate(image, scale_factor=2.0, mode="bilinear")
        return cast(Tensor, image).float()


class Generator(base.StyleGenerator):
    """Mapping and synthesis together."""

    config: StyleGAN2Config
    synthesis: Synthesis

    def __init__(self, config: StyleGAN2Config) -> None:
        super().__init__()
        self.config = config
        self.mapping = base.Mapping(config)
        self.synthesis = Synthesis(config)

    def training_images(self, draw: dict[str, Tensor], onehot: Tensor | None, dtype: torch.dtype) -> Tensor:
        """Images of one ``draw``, (N, bands, H, W), as the discriminator sees them."""
        return self.synthesis.as_seen(self.styles(draw, onehot), draw["noise"], dtype)

    def frozen_first(self) -> list[nn.Module]:
        """The convolutions of the synthesis network from the smallest block on, as in row C2."""
        return list(self.synthesis.convs)


class DiscriminatorBlock(nn.Module):
    """Residual block: 3 × 3 convolution, blurred stride-2 3 × 3 convolution, 1 × 1 skip; halves the side."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv0 = EqualConv(channels_in, channels_in, 3)
        self.conv1 = EqualConv(channels_in, channels_out, 3, down=True)
        self.skip = EqualConv(channels_in, channels_out, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = lrelu(self.conv1(lrelu(self.conv0(x))))
        return cast(Tensor, (y + self.skip(F.avg_pool2d(x, 2))) * math.sqrt(0.5))


class Discriminator(base.Discriminator):
    """Images (N, bands, H, W) and one-hot class (N, classes) → logits (N,), by projection on the class (Miyato & Koyama 2018)."""

    def __init__(self, config: StyleGAN2Config) -> None:
        super().__init__()
        self.config = config
        sides = config.resolutions[::-1]
        self.from_bands = EqualConv(config.bands, config.channels(sides[0]), 1)
        self.blocks = nn.ModuleList(
            DiscriminatorBlock(config.channels(a), config.channels(b)) for a, b in zip(sides[:-1], sides[1:], strict=True)
        )
        last = config.channels(config.first_side)
        self.conv = EqualConv(last + 1, last, 3)
        self.dense = EqualLinear(last * config.first_side**2, last)
        features = config.w_dim if config.classes else 1
        self.out = EqualLinear(last, features)
        self.embed = EqualLinear(config.classes, features) if config.classes else None

    def forward(self, images: Tensor, onehot: Tensor | None = None, dtype: torch.dtype = torch.float32) -> Tensor:
        x = images.to(dtype).contiguous(memory_format=layout(dtype))
        x = lrelu(self.from_bands(x))
        for block in self.blocks:
            x = block(x)
        x = lrelu(self.conv(minibatch_std(x.float())))
        x = self.out(lrelu(self.dense(x.flatten(1))))  # (N, features)
        if self.embed is None or onehot is None:
            return cast(Tensor, x.squeeze(1))
        key = normalise_2nd_moment(self.embed(onehot))
        return cast(Tensor, (x * key).sum(dim=1) / math.sqrt(x.shape[1]))

    def real_images(self, images: Tensor) -> Tensor:
        """Stretched where the configuration has a ``softening``."""
        return stretched(images, self.config.softening) if self.config.softening else images

    def frozen_first(self) -> list[nn.Module]:
        """The layers from the image on (Mo et al. 2020, Freeze-D)."""
        return [self.from_bands, *self.blocks, self.conv, self.dense]
