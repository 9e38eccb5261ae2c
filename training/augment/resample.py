"""Resampling of images by affine matrices: differentiable twice, without aliasing, and independent of the batch.

Images are enlarged twice by a windowed sinc, read bilinearly on a grid of twice the final size, and averaged down by the same
low-pass filter (Karras et al. 2020, appendix B, with a symmetric filter in place of the wavelet sym6: nothing is displaced, and
what mirrors at the border is seamless). Beyond the border the image goes on as its mirror image, however far a transform reaches.
"""

from __future__ import annotations

import functools
import math
from typing import Any, cast

import numpy as np
import torch
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


@functools.lru_cache(maxsize=16)
def _enlarging(side: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """The matrix (2 side, side) that doubles a row of pixels; beyond its ends the row goes on as its mirror image.

    Matrix products are several times faster than convolutions of one channel, on CPUs above all.
    """
    reach = math.ceil(TAPS / 4)
    source = torch.arange(-reach, side + reach)
    tap = torch.arange(TAPS)
    row = 2 * source[:, None] + tap - (TAPS // 2 - 1)  # (sources, taps)
    inside = (row >= 0) & (row < 2 * side)
    values = (torch.tensor(HALF_BAND, dtype=torch.float64) * 2.0).expand_as(row)
    matrix = torch.zeros(2 * side, side, dtype=torch.float64)
    matrix.index_put_((row[inside], _mirrored(source, side)[:, None].expand_as(row)[inside]), values[inside], accumulate=True)
    return matrix.to(device, dtype)


@functools.lru_cache(maxsize=16)
def _halving(side: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """The matrix (side, 2 side + TAPS - 2) that filters and halves a row; TAPS / 2 - 1 pixels at each end are used up."""
    matrix = torch.zeros(side, 2 * side + TAPS - 2, dtype=torch.float64)
    column = 2 * torch.arange(side)[:, None] + torch.arange(TAPS)
    matrix.scatter_(1, column, torch.tensor(HALF_BAND, dtype=torch.float64).expand_as(column))
    return matrix.to(device, dtype)


def _mirrored(index: Tensor, side: int) -> Tensor:
    """The pixels 0 … side - 1 that any ``index`` shows when a row goes on as its mirror image for ever (… b a | a b …)."""
    index = index % (2 * side)
    return torch.where(index < side, index, 2 * side - 1 - index)


def mirror_pad(images: Tensor, margin: int) -> Tensor:
    """Images (N, C, H, W) with ``margin`` mirrored pixels (… c b a | a b c …) on each side; any margin."""
    for dim in (2, 3):
        side = images.shape[dim]
        images = images.index_select(dim, _mirrored(torch.arange(-margin, side + margin), side).to(images.device))
    return images


def move(images: Tensor, matrices: Tensor) -> Tensor:
    """Images (N, C, S, S) moved by result → source ``matrices`` (N, 3, 3) that take pixels to pixels: nothing is interpolated."""
    return _read(images, matrices, images.shape[-1], 1.0, NEAREST, REFLECT)


def warp(images: Tensor, matrices: Tensor) -> Tensor:
    """Images (N, C, S, S) transformed by result → source ``matrices`` (N, 3, 3), low-pass filtered; borders are mirrored."""
    side = images.shape[-1]
    points = 2 * side + TAPS - 2
    up, down = (make(side, images.device, images.dtype) for make in (_enlarging, _halving))
    read = _read(up @ images @ up.t(), matrices, points, points / (2 * side), BILINEAR, REFLECT)
    return down @ read @ down.t()


def warp_into(images: Tensor, matrices: Tensor, fill: float) -> Tensor:
    """The same, but plain bilinear, and pixels from beyond the border have the value ``fill``."""
    return _read(images - fill, matrices, images.shape[-1], 1.0, BILINEAR, ZEROS) + fill
