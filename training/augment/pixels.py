"""Transforms that work on the pixels of the chosen images: frequency filter, noise, cut-out, and the three of DiffAugment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from training.augment.resample import mirror_pad
from training.augment.uniforms import log_normal, normal, symmetric

SYM2 = np.array([1 + 3**0.5, 3 + 3**0.5, 3 - 3**0.5, 1 - 3**0.5]) / (4 * 2**0.5)
EXPECTED_POWER = (10 / 13, 1 / 13, 1 / 13, 1 / 13)


class Pixels(Protocol):
    """One transform of pixels; frozen dataclasses below."""

    def uniforms(self, bands: int) -> int:
        """Uniform numbers that one image takes, those that decide about application included."""

    def chosen(self, u: Tensor, p: float) -> Tensor:
        """Which images (N,) bool of uniforms (N, uniforms) are transformed at strength ``p``."""

    def apply(self, images: Tensor, u: Tensor, p: float) -> Tensor:
        """The chosen images (M, C, S, S) transformed, by their uniforms (M, uniforms)."""


class _Chosen:
    """The first uniform decides."""

    def chosen(self, u: Tensor, p: float) -> Tensor:
        return u[:, 0] < p


def _column(values: Tensor, like: Tensor) -> Tensor:
    """Values (N, …) as (N, …, 1, 1) of the dtype and on the device of ``like``."""
    return values.to(like)[..., None, None]


def filter_bank() -> Tensor:
    """Four symmetric filters (4, 43) that pass the octaves below π/8, π/8 … π/4, π/4 … π/2 and above π/2; they sum to 1.

    Built from the autocorrelation of the wavelet sym2: low(z), high(z) = 1 - low(z), and both again at z² and z⁴.
    """
    low = np.convolve(SYM2, SYM2[::-1]) / 2
    high = low * (-1.0) ** np.arange(1, 8)
    high[3] = low[3]
    bank, coarser = [], np.ones(1)
    for level in range(3):
        for name, kernel in (("high", high), ("low", low)):
            spread = np.zeros(6 * 2**level + 1)
            spread[:: 2**level] = kernel
            if name == "high":
                bank.append(np.convolve(coarser, spread))
            else:
                coarser = np.convolve(coarser, spread)
    bank.append(coarser)
    longest = len(coarser)
    return torch.tensor(np.stack([np.pad(k, (longest - len(k)) // 2) for k in reversed(bank)]))


BANK = filter_bank()


@dataclass(frozen=True)
class OctaveFilter:
    """Each of four octaves of spatial frequency × 2^N(0, sigma²), each with probability p; total power is kept (as expected of
    natural images). The same in every band of the image.
    """

    sigma: float = 1.0

    def uniforms(self, bands: int) -> int:
        return 8

    def chosen(self, u: Tensor, p: float) -> Tensor:
        return (u[:, :4] < p).any(dim=1)

    def gains(self, u: Tensor, p: float) -> Tensor:
        """Gain (N, 4) of every octave, lowest first."""
        power = torch.tensor(EXPECTED_POWER, dtype=torch.float64)
        gains = torch.ones(len(u), 4, dtype=torch.float64)
        amplitude = torch.where(u[:, :4] < p, log_normal(u[:, 4:], self.sigma), 1.0)
        for octave in range(4):
            one = torch.ones_like(gains)
            one[:, octave] = amplitude[:, octave]
            gains = gains * one / (one.square() @ power).sqrt()[:, None]
        return gains

    def apply(self, images: Tensor, u: Tensor, p: float) -> Tensor:
        n, bands, side, _ = images.shape
        kernels = (self.gains(u, p) @ BANK).to(images).repeat_interleave(bands, 0)  # (N C, 43)
        x = mirror_pad(images, BANK.shape[1] // 2).reshape(1, n * bands, side + BANK.shape[1] - 1, -1)
        x = F.conv2d(x, kernels[:, None, None, :], groups=n * bands)
        return F.conv2d(x, kernels[:, None, :, None], groups=n * bands).reshape(images.shape)


@dataclass(frozen=True)
class Noise(_Chosen):
    """Gaussian noise of standard deviation |N(0, sigma²)|, another value in each pixel and band."""

    sigma: float = 0.1

    def uniforms(self, bands: int) -> int:
        return 3

    def apply(self, images: Tensor, u: Tensor, p: float) -> Tensor:
        rng = torch.Generator(images.device)
        noise = torch.empty_like(images)
        for image, seed in zip(noise, (u[:, 2] * 2.0**53).long().tolist(), strict=True):
            image.normal_(generator=rng.manual_seed(seed))
        return images + noise * _column((normal(u[:, 1]) * self.sigma).abs()[:, None], images)


@dataclass(frozen=True)
class CutOut(_Chosen):
    """A square of ``size`` × the side, centred anywhere, is filled: with 0, or with the ``sky`` (mean of the band's border)."""

    size: float = 0.5
    sky: bool = False

    def uniforms(self, bands: int) -> int:
        return 3

    def apply(self, images: Tensor, u: Tensor, p: float) -> Tensor:
        side = images.shape[-1]
        centres = (torch.arange(side, dtype=torch.float64) + 0.5) / side
        near = (centres - u[:, 1:3, None]).abs() < self.size / 2  # (N, 2, S)
        hole = (near[:, 0, None, :] & near[:, 1, :, None])[:, None].to(images.device)
        return torch.where(hole, sky_level(images) if self.sky else 0.0, images)


def sky_level(images: Tensor) -> Tensor:
    """Mean (N, C, 1, 1) of the outermost pixels of every band."""
    rows, columns = images[:, :, [0, -1], :], images[:, :, 1:-1, [0, -1]]
    return torch.cat([rows.flatten(2), columns.flatten(2)], dim=2).mean(dim=2)[..., None, None]


@dataclass(frozen=True)
class DiffColour(_Chosen):
    """Brightness + U(-½, ½), then differences between bands × U(0, 2), then contrast × U(½, 3/2) about the image's mean."""

    def uniforms(self, bands: int) -> int:
        return 4

    def apply(self, images: Tensor, u: Tensor, p: float) -> Tensor:
        brightness, saturation, contrast = (_column(column, images) for column in u[:, 1:4, None].unbind(1))
        x = images + (brightness - 0.5)
        luma = x.mean(dim=1, keepdim=True)
        x = luma + (x - luma) * (2.0 * saturation)
        mean = x.mean(dim=(1, 2, 3), keepdim=True)
        return mean + (x - mean) * (contrast + 0.5)


@dataclass(frozen=True)
class DiffShift(_Chosen):
    """Translation by whole pixels, up to ``limit`` of the side; what comes in is 0."""

    limit: float = 0.125

    def uniforms(self, bands: int) -> int:
        return 3

    def apply(self, images: Tensor, u: Tensor, p: float) -> Tensor:
        side = images.shape[-1]
        most = int(side * self.limit + 0.5)
        shift = torch.round(symmetric(u[:, 1:], most + 0.5)).clamp(-most, most).long().to(images.device)  # (N, 2)
        source = torch.arange(side, device=images.device) + shift[:, :, None]  # (N, 2, S)
        inside = (source >= 0) & (source < side)
        column, row = source.clamp(0, side - 1).unbind(1)
        n = torch.arange(len(images), device=images.device)[:, None, None]
        moved = images.permute(0, 2, 3, 1)[n, row[:, :, None], column[:, None, :]].permute(0, 3, 1, 2)
        return moved * (inside[:, 1, :, None] & inside[:, 0, None, :])[:, None]
