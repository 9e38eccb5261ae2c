"""Layers that several architectures share: equalised weights, FIR resampling, minibatch statistics.

Networks compute in the dtype of the activations they are given; weights stay float32 and are cast where they are used.
Sources: Karras et al. 2018 (equalised learning rate, minibatch standard deviation), Karras et al. 2020 (FIR placement).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LRELU_SLOPE = 0.2
LRELU_GAIN = math.sqrt(2.0)
FLOAT16_CLAMP = 256.0
EPSILON = 2e-8
"""Keeps generators from dividing by 0. Karras et al. add 1e-8, which `torch.onnx` takes for 0 and leaves out."""
_FIR = (1.0, 3.0, 3.0, 1.0)


def lrelu(x: Tensor) -> Tensor:
    """Leaky ReLU of slope 0.2 that keeps the second moment of a unit normal input; float16 stays within ± 256."""
    x = F.leaky_relu(x, LRELU_SLOPE) * LRELU_GAIN
    return x.clamp(-FLOAT16_CLAMP, FLOAT16_CLAMP) if x.dtype == torch.float16 else x


def layout(dtype: torch.dtype) -> torch.memory_format:
    """Half-precision convolutions like channels last; float32 ones do not mind."""
    return torch.contiguous_format if dtype == torch.float32 else torch.channels_last


def normalise_2nd_moment(x: Tensor, eps: float = EPSILON) -> Tensor:
    """Scale every row of ``x`` (N, D) to unit mean square."""
    return x * (x.square().mean(dim=1, keepdim=True) + eps).rsqrt()


class EqualLinear(nn.Module):
    """Dense layer with equalised learning rate (Karras et al. 2018).

    ``lr_mul`` scales the effective learning rate of weight and bias, as the mapping network of StyleGAN does with 0.01.
    """

    def __init__(self, fan_in: int, fan_out: int, *, bias_init: float = 0.0, lr_mul: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(fan_out, fan_in) / lr_mul)
        self.bias = nn.Parameter(torch.full((fan_out,), bias_init / lr_mul))
        self.weight_gain = lr_mul / math.sqrt(fan_in)
        self.bias_gain = lr_mul

    def forward(self, x: Tensor) -> Tensor:
        weight = (self.weight * self.weight_gain).to(x.dtype)
        bias = (self.bias * self.bias_gain).to(x.dtype)
        return F.linear(x, weight, bias)


def equal_conv_weight(channels_out: int, channels_in: int, kernel: int) -> tuple[nn.Parameter, float]:
    """A unit-normal convolution weight and the gain 1/sqrt(fan_in) that it is multiplied with when used."""
    weight = nn.Parameter(torch.randn(channels_out, channels_in, kernel, kernel))
    return weight, 1.0 / math.sqrt(channels_in * kernel * kernel)


class EqualConv(nn.Module):
    """Convolution with equalised learning rate and "same" padding; ``down`` blurs with the FIR and strides by two."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, *, bias: bool = True, down: bool = False) -> None:
        super().__init__()
        self.weight, self.gain = equal_conv_weight(channels_out, channels_in, kernel)
        self.bias = nn.Parameter(torch.zeros(channels_out)) if bias else None
        self.padding = kernel // 2
        self.down = FirDown(channels_in, kernel) if down else None

    def forward(self, x: Tensor) -> Tensor:
        weight = (self.weight * self.gain).to(x.dtype)
        bias = None if self.bias is None else self.bias.to(x.dtype)
        if self.down is None:
            return F.conv2d(x, weight, bias, padding=self.padding)
        return F.conv2d(self.down(x), weight, bias, stride=2)


def _fir_kernel(gain: float) -> Tensor:
    row = torch.tensor(_FIR)
    kernel = torch.outer(row, row)
    return kernel * (gain / kernel.sum())


class FirDown(nn.Module):
    """Depthwise [1, 3, 3, 1] blur, padded so that the following ``kernel`` × ``kernel`` stride-2 convolution halves the size."""

    fir: Tensor

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.padding = kernel // 2 + 1
        self.register_buffer("fir", _fir_kernel(1.0).repeat(channels, 1, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.fir.to(x.dtype), padding=self.padding, groups=x.shape[1])


class FirUp(nn.Module):
    """Smooths the (2H+1, 2W+1) output of a stride-2 transposed 3 × 3 convolution to (2H, 2W); gain 4."""

    fir: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("fir", _fir_kernel(4.0).repeat(channels, 1, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.fir.to(x.dtype), padding=1, groups=x.shape[1])


def minibatch_std(x: Tensor, group: int = 4) -> Tensor:
    """Append one feature map: the standard deviation over groups of ``group`` images, averaged over channels and pixels.

    (N, C, H, W) → (N, C+1, H, W). Groups are neighbours, so that splitting a batch over processes changes nothing; ``N`` that
    the group does not divide is taken as one group.
    """
    n, c, h, w = x.shape
    size = group if n % group == 0 else n
    y = x.float().reshape(-1, size, c, h, w)
    y = y - y.mean(dim=1, keepdim=True)
    y = (y.square().mean(dim=1) + 1e-8).sqrt().mean(dim=(1, 2, 3))  # (N / size,)
    y = y.repeat_interleave(size).reshape(n, 1, 1, 1).expand(n, 1, h, w)
    return torch.cat([x, y.to(x.dtype)], dim=1)
