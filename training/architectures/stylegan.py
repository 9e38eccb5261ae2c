"""StyleGAN (Karras et al. 2019) with progressive growing (Karras et al. 2018), as Concepción's thesis (2023) trains it (row C1).

Eight-layer mapping network, learned constant input, adaptive instance normalisation (AdaIN) by an affine map of w, noise of its
own in each layer, style mixing. Training starts at ``grow_from`` pixels; each doubling is faded in. Images always have the full
size outside: a generator that has not grown yet repeats its pixels, and the discriminator averages them away. How far the
networks have grown is a function of the images seen alone (`StyleGANConfig.level`), so a resumed run goes on exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Self, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.architectures import base
from training.architectures.layers import (
    EPSILON,
    EqualConv,
    EqualLinear,
    equal_conv_weight,
    lrelu,
    minibatch_std,
    normalise_2nd_moment,
)
from training.bounds import SIZE, ZERO_OR_MORE, Bounds


@dataclass(frozen=True)
class StyleGANConfig(base.StyleConfig):
    """Sizes of one StyleGAN; ``channel_base`` and ``channel_max`` give min(base // resolution, max) feature maps.

    ``stable_kimg`` thousand images are shown at each size, then ``fade_kimg`` while the next one is faded in. Where both are 0
    the networks are whole from the start, as fine-tuning wants them.
    """

    resolution: int = 256
    z_dim: int = 512
    w_dim: int = 512
    mapping_depth: int = 8
    channel_base: int = 16384
    channel_max: int = 512
    grow_from: int = 8
    stable_kimg: float = 600.0
    fade_kimg: float = 600.0

    bounds: ClassVar[Bounds] = base.StyleConfig.bounds | {
        "channel_base": SIZE,
        "channel_max": SIZE,
        "grow_from": SIZE,
        "stable_kimg": ZERO_OR_MORE,
        "fade_kimg": ZERO_OR_MORE,
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("resolution", "grow_from"):
            side = getattr(self, name)
            if side < 4 or side & (side - 1):
                raise ValueError(f"{name} {side}: a power of two, 4 or more, is needed")
        if self.grow_from > self.resolution:
            raise ValueError(f"grow_from {self.grow_from} is above the resolution {self.resolution}")

    def channels(self, resolution: int) -> int:
        """Feature maps at ``resolution``, one at least."""
        return max(1, min(self.channel_base // resolution, self.channel_max))

    @property
    def resolutions(self) -> list[int]:
        """Sides of the blocks, 4 … resolution."""
        return [2**k for k in range(2, int(math.log2(self.resolution)) + 1)]

    @property
    def shown(self) -> list[int]:
        """Sides at which training shows images, ``grow_from`` … resolution."""
        return [side for side in self.resolutions if side >= self.grow_from]

    @property
    def num_ws(self) -> int:
        """Styles of one image: two a block."""
        return 2 * len(self.resolutions)

    @property
    def noise_shapes(self) -> list[int]:
        """Sides of the noise maps: two a block."""
        return [side for side in self.resolutions for _ in range(2)]

    @property
    def style_sides(self) -> list[int]:
        """Side of the block that each style steers."""
        return self.noise_shapes

    def grown(self) -> Self:
        return replace(self, stable_kimg=0.0, fade_kimg=0.0)

    def level(self, kimg: float) -> float:
        """How far the networks have grown: log2 of the side; 3.25 shows 8 pixels and a quarter of 16."""
        if not self.stable_kimg + self.fade_kimg:
            return math.log2(self.resolution)
        phase, within = divmod(kimg, self.stable_kimg + self.fade_kimg)
        fading = max(within - self.stable_kimg, 0.0) / self.fade_kimg if self.fade_kimg else 0.0
        return min(math.log2(self.grow_from) + phase + fading, math.log2(self.resolution))


def _split(level: float) -> tuple[int, float]:
    """The greatest side that takes part at ``level``, and its share (1 where nothing is being faded in)."""
    top = math.ceil(level)
    return 2**top, 1.0 - (top - level)


def _blur(x: Tensor) -> Tensor:
    """[1, 2, 1] in x and y, zeros beyond the border."""
    row = torch.tensor([0.25, 0.5, 0.25], dtype=x.dtype, device=x.device)
    return F.conv2d(x, torch.outer(row, row).repeat(x.shape[1], 1, 1, 1), padding=1, groups=x.shape[1])


def _spread(weight: Tensor) -> Tensor:
    """The 4 × 4 kernel that does with stride 2 what a 3 × 3 ``weight`` does on the pixels of a 2 × 2 box."""
    w = F.pad(weight, (1, 1, 1, 1))
    return w[..., 1:, 1:] + w[..., :-1, 1:] + w[..., 1:, :-1] + w[..., :-1, :-1]


class UpConv(nn.Module):
    """Nearest enlargement by two, 3 × 3 convolution and blur; the first two are one transposed convolution."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.weight, self.gain = equal_conv_weight(channels_out, channels_in, 3)

    def forward(self, x: Tensor) -> Tensor:
        kernel = _spread((self.weight * self.gain).flip(2, 3)).transpose(0, 1).to(x.dtype)
        return _blur(F.conv_transpose2d(x, kernel, stride=2, padding=1))


class DownConv(nn.Module):
    """Blur, 3 × 3 convolution and averaging by two; the last two are one convolution of stride 2."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.weight, self.gain = equal_conv_weight(channels_out, channels_in, 3)
        self.bias = nn.Parameter(torch.zeros(channels_out))

    def forward(self, x: Tensor) -> Tensor:
        kernel = _spread(self.weight * (self.gain / 4)).to(x.dtype)
        return F.conv2d(_blur(x), kernel, self.bias.to(x.dtype), stride=2, padding=1)


class Style(nn.Module):
    """What follows a convolution: noise, bias, leaky ReLU, instance normalisation, then scale and offset by w (AdaIN)."""

    def __init__(self, channels: int, w_dim: int) -> None:
        super().__init__()
        self.noise_strength = nn.Parameter(torch.zeros(channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))
        self.affine = EqualLinear(w_dim, 2 * channels)

    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        y = lrelu(x + (noise * self.noise_strength + self.bias).to(x.dtype)).float()
        y = y - y.mean(dim=(2, 3), keepdim=True)
        y = y * (y.square().mean(dim=(2, 3), keepdim=True) + EPSILON).rsqrt()
        scale, offset = self.affine(w)[:, :, None, None].chunk(2, dim=1)
        return cast(Tensor, y * (scale + 1.0) + offset).to(x.dtype)


class Block(nn.Module):
    """The layers of one size: enlargement (but for 4 × 4) and a 3 × 3 convolution, a `Style` after each."""

    def __init__(self, channels_in: int, channels_out: int, w_dim: int, *, first: bool) -> None:
        super().__init__()
        self.up = None if first else UpConv(channels_in, channels_out)
        self.conv = EqualConv(channels_out, channels_out, 3, bias=False)
        self.styles = nn.ModuleList(Style(channels_out, w_dim) for _ in range(2))

    def forward(self, x: Tensor, ws: Tensor, noises: list[Tensor]) -> Tensor:
        x = x if self.up is None else self.up(x)
        x = self.styles[0](x, ws[:, 0], noises[0])
        return cast(Tensor, self.styles[1](self.conv(x), ws[:, 1], noises[1]))


class Synthesis(base.Synthesis):
    """w (N, num_ws, w_dim) and noise (N, noise_size) → images (N, bands, H, W) float32, data range about [-1, 1]."""

    def __init__(self, config: StyleGANConfig) -> None:
        super().__init__()
        self.config = config
        self.level = math.log2(config.resolution)
        self.const = nn.Parameter(torch.randn(config.channels(4), 4, 4))  # normalising the paper's ones leaves only rounding
        widths = [config.channels(side) for side in config.resolutions]
        self.blocks = nn.ModuleList(
            Block(a, b, config.w_dim, first=i == 0) for i, (a, b) in enumerate(zip([widths[0], *widths], widths, strict=False))
        )
        self.to_bands = nn.ModuleDict({str(side): EqualConv(config.channels(side), config.bands, 1) for side in config.shown})
        self.register_buffer("noise_const", torch.randn(config.noise_size))

    def forward(self, ws: Tensor, noise: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        n, (top, share) = ws.shape[0], _split(self.level)
        maps = torch.split(noise, [side * side for side in self.config.noise_shapes], dim=1)
        noises = [m.reshape(n, 1, s, s) for m, s in zip(maps, self.config.noise_shapes, strict=True)]
        x = self.const.to(dtype)[None].expand(n, -1, -1, -1).contiguous(memory_format=_layout(dtype))
        image: Tensor | None = None
        for i, side in enumerate(self.config.resolutions):
            if side > top:
                break
            x = self.blocks[i](x, ws[:, 2 * i : 2 * i + 2], noises[2 * i : 2 * i + 2])
            if side == top // 2 and share < 1.0:
                image = F.interpolate(self.to_bands[str(side)](x).float(), scale_factor=2.0, mode="nearest")
        grown = self.to_bands[str(top)](x).float()
        image = grown if image is None else torch.lerp(image, grown, share)
        factor = self.config.resolution // top
        return F.interpolate(image, scale_factor=float(factor), mode="nearest") if factor > 1 else image


def _layout(dtype: torch.dtype) -> torch.memory_format:
    return torch.channels_last if dtype == torch.bfloat16 else torch.contiguous_format


class Generator(base.StyleGenerator):
    """Mapping and synthesis together."""

    config: StyleGANConfig
    synthesis: Synthesis

    def __init__(self, config: StyleGANConfig) -> None:
        super().__init__()
        self.config = config
        self.mapping = base.Mapping(config)
        self.synthesis = Synthesis(config)

    def advance(self, kimg: float) -> None:
        self.synthesis.level = self.config.level(kimg)

    def frozen_first(self) -> list[nn.Module]:
        """The layers of the synthesis network from 4 × 4 on, two a block, as in row C2."""
        layers: list[nn.Module] = []
        for block in self.synthesis.blocks:
            first, second = cast(Block, block).styles
            up = cast(Block, block).up
            layers += [first if up is None else nn.ModuleList([up, first]), nn.ModuleList([cast(Block, block).conv, second])]
        return layers


class DiscriminatorBlock(nn.Module):
    """3 × 3 convolution, then blurred 3 × 3 convolution that halves the side."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = EqualConv(channels_in, channels_in, 3)
        self.down = DownConv(channels_in, channels_out)

    def forward(self, x: Tensor) -> Tensor:
        return lrelu(self.down(lrelu(self.conv(x))))


class Discriminator(base.Discriminator):
    """Images (N, bands, H, W) and one-hot class (N, classes) → logits (N,), by projection on the class (Miyato & Koyama 2018)."""

    def __init__(self, config: StyleGANConfig) -> None:
        super().__init__()
        self.config = config
        self.level = math.log2(config.resolution)
        sides = config.resolutions
        self.from_bands = nn.ModuleDict({str(side): EqualConv(config.bands, config.channels(side), 1) for side in config.shown})
        self.blocks = nn.ModuleDict(
            {str(side): DiscriminatorBlock(config.channels(side), config.channels(side // 2)) for side in sides[1:]}
        )
        last = config.channels(4)
        self.conv = EqualConv(last + 1, last, 3)
        self.dense = EqualLinear(last * 16, last)
        features = config.w_dim if config.classes else 1
        self.out = EqualLinear(last, features)
        self.embed = EqualLinear(config.classes, features) if config.classes else None

    def advance(self, kimg: float) -> None:
        self.level = self.config.level(kimg)

    def frozen_first(self) -> list[nn.Module]:
        """The layers from the image on (Mo et al. 2020, Freeze-D)."""
        return [self.from_bands, *reversed(list(self.blocks.values())), self.conv, self.dense]

    def real_images(self, images: Tensor) -> Tensor:
        """Real images as sharp as generated ones can be while the next size is faded in (Karras et al. 2018)."""
        top, share = _split(self.level)
        if share == 1.0:
            return images
        coarse = F.avg_pool2d(images, 2 * self.config.resolution // top)
        return torch.lerp(F.interpolate(coarse, size=images.shape[-2:], mode="nearest"), images, share)

    def forward(self, images: Tensor, onehot: Tensor | None = None, dtype: torch.dtype = torch.float32) -> Tensor:
        top, share = _split(self.level)
        factor = self.config.resolution // top
        shown = (F.avg_pool2d(images, factor) if factor > 1 else images).to(dtype).contiguous(memory_format=_layout(dtype))
        x = lrelu(self.from_bands[str(top)](shown))
        for side in reversed(self.config.resolutions[1:]):
            if side > top:
                continue
            x = self.blocks[str(side)](x)
            if side == top and share < 1.0:
                before = lrelu(self.from_bands[str(side // 2)](F.avg_pool2d(shown, 2)))
                x = torch.lerp(before, x, share)
        x = lrelu(self.conv(minibatch_std(x.float())))
        x = self.out(lrelu(self.dense(x.flatten(1))))  # (N, features)
        if self.embed is None or onehot is None:
            return cast(Tensor, x.squeeze(1))
        key = normalise_2nd_moment(self.embed(onehot))
        return cast(Tensor, (x * key).sum(dim=1) / math.sqrt(x.shape[1]))
