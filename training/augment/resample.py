"""Resampling of images by affine matrices: differentiable twice, without aliasing, and independent of the batch.

Images are enlarged twice by a windowed sinc, read bilinearly on a grid of twice the final size, and averaged down by the same
low-pass filter (Karras et al. 2020, appendix B, with a symmetric filter in place of the wavelet sym6: nothing is displaced, and
what mirrors at the border is seamless). Beyond the border the image goes on as its mirror image, however far a transform reaches.
"""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

BILINEAR, NEAREST = 0, 1
ZEROS, REFLECT = 0, 2
TAPS = 12
KAISER_BETA = 5.0


def _half_band() -> list[float]:
    """Windowed sinc that cuts at a quarter of the sampling rate; even and odd taps each sum to 1/2, so that flat stays flat."""
    t = np.arange(TAPS) - (TAPS - 1) / 2
    taps = np.sinc(t / 2) * np.kaiser(TAPS, KAISER_BETA)
    return [float(tap) for tap in taps / taps.sum()]


HALF_BAND = _half_band()


class _Read(torch.autograd.Function):
    """``grid_sample`` whose gradient with respect to the images can be differentiated again (it is linear in them).

    torch offers no second derivative of ``grid_sample``; R1 of augmented real images needs one. The grid gets no gradient.
    """

    @staticmethod
    def forward(ctx: Any, images: Tensor, grid: Tensor, mode: int, padding: int) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.shape, ctx.how = images.shape, (mode, padding)
        return torch.grid_sampler_2d(images, grid, mode, padding, False)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (grid,) = ctx.saved_tensors
        return cast(Tensor, _Spread.apply(gradients[0], grid, ctx.shape, *ctx.how)), None, None, None  # type: ignore[no-untyped-call]


class _Spread(torch.autograd.Function):
    """The transpose of `_Read`."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, grid: Tensor, shape: torch.Size, mode: int, padding: int) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.how = (mode, padding)
        images = gradient.new_zeros(shape)
        spread = torch.ops.aten.grid_sampler_2d_backward(gradient, images, grid, mode, padding, False, [True, False])
        return cast(Tensor, spread[0])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:
        (grid,) = ctx.saved_tensors
        return cast(Tensor, _Read.apply(gradients[0], grid, *ctx.how)), None, None, None, None  # type: ignore[no-untyped-call]


def _read(images: Tensor, matrices: Tensor, points: int, extent: float, mode: int, padding: int) -> Tensor:
    """Values (N, C, points, points) of ``images`` at a square grid of half side ``extent``, moved by ``matrices`` (N, 3, 3)."""
    x = (torch.arange(points, dtype=torch.float64, device=images.device) * 2 + 1 - points) * (extent / points)
    m = matrices.to(images.device)
    horizontal = m[:, None, None, :2, 0] * x[None, None, :, None]
    vertical = m[:, None, None, :2, 1] * x[None, :, None, None]
    grid = (horizontal + vertical + m[:, None, None, :2, 2]).to(images.dtype)  # (N, points, points, 2)
    return cast(Tensor, _Read.apply(images, grid, mode, padding))  # type: ignore[no-untyped-call]


def _taps(images: Tensor, gain: float) -> Tensor:
    taps = torch.tensor(HALF_BAND, dtype=images.dtype, device=images.device) * gain
    return taps.repeat(images.shape[1], 1)


def _twice(images: Tensor) -> Tensor:
    """Images (N, C, H, W) at twice the size; their mirror image goes on beyond the border."""
    channels, margin = images.shape[1], math.ceil(TAPS / 4)
    taps, crop = _taps(images, 2.0), 2 * margin + TAPS // 2 - 1
    x = mirror_pad(images, margin)
    x = F.conv_transpose2d(x, taps[:, None, None, :], stride=(1, 2), groups=channels)[..., crop:-crop]
    return F.conv_transpose2d(x, taps[:, None, :, None], stride=(2, 1), groups=channels)[:, :, crop:-crop]


def _half(images: Tensor) -> Tensor:
    """Images at half the size; `TAPS` / 2 - 1 pixels at each border are used up first."""
    channels, taps = images.shape[1], _taps(images, 1.0)
    x = F.conv2d(images, taps[:, None, None, :], stride=(1, 2), groups=channels)
    return F.conv2d(x, taps[:, None, :, None], stride=(2, 1), groups=channels)


def mirror_pad(images: Tensor, margin: int) -> Tensor:
    """Images (N, C, H, W) with ``margin`` mirrored pixels (… c b a | a b c …) on each side; any margin."""
    for dim in (2, 3):
        side = images.shape[dim]
        index = torch.arange(-margin, side + margin, device=images.device) % (2 * side)
        images = images.index_select(dim, torch.where(index < side, index, 2 * side - 1 - index))
    return images


def move(images: Tensor, matrices: Tensor) -> Tensor:
    """Images (N, C, S, S) moved by result → source ``matrices`` (N, 3, 3) that take pixels to pixels: nothing is interpolated."""
    return _read(images, matrices, images.shape[-1], 1.0, NEAREST, REFLECT)


def warp(images: Tensor, matrices: Tensor) -> Tensor:
    """Images (N, C, S, S) transformed by result → source ``matrices`` (N, 3, 3), low-pass filtered; borders are mirrored."""
    side = images.shape[-1]
    points = 2 * side + TAPS - 2
    return _half(_read(_twice(images), matrices, points, points / (2 * side), BILINEAR, REFLECT))


def warp_into(images: Tensor, matrices: Tensor, fill: float) -> Tensor:
    """The same, but plain bilinear, and pixels from beyond the border have the value ``fill``."""
    return _read(images - fill, matrices, images.shape[-1], 1.0, BILINEAR, ZEROS) + fill
